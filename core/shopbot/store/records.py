"""What the store knows of an event, for people who ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from shopbot.model.event import Event, Source
from shopbot.model.outcome import JournalEntry
from shopbot.store.entry import read_event
from shopbot.store.journal import read_journal
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds, moment_of

_FIELDS = ("head", "status", "reason", "attempts", "duplicates", "order_id")
_MOST_OF_A_SHOPPER = 200
_PLACES = ("retries", "held", "parked", "dead")


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as it stands: its last result and its journal."""

    topic: str
    source: Source
    status: str
    """Empty until the first attempt has ended."""
    reason: str
    attempts: int
    duplicates: int
    """How many times the same arrival came again."""
    received_ms: int
    verified_by: str
    """As `Event.verified_by`."""
    order_id: int | None
    """The order that it is about; None for none, and until its first attempt has ended."""
    journal: Sequence[JournalEntry]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where an event waits."""

    place: str
    """`retries`, `held`, `parked` or `dead`."""
    until: datetime | None
    """When it is tried again, or its deadline is; None where no time is set."""


class Records:
    """Reads one shop's events."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def event(self, event_id: str) -> EventRecord | None:
        """Read an event; None when the store has none of that id (any more)."""
        (head, status, reason, attempts, duplicates, order_id), lines = await self._kept(event_id)
        if head is None:
            head = (await self._entry(event_id)).get(b"head")
        if head is None:
            # Between the two looks its first attempt may have ended.
            (head, status, reason, attempts, duplicates, order_id), lines = await self._kept(event_id)
        if head is None:
            return None
        event = read_event(event_id, head, b"")
        return EventRecord(
            topic=event.topic,
            source=event.source,
            status=(status or b"").decode(),
            reason=(reason or b"").decode(),
            attempts=int(attempts or 0),
            duplicates=int(duplicates or 0),
            received_ms=milliseconds(event.received_at),
            verified_by=event.verified_by,
            order_id=int(order_id) if order_id else None,
            journal=read_journal(event_id, lines),
        )

    async def body(self, event_id: str) -> tuple[str, bytes] | None:
        """Give the topic and the body of an event that is not finished; None where its body is gone."""
        # The entry first: what leaves it is in the hash by then.
        entry = await self._entry(event_id)
        head, body = entry.get(b"head"), entry.get(b"body")
        if head is None:
            kept: Any = await self._client.hmget(self._keys.event(event_id), ["head", "body"])
            head, body = kept
        if head is None or body is None:
            return None
        return read_event(event_id, head, b"").topic, body

    async def events_of_order(self, order_id: int) -> Sequence[str]:
        """List the ids of the events about an order, oldest first."""
        return await self._ids(self._keys.order_events(order_id))

    async def events_of_shopper(self, psid: str) -> Sequence[str]:
        """List the ids of the newest events about a shopper, oldest first."""
        return await self._ids(self._keys.events_of(psid), newest=_MOST_OF_A_SHOPPER)

    async def whereabouts(self, event_id: str) -> Whereabouts | None:
        """Say where an event waits; None where it does not: it has ended, or a worker has it in hand."""
        keys = self._keys
        async with self._client.pipeline(transaction=False) as pipeline:
            for name in _PLACES:
                pipeline.zscore(getattr(keys, name), event_id)
            scores = await pipeline.execute()
        for place, score in zip(_PLACES, scores, strict=True):
            if score is not None:
                timed = place in ("retries", "held")
                return Whereabouts(place, moment_of(score) if timed else None)
        return None

    async def in_the_inbox(self, count: int) -> Sequence[Event]:
        """Give the oldest *count* events whose first attempt has not ended."""
        found: Any = await self._client.xrange(self._keys.inbox, count=count)
        return [
            read_event(fields[b"id"].decode(), fields[b"head"], fields[b"body"])
            for _, fields in found
            if b"head" in fields
        ]

    async def _kept(self, event_id: str) -> tuple[Sequence[bytes | None], Sequence[bytes]]:
        """Give the fields of an event's hash, and its journal."""
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.hmget(self._keys.event(event_id), _FIELDS)
            pipeline.lrange(self._keys.journal(event_id), 0, -1)
            fields, lines = await pipeline.execute()
        return fields, lines

    async def _entry(self, event_id: str) -> Mapping[bytes, bytes]:
        """Give the fields of the entry that holds an event until its first attempt has ended; then there are none."""
        entry_id: Any = await self._client.get(self._keys.seen(event_id))
        found: Any = await self._client.xrange(self._keys.inbox, entry_id, entry_id) if entry_id else ()
        return found[0][1] if found else {}

    async def _ids(self, key: str, *, newest: int = 0) -> Sequence[str]:
        found = await self._client.zrange(key, -newest, -1)
        return [event_id.decode() for event_id in found if isinstance(event_id, bytes)]
