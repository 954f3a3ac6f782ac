"""A dispatcher on an embedded store with senders that do as they are told, and what it is asked to send."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shopbot.hook_call import PluginInstance
from shopbot.hooks import Hooks
from shopbot.host.blueprint import Blueprint, load_blueprint
from shopbot.messages.dispatch import Dispatcher
from shopbot.messages.doubt import Doubt, DoubtPolicy
from shopbot.messages.gate import Gate
from shopbot.messages.message import About, SendRequest
from shopbot.messages.mode import WindowPolicy
from shopbot.messages.renderer import Renderer
from shopbot.metrics import Metrics, ShopMetrics
from shopbot.model.event import Event, Source
from shopbot.model.outcome import Outcome, Status
from shopbot.model.shared_keys import SharedKeys
from shopbot.plugin import OutboundMessage, Reason, Receipt, Refused, hookimpl
from shopbot.rules.news import read_json, read_news
from shopbot.store.channels import Channels
from shopbot.store.claims import Claim, Claims, ClaimState, Ticket
from shopbot.store.conversations import Conversations
from shopbot.store.echoes import Echoes
from shopbot.store.references import References
from shopbot.testing.host import SECRET
from shopbot.testing.orders import order_bytes, paid_order
from support.attacked_shop import config, message
from support.store_parts import KEYS, NOW
from support.stores import OpenStore, running_store

PSID = "7312345678901234"
ORDER_ID = 830_517_264_905_318_211
RULE, SUBJECT = "order_confirmation", f"order:{ORDER_ID}"
DAY_SECONDS = 86_400.0
DEADLINE = timedelta(minutes=2)
SENT = Receipt(message_id="m_1")
WINDOW_CLOSED = Refused("the window is closed", code=Reason.OUTSIDE_WINDOW)
ANSWER = {"order_confirmation": {"tag": "order_answer", "text": "Here you are", "utility_template": "none"}}

Answer = Receipt | Exception | None


class Told:
    """A sender that answers as it is told, one answer for each message; without one left it takes them all."""

    def __init__(self, *answers: Answer, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        self.received: list[OutboundMessage] = []
        self.meanwhile = meanwhile
        """What happens while it works on a message."""
        self._answers = list(answers)

    @hookimpl
    async def send_message(self, message: OutboundMessage) -> Receipt | None:
        self.received.append(message)
        if self.meanwhile is not None:
            await self.meanwhile()
        answer = self._answers.pop(0) if self._answers else SENT
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Desk:
    """A dispatcher and what its shop's store holds."""

    dispatcher: Dispatcher
    store: OpenStore
    claims: Claims
    channels: Channels
    conversations: Conversations
    references: References
    echoes: Echoes
    metrics: Metrics
    now: datetime = NOW

    async def claim(self) -> Claim | None:
        return await self.claims.look(RULE, SUBJECT)

    async def in_line(self) -> list[str]:
        """Give the events in the shopper's line, the first one first."""
        entries: Any = await self.store.client.zrange(KEYS.line(PSID), 0, -1)
        return [entry.decode() for entry in entries]

    def calls(self) -> dict[tuple[str, str], float]:
        """Count the calls of senders, by sender and result."""
        [sends] = self.metrics.sends.collect()
        return {
            (sample.labels["sender"], sample.labels["result"]): sample.value
            for sample in sends.samples
            if sample.name.endswith("_count")
        }


@cache
def _blueprint(messages: str) -> Blueprint:
    """Load a configuration with these messages, once: it takes longer than all the rest of a test.

    messages: the section as JSON, which can be remembered.
    """
    names = ("SHOPIFY_WEBHOOK_SECRET", "MESSENGER_PAGE_TOKEN", "MESSENGER_URL")
    with TemporaryDirectory() as directory:
        path = Path(directory) / "shopbot.yaml"
        path.write_text(config(messages=json.loads(messages)), encoding="utf-8")
        return load_blueprint(path, dict.fromkeys(names, "https://x") | {"SHOPIFY_WEBHOOK_SECRET": SECRET})


@asynccontextmanager
async def a_desk(
    tmp_path: Path, *senders: Told, messages: dict[str, Any] | None = None, knowable: bool = False
) -> AsyncIterator[Desk]:
    """Run a dispatcher on an embedded store.

    knowable: whether the shop sees what shoppers do in Messenger.
    """
    blueprint = _blueprint(json.dumps(messages or message()))
    hooks = Hooks([PluginInstance("senders", place, f"told{place}", sender) for place, sender in enumerate(senders)])

    def clock() -> datetime:
        return desk.now

    async with running_store("embedded", tmp_path) as store:
        claims, echoes = Claims(store.client, KEYS, line_ttl_seconds=DAY_SECONDS), Echoes(store.client, KEYS)
        channels, conversations = Channels(store.client, KEYS), Conversations(store.client, KEYS)
        references = References(store.client, KEYS, SharedKeys(""), ttl_seconds=DAY_SECONDS)
        metrics = Metrics()
        dispatcher = Dispatcher(
            renderer=Renderer(blueprint.messages, blueprint.sandbox, blueprint.shop, blueprint.calendar),
            senders=[(hook, Gate(hook.instance.channel, channels, clock)) for hook in hooks.senders],
            claims=claims,
            doubt=Doubt(claims=claims, echoes=echoes, policy=DoubtPolicy(DEADLINE, resend=True), clock=clock),
            conversations=conversations,
            references=references,
            clock=clock,
            window=WindowPolicy(),
            windows_knowable=lambda: knowable,
            metrics=ShopMetrics(metrics, "acme.myshopify.com"),
        )
        desk = Desk(dispatcher, store, claims, channels, conversations, references, echoes, metrics)
        yield desk


def a_request(
    event_id: str = "webhook:1",
    *,
    topic: str = "orders/paid",
    subject: str = SUBJECT,
    minutes: float = 0.0,
    confirms_order: bool = True,
    asked: bool = False,
    **fields: Any,  # noqa: ANN401 - any JSON value
) -> SendRequest:
    """Ask for the confirmation of the one order, with some of its *fields* changed.

    minutes: how long after the others the event came.
    """
    body = order_bytes(paid_order(order_id=ORDER_ID, psid=PSID) | fields)
    received_at = NOW + timedelta(minutes=minutes)
    event = Event(id=event_id, topic=topic, source=Source.WEBHOOK, received_at=received_at, body=body)
    return SendRequest(
        message="order_confirmation",
        psid=PSID,
        about=About(event=event, order=read_news("orders/paid", read_json(body)).order),
        rule=RULE,
        subject=subject,
        confirms_order=confirms_order,
        claim_ttl_seconds=DAY_SECONDS,
        asked=asked,
    )


def a_ticket(event_id: str, *, subject: str = SUBJECT, minutes: float = 0.0) -> Ticket:
    received_at = NOW + timedelta(minutes=minutes)
    return Ticket(RULE, subject, f"token of {event_id}", event_id, PSID, received_at, in_line=False)


async def take(desk: Desk, ticket: Ticket) -> None:
    assert (await desk.claims.take(ticket, desk.now, ttl_seconds=DAY_SECONDS)).state is ClaimState.NEW


def short(outcome: Outcome) -> tuple[Status, Reason | None, str]:
    return outcome.status, outcome.reason, outcome.plugin
