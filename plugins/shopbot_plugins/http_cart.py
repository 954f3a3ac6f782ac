"""Empty the cart that the merchant's own service keeps, once its order is paid.

    carts:
      - use: http_cart
        url: https://shop.example/api/carts/{psid}?order={order_id}
        method: DELETE
        token: ${CART_SERVICE_TOKEN}
        timeout: 4s
        allow_http: false

`url` must contain `{psid}` and may contain `{order_id}`. `token` is sent as a bearer token; leave it out where the
service needs none. `timeout` is for connecting and for each wait on the connection. `allow_http` lets PSIDs and token
travel unprotected, for a service inside a private network.

The service must be ready to be asked twice. What it answers:

- 2xx: the cart is cleared
- 404, 410: there was none
- 409, 412: it was changed after the order, and kept; the request says when the order was made, in
  `If-Unmodified-Since` (https://www.rfc-editor.org/rfc/rfc9110#field.if-unmodified-since)
- anything else: asked again later, not before `Retry-After` where the answer has one
"""

from datetime import UTC, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Literal
from urllib.parse import quote

import httpx
from pydantic import ValidationInfo, field_validator

from shopbot.plugin import CartResult, Field, Order, PluginConfig, PositiveDuration, Retry, hookimpl
from shopbot_plugins._endpoint import check_address, retry_after_seconds
from shopbot_plugins._secret import Token

_EMPTY = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_CHANGED = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})


class Config(PluginConfig):
    """What `use: http_cart` accepts."""

    # Before `url`, whose check asks for it.
    allow_http: bool = Field(default=False, description="Whether an http:// address may be another machine's.")
    url: str = Field(strict=True, description="The cart's address, with {psid} and, where wanted, {order_id} in it.")
    method: Literal["DELETE", "POST"] = Field("DELETE", description="The HTTP method: DELETE or POST.")
    token: Token | None = Field(None, description="Sent as bearer token; none where left out.")
    timeout: PositiveDuration = Field(
        timedelta(seconds=4),
        description="How long to wait for the connection, and for each part of the answer: a duration such as 4s.",
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str, info: ValidationInfo) -> str:
        plain = url.replace("{psid}", "0").replace("{order_id}", "0")
        if "{psid}" not in url or "{" in plain or "}" in plain:
            raise ValueError("must contain {psid}, and nothing else in braces but {order_id}")
        if "{" in url.partition("://")[2].partition("/")[0]:
            raise ValueError("must not have braces in the host")
        check_address(plain, allow_http=info.data.get("allow_http", False))
        return url


class Plugin:
    """Asks the service over pooled connections."""

    outside = True
    _transport: httpx.AsyncHTTPTransport

    def __init__(self, config: Config) -> None:
        self._config = config
        self._timeout = httpx.Timeout(config.timeout.total_seconds()).as_dict()

    @hookimpl
    async def start(self) -> None:
        """Make the connection pool."""
        # Not a client: httpx.Client writes each URL into the log at INFO, and these URLs hold PSIDs.
        self._transport = httpx.AsyncHTTPTransport()

    @hookimpl
    async def stop(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    @hookimpl
    async def clear_cart(self, psid: str, order: Order) -> CartResult:
        """Ask the service to clear the cart."""
        try:
            response = await self._transport.handle_async_request(self._request(psid, order))
            await response.aread()  # else the connection could not be used again
        except httpx.RequestError as error:
            raise Retry(f"the cart service could not be reached: {type(error).__name__}") from error
        if response.is_success:
            return CartResult.CLEARED
        if response.status_code in _EMPTY:
            return CartResult.ALREADY_EMPTY
        if response.status_code in _CHANGED:
            return CartResult.KEPT
        raise Retry(
            f"the cart service answered HTTP {response.status_code}",
            after_seconds=retry_after_seconds(response.headers),
        )

    def _request(self, psid: str, order: Order) -> httpx.Request:
        headers = {"User-Agent": "shopbot"}
        if self._config.token is not None:
            headers["Authorization"] = f"Bearer {self._config.token.get_secret_value()}"
        if order.created_at is not None:
            headers["If-Unmodified-Since"] = format_datetime(order.created_at.astimezone(UTC), usegmt=True)
        url = _fill(self._config.url, psid=psid, order_id=order.id)
        return httpx.Request(self._config.method, url, headers=headers, extensions={"timeout": self._timeout})


def _fill(url: str, *, psid: str, order_id: int) -> str:
    return url.replace("{psid}", quote(psid, safe="")).replace("{order_id}", str(order_id))
