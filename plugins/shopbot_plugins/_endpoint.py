"""Addresses of services that plugins call, and how long their answers ask to wait."""

import ipaddress
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

LONGEST_WAIT_SECONDS = 86_400.0
"""A service that asks for more than a day is not taken at its word."""


def check_address(address: str, *, allow_http: bool = False) -> str:
    """Give *address* back if tokens and personal data may travel to it.

    That is an absolute https URL, or an http one to this very machine or with *allow_http*.

    Raises:
        ValueError: it is not; the message says why.
    """
    parts = urlsplit(address)
    _ = parts.port  # raises ValueError for one that is none
    if parts.scheme not in {"http", "https"} or not parts.hostname or any(c.isspace() for c in address):
        raise ValueError("expected an absolute URL such as https://shop.example/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not contain a user name or password: URLs end up in logs")
    if parts.fragment:
        raise ValueError("must not contain '#'")
    if parts.scheme == "http" and not (allow_http or _is_this_machine(parts.hostname)):
        raise ValueError("must begin with https://, so that nobody on the way can read or change what is sent")
    return address


def shown_address(address: str) -> str:
    """Give of somebody else's address what may be shown: no user, no password, no query."""
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"}:
        return f"{parts.scheme or 'an unknown place'}:…"  # of a queue, as Google Pub/Sub or Amazon EventBridge
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def base_url(address: str) -> str:
    """Check the address that the paths of a service stand behind, and give it without a slash at its end.

    Raises:
        ValueError: as `check_address`, and for one with a query.
    """
    if "?" in address:
        raise ValueError("must not contain '?'")
    return check_address(address).rstrip("/")


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After`, in seconds or as a date; None where it is missing, unreadable or past.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        seconds = float(value)
    else:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return math.ceil(min(seconds, LONGEST_WAIT_SECONDS)) if seconds > 0 else None


def _is_this_machine(hostname: str) -> bool:
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return hostname == "localhost" or hostname.endswith(".localhost")
