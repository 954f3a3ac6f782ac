"""What the store knows of an event, for people who ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from shopbot.model.outcome import JournalEntry
from shopbot.store.journal import read_journal
from shopbot.store.keys import Keys


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
    journal: Sequence[JournalEntry]


class Records:
    """Reads one shop's events."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def event(self, event_id: str) -> EventRecord | None:
        """Read an event; None when the store has none of that id (any more)."""
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.hmget(
                self._keys.event(event_id),
                ["topic", "status", "reason", "attempts", "duplicates", "received_ms"],
            )
            pipeline.lrange(self._keys.journal(event_id), 0, -1)
            fields, lines = await pipeline.execute()
        topic, status, reason, attempts, duplicates, received_ms = fields
        if topic is None:
            return None
        return EventRecord(
            topic=topic.decode(),
            status=(status or b"").decode(),
            reason=(reason or b"").decode(),
            attempts=int(attempts or 0),
            duplicates=int(duplicates or 0),
            received_ms=int(received_ms or 0),
            journal=read_journal(event_id, lines),
        )

    async def body(self, event_id: str) -> tuple[str, bytes] | None:
        """Give the topic and the body of an event that is not finished; None where its body is gone."""
        found: Any = await self._client.hmget(self._keys.event(event_id), ["topic", "body"])
        topic, body = found
        return None if topic is None or body is None else (topic.decode(), body)

    async def events_of_order(self, order_id: int) -> Sequence[str]:
        """List the ids of the events about an order, oldest first."""
        found = await self._client.zrange(self._keys.order_events(order_id), 0, -1)
        return [event_id.decode() for event_id in found if isinstance(event_id, bytes)]
