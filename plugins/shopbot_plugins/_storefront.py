"""The client of Shopify's Storefront GraphQL API: settings, time limit, and what its answers mean.

https://shopify.dev/docs/api/storefront/latest
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Self

import httpx
from pydantic import AfterValidator, model_validator

from shopbot.plugin import ChannelDown, Field, Finding, PluginConfig, PositiveDuration, Reason, Refused, Retry
from shopbot_plugins._endpoint import base_url, retry_after_seconds
from shopbot_plugins._json import as_list, as_object, as_objects, read_object
from shopbot_plugins._secret import Token
from shopbot_plugins._shopify_versions import version_finding

MOST_AT_ONCE = 250
"""Lines that one call may bring or ask for. https://shopify.dev/docs/api/usage/limits"""

_BUSY = frozenset({408, 425, 429, 430})
_FIXES = {
    401: "the token was revoked, belongs to another shop, or is the other kind (public, private)",
    402: "the shop is frozen: its bill is to be paid",
    403: "the token lacks the scopes unauthenticated_read_checkouts and unauthenticated_write_checkouts",
    423: "the shop is locked",
}
_PASSING = frozenset({"THROTTLED", "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"})
_TOO_MUCH = frozenset({"MAX_INPUT_SIZE_EXCEEDED"})
_LOOK = "query cart($id: ID!) { cart(id: $id) { id } }"
_NO_CART = "gid://shopify/Cart/c1-00000000000000000000000000000000"
_CART_ID = re.compile(r"gid://shopify/Cart[^\s\"']*")
_LONGEST_QUOTE = 200


class StorefrontConfig(PluginConfig):
    """The settings by which a plugin reaches the Storefront API."""

    public_token: Token | None = Field(None, description="A public Storefront API access token.")
    private_token: Token | None = Field(None, description="A private Storefront API access token, in its place.")
    api_version: str = Field(
        "2026-10",
        strict=True,
        pattern=r"^(20[2-9][0-9]-(01|04|07|10)|unstable)$",
        description="The version of the Storefront API: 2026-10.",
    )
    timeout: PositiveDuration = Field(
        timedelta(seconds=3), le=timedelta(seconds=30), description="How long one request may take as a whole: 3s."
    )
    api_url: Annotated[str, AfterValidator(base_url)] | None = Field(
        None, strict=True, description="Where the shop's API is; https:// and the shop's domain where left out."
    )

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.public_token is not None and self.private_token is not None:
            raise ValueError("give either public_token or private_token, or neither")
        return self


class Storefront:
    """Asks the API, one operation at a time. Cart ids and checkout URLs are secrets: no error repeats them."""

    def __init__(self, config: StorefrontConfig, shop_domain: str) -> None:
        headers = {"User-Agent": "shopbot"}
        # https://shopify.dev/docs/api/usage/authentication: the two headers are not interchangeable.
        if config.public_token is not None:
            headers["X-Shopify-Storefront-Access-Token"] = config.public_token.get_secret_value()
        if config.private_token is not None:
            headers["Shopify-Storefront-Private-Token"] = config.private_token.get_secret_value()
        self._path = f"/api/{config.api_version}/graphql.json"
        self._limit_seconds = config.timeout.total_seconds()
        self._client = httpx.AsyncClient(
            base_url=config.api_url or f"https://{shop_domain}",
            headers=headers,
            timeout=httpx.Timeout(self._limit_seconds),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def ask(self, name: str, query: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        """Send an operation and give what its root field *name* answers; empty where that is null.

        Raises:
            Retry: it may work later.
            Refused: what was asked for is more than the API takes.
            ChannelDown: a person has to act.
        """
        try:
            async with asyncio.timeout(self._limit_seconds):
                response = await self._client.post(self._path, json={"query": query, "variables": variables})
        except (httpx.RequestError, TimeoutError) as error:
            raise Retry(f"Shopify could not be reached: {type(error).__name__}") from error
        _check_status(response)
        answer = read_object(response)
        errors = as_objects(answer.get("errors"))
        if errors:
            raise _failure(errors)
        data = answer.get("data")
        if not isinstance(data, Mapping) or name not in data:
            raise Retry("Shopify's answer cannot be read")
        return as_object(data[name])


async def examine(storefront: Storefront, config: StorefrontConfig, today: date) -> AsyncGenerator[Finding, None]:
    """Look whether the token may read carts, by one that does not exist: such a cart is null, and no error.

    Raises nothing that `ask` raises: it is a finding.
    """
    yield version_finding("the Storefront API", config.api_version, today)
    try:
        await storefront.ask("cart", _LOOK, {"id": _NO_CART})
    except (Retry, Refused) as failure:
        yield Finding.warning(
            failure.reason,
            meaning="whether carts can be made and emptied could not be looked at now",
            to_do="run doctor again; mind the network from this machine to the shop",
        )
    except ChannelDown as failure:
        yield Finding.problem(
            failure.reason,
            meaning="checkout links are not made, and carts are not emptied",
            to_do="set a token of the Headless channel with unauthenticated_read_checkouts and"
            " unauthenticated_write_checkouts, as private_token or public_token, whichever it is",
        )
    else:
        way = "a private token" if config.private_token else "a public token" if config.public_token else "no token"
        yield Finding.ok(f"carts can be read with {way}")


def user_errors(answer: Mapping[str, Any]) -> Iterator[tuple[Sequence[str], str]]:
    """Give the field and the message of each `userErrors` entry of a mutation."""
    for error in as_objects(answer.get("userErrors")):
        yield [str(part) for part in as_list(error.get("field"))], quotable(error.get("message"))


def warning_codes(answer: Mapping[str, Any]) -> list[str]:
    """Give the codes of a mutation's `warnings`, each once."""
    return sorted({str(warning.get("code")) for warning in as_objects(answer.get("warnings"))})


def quotable(text: object) -> str:
    """Make a text of Shopify's fit for a log: one line, not too long, without cart ids."""
    printable = "".join(c if c.isprintable() else " " for c in str(text or ""))
    return _CART_ID.sub("gid://shopify/Cart/…", printable)[:_LONGEST_QUOTE]


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if response.is_server_error or status in _BUSY:
        raise Retry(f"Shopify answered HTTP {status}", after_seconds=retry_after_seconds(response.headers))
    if response.is_redirect:
        raise ChannelDown(f"Shopify redirects (HTTP {status}): check shop.domain, the .myshopify.com name of the shop")
    if not response.is_success:
        raise ChannelDown(f"Shopify answered HTTP {status}: {_FIXES.get(status, 'check shop.domain and api_version')}")


def _failure(errors: Sequence[Mapping[str, Any]]) -> Retry | Refused | ChannelDown:
    """Judge top-level errors."""
    codes = {str(as_object(error.get("extensions")).get("code")) for error in errors}
    message = quotable(errors[0].get("message"))
    if codes & _TOO_MUCH:
        return Refused(message, code=Reason.CHECKOUT_REFUSED)
    if codes & _PASSING or message.startswith("Internal error"):
        return Retry(f"Shopify answered with an error: {message}")
    if codes & {"UNAUTHORIZED", "ACCESS_DENIED"}:
        return ChannelDown(f"Shopify denies access to carts: {_FIXES[401]} ({message})")
    return ChannelDown(f"Shopify refused the query: {message}; check api_version")
