"""`/webhooks/messenger`: the handshake, and what shoppers do in Messenger.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol

import structlog
from redis.exceptions import RedisError
from sanic import Request
from sanic.response import HTTPResponse, empty, text

from shopbot.hooks import Hooks, PluginFailedError
from shopbot.model.event import Arrival, Source
from shopbot.model.failures import Rejected
from shopbot.model.payload import read_timestamp
from shopbot.model.psid import is_psid
from shopbot.model.request import InboundRequest, Origin
from shopbot.model.surrogates import joined
from shopbot.rules.news import ACTS
from shopbot.store.claims import read_metadata
from shopbot.store.conversations import Conversations
from shopbot.store.echoes import Echoes
from shopbot.store.errors import StoreError
from shopbot.store.inbox import Inbox
from shopbot.store.milliseconds import milliseconds
from shopbot.web.probe import echoed

_LONGEST_ID = 200


class MessengerTarget(Protocol):
    """What the route needs of a shop."""

    domain: str
    hooks: Hooks
    inbox: Inbox
    echoes: Echoes
    conversations: Conversations
    page_ids: frozenset[str]
    clock: Callable[[], datetime]


class MessengerWebhooks:
    """The route's handlers, for one or several shops."""

    def __init__(self, shops: Sequence[MessengerTarget]) -> None:
        self._shops = shops
        self._log = structlog.get_logger("shopbot.web")
        self._security = structlog.get_logger("shopbot.security")

    async def handshake(self, request: Request) -> HTTPResponse:
        """Answer Meta's verification of the URL with its challenge: 403 unless a verifier knows the token."""
        query = {str(name): str(values[0]) for name, values in request.args.items() if values}
        for shop in self._shops:
            try:
                shop.hooks.verify(
                    InboundRequest(route=Origin.MESSENGER, headers=request.headers, body=b"", method="GET", query=query)
                )
            except (Rejected, PluginFailedError):
                continue
            return text(query.get("hub.challenge", ""))
        return self._refuse(request, Rejected(403, "the verification token is not ours"))

    async def receive(self, request: Request) -> HTTPResponse:
        """Answer one delivery of up to 1000 updates: 200 only when all of them are durable."""
        try:
            verified_by = self._verify(request)
        except Rejected as rejection:
            return echoed(request, self._refuse(request, rejection))
        except PluginFailedError:
            self._missed()
            return echoed(request, text("The signature could not be checked. Please send it again.", status=503))
        now = self._shops[0].clock()
        try:
            payload = json.loads(request.body)
            items = list(_items(payload))
        except (ValueError, RecursionError):
            # Signed, so it is Meta's: keep it for a person to look at rather than have it sent for ever.
            items = []
            payload = None
        takings = [self._take(page_id, item, now, verified_by) for page_id, item in items]
        if payload is None:
            takings.append(self._keep_unreadable(request.body, now, verified_by))
        try:
            await asyncio.gather(*takings)
        except asyncio.CancelledError:
            self._missed()  # the client has left, or the time for an answer is up
            raise
        except (StoreError, RedisError, OSError) as failure:
            self._missed()
            self._log.error("event_not_stored", route="messenger", error=str(failure))
            return text("The events could not be stored. Please send them again.", status=503)
        return echoed(request, empty(status=200))

    def _missed(self) -> None:
        """Meta repeats what was not answered 200, but not for ever: an echo may never come."""
        for shop in self._shops:
            shop.echoes.missed()

    def _verify(self, request: Request) -> str:
        """Ask every shop's verifiers: one app may serve the Pages of several shops. Gives which one vouches for it."""
        refusal: Rejected | None = None
        for shop in self._shops:
            try:
                return shop.hooks.verify(
                    InboundRequest(route=Origin.MESSENGER, headers=request.headers, body=request.body)
                )
            except Rejected as rejection:
                refusal = rejection
        raise refusal or Rejected(403, "no shop is configured")

    async def _take(self, page_id: str, item: Mapping[str, Any], now: datetime, verified_by: str) -> None:
        shop = next((s for s in self._shops if not s.page_ids or page_id in s.page_ids), None)
        if shop is None:
            self._log.warning("foreign_page", page_id=page_id)
            return
        message = item.get("message")
        if isinstance(message, Mapping) and message.get("is_echo") is True:
            await self._echo(shop, message, now)
            return
        sender = item.get("sender")
        psid = sender.get("id") if isinstance(sender, Mapping) else None
        if not isinstance(psid, str):
            return
        # What Meta may add later is answered and left.
        kind = next((kind for kind in ACTS if isinstance(item.get(kind), Mapping)), None)
        if kind is None:
            await self._receipts(shop, psid, item)
            return
        await shop.inbox.add(arrival_of_act(kind, item, now, verified_by))

    async def _echo(self, shop: MessengerTarget, message: Mapping[str, Any], now: datetime) -> None:
        """Take in the echo of a message that was sent, at once: it is durable when the store has answered."""
        metadata, message_id = message.get("metadata"), message.get("mid")
        # No store takes half a character, and none of ours has one.
        parts = read_metadata(joined(metadata)) if isinstance(metadata, str) else None
        if parts is None or not isinstance(message_id, str):
            return  # written by a person, or by another app
        if await shop.echoes.arrived(*parts, joined(message_id), now):
            self._log.info("doubt_settled_by_echo", claim=parts[0])

    async def _receipts(self, shop: MessengerTarget, psid: str, item: Mapping[str, Any]) -> None:
        """Note what the platform says of the Page's own messages: it decides nothing, so it is no event."""
        for kind, note in (("delivery", shop.conversations.delivered), ("read", shop.conversations.read)):
            content = item.get(kind)
            up_to = read_timestamp(content.get("watermark")) if isinstance(content, Mapping) else None
            if up_to is not None and is_psid(psid):
                await note(psid, up_to)

    async def _keep_unreadable(self, body: bytes, now: datetime, verified_by: str) -> None:
        await self._shops[0].inbox.add(
            Arrival(
                id=f"messenger:sha256-{sha256(body).hexdigest()}",
                topic="messenger/unreadable",
                source=Source.WEBHOOK,
                received_ms=milliseconds(now),
                body=body,
                verified_by=verified_by,
            )
        )

    def _refuse(self, request: Request, rejection: Rejected) -> HTTPResponse:
        self._security.warning(
            "request_rejected",
            route="/webhooks/messenger",
            code="INVALID_SIGNATURE",
            reason=rejection.reason,
            status=rejection.status,
            remote=request.ip,
            body_bytes=len(request.body),
        )
        return text("The request could not be verified.", status=rejection.status)


def _items(payload: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give each update with its Page; `standby` updates belong to another app and are left."""
    if not isinstance(payload, Mapping) or payload.get("object") != "page":
        return
    entries = payload.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        items = entry.get("messaging") if isinstance(entry, Mapping) else None
        for item in items if isinstance(items, list) else ():
            if isinstance(item, Mapping):
                yield str(entry.get("id", "")), item


def arrival_of_act(kind: str, item: Mapping[str, Any], now: datetime, verified_by: str = "") -> Arrival:
    """Say what the inbox takes in for something that a shopper did.

    kind: the key of *item* that says what it is: `message`.
    item: one entry of `messaging`, as Meta sends it.
    verified_by: as `Event.verified_by`.
    """
    content = item[kind]
    body = json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    mid = content.get("mid")
    # Repetitions carry the same mid; what has none is the same when its bytes are.
    usable = isinstance(mid, str) and 0 < len(mid) <= _LONGEST_ID and mid.isascii() and mid.isprintable()
    name = mid if usable else f"sha256-{sha256(body).hexdigest()}"
    triggered_at = read_timestamp(item.get("timestamp"))
    return Arrival(
        id=f"messenger:{kind}:{name}",
        topic=f"messenger/{kind}",
        source=Source.WEBHOOK,
        received_ms=milliseconds(now),
        triggered_at=triggered_at.isoformat() if triggered_at else "",
        body=body,
        verified_by=verified_by,
    )
