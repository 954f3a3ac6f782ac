"""The parts of one shop's store, put together for tests, and the events that they hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from shopbot.model.event import Arrival, Event, Source
from shopbot.model.outcome import JournalEntry, Status
from shopbot.model.reason import Reason
from shopbot.store.inbox import Inbox
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds
from shopbot.store.queue import Disposition, Queue, Settlement
from support.stores import OpenStore

KEYS = Keys("acme.myshopify.com")
NOW = datetime(2026, 11, 23, 10, 15, 30, 250_000, tzinfo=UTC)
SEEN_TTL_SECONDS = 172_800.0
JOURNAL_TTL_SECONDS = 2_592_000.0

_STATUS = {
    Disposition.FINISHED: Status.DONE,
    Disposition.RETRY: Status.DEFERRED,
    Disposition.HELD: Status.HELD,
    Disposition.PARKED: Status.HELD,
    Disposition.DEAD: Status.FAILED,
}


def an_event(number: int = 1, *, body: bytes = b'{"id": 1}', topic: str = "orders/paid") -> Event:
    """Make an event; equal numbers are the same arrival."""
    return Event(
        id=f"webhook:{number}",
        topic=topic,
        source=Source.WEBHOOK,
        received_at=NOW + timedelta(milliseconds=number),
        triggered_at=NOW - timedelta(seconds=1),
        body=body,
        verified_by="verify[0]:shopify_hmac, secret 1",
    )


def an_arrival(number: int = 1, *, body: bytes = b'{"id": 1}', topic: str = "orders/paid") -> Arrival:
    """Make the arrival of `an_event`."""
    return arrival_of(an_event(number, body=body, topic=topic))


def arrival_of(event: Event) -> Arrival:
    """Say what the inbox takes in for an event."""
    return Arrival(
        id=event.id,
        topic=event.topic,
        source=event.source,
        received_ms=milliseconds(event.received_at),
        body=event.body,
        triggered_at=event.triggered_at.isoformat() if event.triggered_at else "",
        verified_by=event.verified_by,
    )


def a_line(
    step: str = "1:resolve_psid", status: Status = Status.DONE, reason: Reason | None = None, *, plugin: str = ""
) -> JournalEntry:
    """Make a line of a journal."""
    rule = "order_confirmation"
    return JournalEntry(at=NOW, attempt=1, rule=rule, step=step, status=status, reason=reason, plugin=plugin)


def a_settlement(
    disposition: Disposition = Disposition.FINISHED,
    *,
    journal: Sequence[JournalEntry] = (),
    attempts: int = 1,
    order_id: int | None = None,
    due_in_seconds: float = 0.0,
) -> Settlement:
    """Make the end of an attempt."""
    due = disposition in (Disposition.RETRY, Disposition.HELD)
    return Settlement(
        disposition=disposition,
        status=_STATUS[disposition],
        reason=None if disposition is Disposition.FINISHED else Reason.MESSAGE_SEND_FAILED,
        attempts=attempts,
        journal=journal,
        order_id=order_id,
        due_at=NOW + timedelta(seconds=due_in_seconds) if due else None,
    )


def an_inbox(store: OpenStore) -> Inbox:
    """Make the inbox; it is not started."""
    return Inbox(store.another(), KEYS, seen_ttl_seconds=SEEN_TTL_SECONDS)


@asynccontextmanager
async def open_inbox(store: OpenStore) -> AsyncIterator[Inbox]:
    """Run an inbox until the block ends."""
    inbox = an_inbox(store)
    inbox.start()
    try:
        yield inbox
    finally:
        await inbox.stop()


async def fill(store: OpenStore, *events: Event) -> None:
    """Take events in."""
    async with open_inbox(store) as inbox:
        for accepted in [inbox.add(arrival_of(event)) for event in events]:
            assert await accepted


async def a_queue(store: OpenStore, consumer: str = "one") -> Queue:
    """Make the queue of a process that lives."""
    queue = Queue(
        store.client,
        store.another(blocking=True),
        KEYS,
        consumer=consumer,
        journal_ttl_seconds=JOURNAL_TTL_SECONDS,
        lease_seconds=10.0,
    )
    await queue.open()
    await queue.sign_of_life()
    return queue
