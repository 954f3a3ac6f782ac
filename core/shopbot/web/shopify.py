"""`POST /webhooks/shopify`: verify, keep, answer. Everything else happens later."""

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple, Protocol

import structlog
from sanic import Request
from sanic.response import HTTPResponse, text

from shopbot.hooks import Hooks, PluginFailedError
from shopbot.model.compliance import COMPLIANCE_TOPICS
from shopbot.model.event import Arrival, Source
from shopbot.model.failures import Rejected
from shopbot.model.request import InboundRequest, Origin
from shopbot.store.errors import StoreError
from shopbot.store.inbox import Inbox
from shopbot.store.milliseconds import milliseconds
from shopbot.web.accepted import Accepted
from shopbot.web.probe import ECHO_TOPIC, KEPT_TOPIC, echoed

_LONGEST_ID = 200
_LONGEST_TOPIC = 100
_LONGEST_TIME = 40


class WebhookTarget(Protocol):
    """What the route needs of the shop that a webhook is for."""

    domain: str
    hooks: Hooks
    inbox: Inbox
    clock: Callable[[], datetime]


class _Headers(NamedTuple):
    """The delivery's headers under either family: `X-Shopify-…` (webhooks) or `Shopify-…` (events).

    They are not covered by the signature. https://shopify.dev/docs/apps/build/webhooks/delivery-structure
    """

    topic: str
    shop: str
    webhook_id: str
    triggered_at: str

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> "_Headers":
        get = headers.get
        return cls(
            get("x-shopify-topic") or get("shopify-topic") or "",
            get("x-shopify-shop-domain") or get("shopify-shop-domain") or "",
            get("x-shopify-webhook-id") or get("shopify-webhook-id") or "",
            get("x-shopify-triggered-at") or get("shopify-triggered-at") or "",
        )


class ShopifyWebhooks:
    """The route's handler, for one or several shops."""

    def __init__(self, shops: Mapping[str, WebhookTarget]) -> None:
        """Serve webhooks of these shops, by domain."""
        self._shops = shops
        self._log = structlog.get_logger("shopbot.web")
        self._security = structlog.get_logger("shopbot.security")

    async def __call__(self, request: Request) -> HTTPResponse:
        """Answer one delivery: 200 only when its event is durable (or known already), or is none (ECHO_TOPIC).

        403 for what is not Shopify's or not for this shop (401 on compliance topics), 400 without a topic, 503 when it
        cannot be judged or stored now: Shopify then sends it again.
        """
        headers = _Headers.read(request.headers)
        try:
            shop, verified_by = self._verified(request, headers)
        except Rejected as rejection:
            return echoed(request, self._refuse(request, headers, rejection))
        except PluginFailedError:
            return echoed(request, text("The signature could not be checked. Please send it again.", status=503))
        if not headers.topic or not _is_plain(headers.topic, _LONGEST_TOPIC):
            return echoed(request, text("The topic header is missing, too long, or no plain text.", status=400))
        if headers.topic == ECHO_TOPIC:
            return echoed(request, Accepted())
        try:
            await shop.inbox.add(_arrival(headers, request.body, shop.clock(), verified_by))
        except StoreError as error:
            self._log.error("event_not_stored", topic=headers.topic, error=str(error))
            return echoed(request, text("The event could not be stored. Please send it again.", status=503))
        return Accepted() if headers.topic != KEPT_TOPIC else echoed(request, Accepted())

    def _verified(self, request: Request, headers: _Headers) -> tuple[WebhookTarget, str]:
        """Give the shop that the webhook is for, and who vouches for it."""
        shop = self._shops.get(headers.shop.lower())
        if shop is None:
            raise Rejected(403, "the shop domain is missing" if not headers.shop else "another shop's domain")
        return shop, shop.hooks.verify(InboundRequest(Origin.SHOPIFY, request.headers, request.body))

    def _refuse(self, request: Request, headers: _Headers, rejection: Rejected) -> HTTPResponse:
        status = 401 if headers.topic in COMPLIANCE_TOPICS else rejection.status
        self._security.warning(
            "request_rejected",
            route="/webhooks/shopify",
            code="INVALID_SIGNATURE",
            reason=rejection.reason,
            status=status,
            remote=request.ip,
            topic=_shown(headers.topic),
            shop=_shown(headers.shop),
            body_bytes=len(request.body),
        )
        return text("The request could not be verified.", status=status)


def _is_plain(value: str, longest: int) -> bool:
    # Sanic hands on bytes that are no UTF-8 as half surrogate pairs, which cannot be stored.
    return len(value) <= longest and value.isascii() and value.isprintable()


def _shown(value: str) -> str:
    """Make a header fit for a log: anybody may send it, control characters for the reader's terminal included."""
    return "".join(c if c.isprintable() else "\ufffd" for c in value[:_LONGEST_TOPIC])


def _arrival(headers: _Headers, body: bytes, now: datetime, verified_by: str) -> Arrival:
    # Without an id (test tools), the same topic and body is the same arrival.
    webhook_id = headers.webhook_id or "sha256-" + sha256(headers.topic.encode() + b"\n" + body).hexdigest()
    if not _is_plain(webhook_id, _LONGEST_ID):
        webhook_id = "sha256-" + sha256(webhook_id.encode(errors="surrogateescape")).hexdigest()
    triggered_at = headers.triggered_at
    return Arrival(
        f"webhook:{webhook_id}",
        headers.topic,
        Source.WEBHOOK,
        milliseconds(now),
        body,
        triggered_at if _is_plain(triggered_at, _LONGEST_TIME) else "",
        verified_by,
    )
