"""What the store knows of an event, for people who ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from shopbot.model.outcome import JournalEntry
from shopbot.store.entry import read_event
from shopbot.store.journal import read_journal
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as it stands: its last result and its journal."""

    topic: str
    status: str
    """Empty until the first attempt has ended."""
    reason: str
    attempts: int
    duplicates: int
    """How many times the same arrival came again."""
    received_ms: int
    verified_by: str
    """As `Event.verified_by`."""
    journal: Sequence[JournalEntry]


class Records:
    """Reads one shop's events."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def event(self, event_id: str) -> EventRecord | None:
        """Read an event; None when the store has none of that id (any more)."""
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.hmget(self._keys.event(event_id), ["head", "status", "reason", "attempts", "duplicates"])
            pipeline.lrange(self._keys.journal(event_id), 0, -1)
            pipeline.get(self._keys.seen(event_id))
            (head, status, reason, attempts, duplicates), lines, entry_id = await pipeline.execute()
        if head is None and entry_id is not None:
            # Its first attempt has not ended.
            found: Any = await self._client.xrange(self._keys.inbox, entry_id, entry_id)
            head = found[0][1].get(b"head") if found else None
        if head is None:
            return None
        event = read_event(event_id, head, b"")
        return EventRecord(
            topic=event.topic,
            status=(status or b"").decode(),
            reason=(reason or b"").decode(),
            attempts=int(attempts or 0),
            duplicates=int(duplicates or 0),
            received_ms=milliseconds(event.received_at),
            verified_by=event.verified_by,
            journal=read_journal(event_id, lines),
        )

    async def events_of_order(self, order_id: int) -> Sequence[str]:
        """List the ids of the events about an order, oldest first."""
        found = await self._client.zrange(self._keys.order_events(order_id), 0, -1)
        return [event_id.decode() for event_id in found if isinstance(event_id, bytes)]
