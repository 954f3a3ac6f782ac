"""Post a summary of an order to the merchant's own service, as a step of a rule.

    plugins:
      - use: http_forward
        url: https://shop.example/hooks/orders
        token: ${WAREHOUSE_TOKEN}
        signing_secret: ${WAREHOUSE_SECRET}
        timeout: 10s
        send_psid: false
        allow_http: false

A rule names it as a step: `steps: [resolve_psid, http_forward]`. What is posted to `url` is JSON: `event` (id, topic,
received_at), `shop`, `rule`, and `order` (id, name, statuses, total, times, lines) without the customer's name, e-mail
or address; with `send_psid` also `psid`. `token` is sent as a bearer token; with `signing_secret` the header
`X-Shopbot-Signature` is `sha256=` and the hex HMAC-SHA256 of the raw body. `timeout` is for connecting and for each
wait on the connection. `allow_http` lets all this travel unprotected, for a service inside a private network.

The same event may be posted more than once; its id is in the header `Idempotency-Key`, percent-encoded where it has
characters that a header cannot carry. 2xx is done; 408, 409, 425, 429, 5xx and network faults are tried again, not
before `Retry-After`; every other answer gives up.
"""

import hmac
import json
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import ValidationInfo, field_validator

from shopbot.plugin import (
    Context,
    Event,
    Field,
    Order,
    Outcome,
    PluginConfig,
    PositiveDuration,
    Reason,
    Run,
    hookimpl,
)
from shopbot_plugins._endpoint import check_address, retry_after_seconds
from shopbot_plugins._secret import Secret, Token

_PASSING = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""409 is what a service says that is still busy with the same key.
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"""


class Config(PluginConfig):
    """What `use: http_forward` accepts."""

    # Before `url`, whose check asks for it.
    allow_http: bool = Field(default=False, description="Whether an http:// address may be another machine's.")
    url: str = Field(strict=True, description="Where to post to.")
    token: Token | None = Field(None, description="Sent as bearer token; none where left out.")
    signing_secret: Secret | None = Field(
        None, description="The key of the signature in X-Shopbot-Signature; unsigned where left out."
    )
    timeout: PositiveDuration = Field(
        timedelta(seconds=10),
        description="How long to wait for the connection, and for each part of the answer: a duration such as 10s.",
    )
    send_psid: bool = Field(
        default=False, description="Whether the shopper's PSID, which is personal data, goes along."
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str, info: ValidationInfo) -> str:
        return check_address(url, allow_http=info.data.get("allow_http", False))


class Plugin:
    """Posts over pooled connections, without following redirects."""

    outside = True
    _client: httpx.AsyncClient
    _shop: str

    def __init__(self, config: Config) -> None:
        self._config = config

    @hookimpl
    async def start(self, context: Context) -> None:
        """Make the connection pool."""
        self._shop = context.shop.domain
        headers = {"User-Agent": "shopbot", "Content-Type": "application/json"}
        if self._config.token is not None:
            headers["Authorization"] = f"Bearer {self._config.token.get_secret_value()}"
        self._client = httpx.AsyncClient(headers=headers, timeout=self._config.timeout.total_seconds())

    @hookimpl
    async def stop(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    @hookimpl
    async def run_step(self, event: Event, run: Run) -> Outcome:
        """Post the order, if the event has one."""
        if run.order is None:
            return Outcome.skipped(Reason.NO_ORDER)
        body = json.dumps(self._summary(event, run, run.order), separators=(",", ":")).encode()
        try:
            response = await self._client.post(self._config.url, content=body, headers=self._headers(event, body))
        except httpx.RequestError as error:
            return Outcome.deferred(Reason.PLUGIN_FAILED, f"not reached: {type(error).__name__}")
        answer = f"HTTP {response.status_code}"
        if response.is_success:
            return Outcome.done(answer)
        if response.status_code in _PASSING or response.is_server_error:
            return Outcome.deferred(
                Reason.PLUGIN_FAILED, answer, retry_after_seconds=retry_after_seconds(response.headers)
            )
        return Outcome.failed(Reason.PLUGIN_FAILED, answer)

    def _headers(self, event: Event, body: bytes) -> dict[str, str]:
        headers = {"Idempotency-Key": quote(event.id, safe=":/-._~=+")}
        if self._config.signing_secret is not None:
            key = self._config.signing_secret.get_secret_value().encode()
            headers["X-Shopbot-Signature"] = f"sha256={hmac.digest(key, body, 'sha256').hex()}"
        return headers

    def _summary(self, event: Event, run: Run, order: Order) -> dict[str, Any]:
        summary: dict[str, Any] = {
            "event": {"id": event.id, "topic": event.topic, "received_at": event.received_at.isoformat()},
            "shop": self._shop,
            "rule": run.rule,
            "order": _order(order),
        }
        if self._config.send_psid:
            summary["psid"] = run.psid
        return summary


def _order(order: Order) -> dict[str, Any]:
    return {
        # Above 2^53 in practice: as a number, many JSON readers would round it.
        "id": str(order.id),
        "name": order.name,
        "order_number": order.order_number,
        "financial_status": order.financial_status,
        "fulfillment_status": order.fulfillment_status,
        "cancelled": order.cancelled,
        "test": order.test,
        "total": None if order.total is None else order.total.model_dump(mode="json"),
        "created_at": _time(order.created_at),
        "updated_at": _time(order.updated_at),
        "lines": [
            {"title": line.title, "variant_title": line.variant_title, "quantity": line.quantity, "sku": line.sku}
            for line in order.line_items
        ],
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
