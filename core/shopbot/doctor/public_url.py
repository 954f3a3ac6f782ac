"""The public address of a host, as an operator gives it."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from shopbot.model.request import Origin
from shopbot.web.app import MESSENGER_ROUTE, SHOPIFY_ROUTE

_ROUTES = {Origin.SHOPIFY: SHOPIFY_ROUTE, Origin.MESSENGER: MESSENGER_ROUTE}


def read_public_url(text: str) -> str:
    """Give what stands before the routes of the host: `https://bot.example`, without a slash at its end.

    Raises:
        ValueError: it is no such address; the message says why.
    """
    address = text.strip().rstrip("/")
    for route in _ROUTES.values():
        address = address.removesuffix(route)
    parts = urlsplit(address)
    _ = parts.port  # raises ValueError for one that is none
    if parts.scheme not in {"http", "https"} or not parts.hostname or any(c.isspace() for c in address):
        raise ValueError("expected the public address of the host, such as https://bot.example")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("must be an address without user, password, '?' and '#'")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname):
        raise ValueError("must begin with https://: Shopify and Meta deliver webhooks to nothing else")
    return address


def addresses(public_url: str) -> Mapping[Origin, str]:
    """Give where each platform's webhooks must go."""
    return {origin: public_url + route for origin, route in _ROUTES.items()}


def _is_this_machine(hostname: str) -> bool:
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return hostname == "localhost" or hostname.endswith(".localhost")
