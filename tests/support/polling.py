"""A poller that gives what it is told, and the parts of the host that poll it, on a clock that a test moves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shopbot.hooks import Hooks, PluginInstance
from shopbot.plugin import PolledOrder, hookimpl
from shopbot.polling import Poll, Poller
from shopbot.store.inbox import Inbox
from shopbot.store.lease import Lease
from shopbot.store.pollers import PollerState
from support.store_parts import KEYS, SEEN_TTL_SECONDS
from support.stores import OpenStore

START = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
OVERLAP = timedelta(minutes=10)
NAME = "orders"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


def polled(order_id: int, updated_at: datetime = START, *, page: int = 1) -> PolledOrder:
    payload = {"id": order_id, "updated_at": updated_at.isoformat(), "financial_status": "paid"}
    return PolledOrder.from_payload(payload, page=page)


@dataclass
class ScriptedPoller:
    """Gives *answer*, item by item; an exception among the items is raised, an event is waited for."""

    answer: list[PolledOrder | Exception | asyncio.Event] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)
    closed: int = 0

    def say(self, *answer: PolledOrder | Exception | asyncio.Event) -> None:
        self.answer = list(answer)

    @hookimpl
    async def poll_orders(self, since: datetime) -> AsyncGenerator[PolledOrder, None]:
        self.asked.append(since)
        try:
            for item in list(self.answer):
                if isinstance(item, asyncio.Event):
                    await item.wait()
                elif isinstance(item, Exception):
                    raise item
                else:
                    yield item
        finally:
            self.closed += 1


@dataclass
class Process:
    """One process that may poll."""

    plugin: ScriptedPoller
    poll: Poll
    state: PollerState
    lease: Lease
    inbox: Inbox
    clock: Clock
    store: OpenStore

    def poller(self, *, every: timedelta = timedelta(seconds=60)) -> Poller:
        return Poller(
            poll=self.poll,
            state=self.state,
            lease=self.lease,
            every=every,
            clock=self.clock,
            chance=random.Random(0),  # noqa: S311 - spreads polls, guards nothing
        )

    async def waiting(self) -> list[str]:
        """Give the ids of the events in the inbox, as they came."""
        entries: Any = await self.store.client.xrange(KEYS.inbox)
        return [fields[b"id"].decode() for _, fields in entries]


@asynccontextmanager
async def a_process(
    store: OpenStore,
    plugin: ScriptedPoller | None = None,
    *,
    clock: Clock | None = None,
    lease_seconds: float = 30.0,
    time_limit_seconds: float | None = None,
) -> AsyncIterator[Process]:
    """Put the parts of a process together; its inbox runs until the block ends."""
    plugin, clock = plugin or ScriptedPoller(), clock or Clock()
    client = store.another()
    hooks = Hooks([PluginInstance("pollers", 0, NAME, plugin, time_limit_seconds)])
    inbox = Inbox(client, KEYS, seen_ttl_seconds=SEEN_TTL_SECONDS)
    state = PollerState(client, KEYS, NAME)
    inbox.start()
    try:
        yield Process(
            plugin=plugin,
            poll=Poll(hook=hooks.pollers[0], inbox=inbox, state=state, overlap=OVERLAP, clock=clock),
            state=state,
            lease=Lease(client, KEYS.poller_lease(NAME), seconds=lease_seconds),
            inbox=inbox,
            clock=clock,
            store=store,
        )
    finally:
        await inbox.stop()


def ids(orders: Iterable[PolledOrder]) -> list[str]:
    """Give the ids of the events that the orders become."""
    return [order.event_id for order in orders]
