"""Hands events to workers and takes them back settled: the consumer side of the inbox."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shopbot.model.event import Event
from shopbot.model.outcome import JournalEntry, Status
from shopbot.model.reason import Reason
from shopbot.store.connection import script
from shopbot.store.entry import read_event
from shopbot.store.journal import read_journal
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds

GROUP = "workers"

_Entry = tuple[str, Mapping[bytes, bytes]]
"""An entry of the stream: its id, and its fields as `entry` describes them."""


class Disposition(StrEnum):
    """Where an event goes after an attempt."""

    FINISHED = "finished"
    RETRY = "retry"
    HELD = "held"
    """Waits for an echo, until its deadline."""
    PARKED = "parked"
    """Waits for a channel."""
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event in a worker's hands."""

    stream_id: str
    event: Event
    attempts: int
    """Attempts that ended before this one."""
    journal: tuple[JournalEntry, ...]
    only_rule: str = ""
    """The one rule that a replay asked for; empty for all."""
    deaths: int = 0
    """How many processes have ended while they worked on this attempt."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt at an event ended."""

    disposition: Disposition
    status: Status
    reason: Reason | None
    attempts: int
    journal: Sequence[JournalEntry]
    """The attempt's new lines."""
    order_id: int | None = None
    psid: str | None = None
    """The shopper that the event is about, where one is known and trusted: under them it is found again."""
    due_at: datetime | None = None
    """With RETRY: when to try again; with HELD: the deadline."""
    forget: bool = False
    """With FINISHED: keep nothing of it, not even that it arrived."""


class Queue:
    """The consumer group's end of one shop's inbox, for one worker process."""

    def __init__(
        self,
        client: Redis,
        blocking: Redis,
        keys: Keys,
        *,
        consumer: str,
        journal_ttl_seconds: float,
        lease_seconds: float,
    ) -> None:
        """Prepare the queue.

        blocking: a client of its own for the read that waits, without retries of its own: entries whose delivery was
            lost with the connection are found again by `unsettled`.
        consumer: unique to this process and run.
        journal_ttl_seconds: how long a finished event can be looked at.
        lease_seconds: a process that has given no sign of life for this long has lost its events to the others.
        """
        self._client = client
        self._blocking = blocking
        self._keys = keys
        self.consumer = consumer
        self.lease_seconds = lease_seconds
        self._journal_ttl_ms = int(journal_ttl_seconds * 1000)
        self._settle = script(client, "settle")
        self._promote = script(client, "promote")
        self._forget = script(client, "forget")
        self._take_over = script(client, "take_over")
        self.suspects_left = False
        """Whether the last look found events that have been taken over before."""

    async def open(self) -> None:
        """Create the group where there is none; it begins with the oldest event."""
        try:
            await self._client.xgroup_create(self._keys.inbox, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def read(self, count: int, *, wait_seconds: float) -> Sequence[Delivery]:
        """Take up to *count* new events, waiting for the first one; with 0 seconds only those that are there."""
        # To the server, a wait of 0 is one without end.
        wait_ms = int(wait_seconds * 1000) or None
        answer = await self._blocking.xreadgroup(
            GROUP, self.consumer, {self._keys.inbox: ">"}, count=count, block=wait_ms
        )
        entries = _entries(answer)
        # An entry with the whole event was never in anybody's hands: nothing more is known of it.
        known = iter(await self._load([entry for entry in entries if b"head" not in entry[1]]))
        return [_delivery(entry, {}, []) if b"head" in entry[1] else next(known) for entry in entries]

    async def unsettled(self) -> Sequence[Delivery]:
        """Give every event that this consumer was handed and has not settled."""
        answer = await self._client.xreadgroup(GROUP, self.consumer, {self._keys.inbox: "0"})
        return await self._load(_entries(answer))

    async def lost(self, in_hand: Collection[str]) -> Sequence[Delivery]:
        """Give events that this consumer was handed with an answer that never arrived.

        in_hand: the stream ids of those that it knows of.
        """
        pending = await self._client.xpending_range(
            self._keys.inbox,
            GROUP,
            min="-",
            max="+",
            count=len(in_hand) + 100,
            consumername=self.consumer,
            idle=int(self.lease_seconds * 1000),
        )
        entries: list[_Entry] = []
        for found in pending:
            stream_id = _text(cast("bytes", found["message_id"]))
            if stream_id not in in_hand:
                entries += _present(await self._client.xrange(self._keys.inbox, stream_id, stream_id))
        return await self._load(entries)

    async def sign_of_life(self) -> None:
        """Say that this process lives; others leave its events alone."""
        life, lease_ms = self._keys.consumer(self.consumer), int(self.lease_seconds * 1000)
        # A store that is full takes nothing new, but what is there may live on.
        if not await self._client.pexpire(life, lease_ms):
            await self._client.set(life, "alive", px=lease_ms)

    async def take_over(self, count: int) -> Sequence[Delivery]:
        """Take up to *count* events of processes that give no sign of life any more, and forget those processes.

        Suspects are left there, and `suspects_left` says that there are some.
        """
        taken, self.suspects_left = await self._take(count, suspects=False)
        return taken

    async def take_suspect(self) -> Delivery | None:
        """Take over one event that was in hand when two processes or more ended; None where there is none."""
        taken, self.suspects_left = await self._take(1, suspects=True)
        return taken[0] if taken else None

    async def _take(self, count: int, *, suspects: bool) -> tuple[Sequence[Delivery], bool]:
        taken: list[_Entry] = []
        left = 0
        for info in await self._client.xinfo_consumers(self._keys.inbox, GROUP):
            name = _text(info["name"])
            life = self._keys.consumer(name)
            if name == self.consumer or len(taken) >= count or await self._client.exists(life):
                continue
            if info["pending"] == 0:
                await self._forget([self._keys.inbox, life], [GROUP, name])
                continue
            suspects_left, *entries = await self._take_over(
                [self._keys.inbox, life],
                [GROUP, name, self.consumer, count - len(taken), self._keys.event(""), int(suspects)],
            )
            left += suspects_left
            taken += [(_text(stream_id), dict(zip(flat[::2], flat[1::2], strict=True))) for stream_id, flat in entries]
        return await self._load(taken), left > 0

    async def bury(self, gone: Callable[[str], bool]) -> None:
        """Take the sign of life from processes that are known to have ended, so that nobody waits for its lease to end.

        gone: says of a process's name whether it has ended.
        """
        for info in await self._client.xinfo_consumers(self._keys.inbox, GROUP):
            name = _text(info["name"])
            if name != self.consumer and gone(name):
                await self._client.delete(self._keys.consumer(name))

    async def promote(self, now: datetime, limit: int = 200) -> int:
        """Put up to *limit* events whose next attempt or deadline is due back into the inbox; gives how many."""
        due, waited = milliseconds(now), 0
        for waiting in (self._keys.retries, self._keys.held):
            waited += await self._promote([waiting, self._keys.inbox], [due, limit])
        return waited

    async def unpark(self, limit: int = 200) -> int:
        """Put up to *limit* events that wait for a channel back into the inbox, first come first; gives how many."""
        moved: int = await self._promote([self._keys.parked, self._keys.inbox], ["+inf", limit])
        return moved

    async def settle(self, delivery: Delivery, settlement: Settlement, now: datetime) -> bool:
        """End an attempt; False when it was not the event's end after all.

        Another worker has settled the event meanwhile, and nothing was changed; or the echo of its message, or a word
        of its shopper, came just when it was to become a dead letter, and it is tried again.
        """
        keys, event_id = self._keys, delivery.event.id
        event_key = keys.event(event_id)
        order_id, psid = settlement.order_id, settlement.psid
        settled = await self._settle(
            [
                *(keys.inbox, event_key, keys.journal(event_id)),
                *(keys.retries, keys.dead, keys.held, keys.parked),
                event_key if order_id is None else keys.order_events(order_id),
                event_key if psid is None else keys.events_of(psid),
                keys.seen(event_id),
            ],
            [
                GROUP,
                delivery.stream_id,
                event_id,
                settlement.disposition,
                milliseconds(now),
                milliseconds(settlement.due_at or now),
                0 if settlement.forget else self._journal_ttl_ms,
                settlement.attempts,
                settlement.status,
                settlement.reason or "",
                "" if order_id is None else str(order_id),
                *[entry.model_dump_json(exclude_defaults=True) for entry in settlement.journal],
            ],
        )
        return bool(settled == 1)

    async def _load(self, entries: Iterable[_Entry]) -> Sequence[Delivery]:
        """Bring entries together with what is known of their events from earlier attempts."""
        wanted = list(entries)
        if not wanted:
            return []
        async with self._client.pipeline(transaction=False) as pipeline:
            for _, fields in wanted:
                event_id = _text(fields[b"id"])
                pipeline.hgetall(self._keys.event(event_id))
                pipeline.lrange(self._keys.journal(event_id), 0, -1)
            answers = await pipeline.execute()
        return [_delivery(entry, answers[2 * i], answers[2 * i + 1]) for i, entry in enumerate(wanted)]


def _delivery(entry: _Entry, kept: Mapping[bytes, bytes], journal: Sequence[bytes]) -> Delivery:
    """Make a delivery of an entry and of what its event's hash keeps."""
    stream_id, fields = entry
    event_id = _text(fields[b"id"])
    whole = fields if b"head" in fields else kept
    return Delivery(
        stream_id=stream_id,
        event=read_event(event_id, whole.get(b"head", b""), whole.get(b"body", b"")),
        attempts=int(kept.get(b"attempts", b"0")),
        journal=read_journal(event_id, journal),
        only_rule=kept.get(b"only_rule", b"").decode(),
        deaths=int(kept.get(b"deaths", b"0")),
    )


def _entries(answer: Any) -> list[_Entry]:  # noqa: ANN401 - redis-py does not type stream answers
    """Read XREADGROUP's answer, a list under RESP2 and a mapping under RESP3."""
    if not answer:
        return []
    if isinstance(answer, dict):
        return [entry for batches in answer.values() for batch in batches for entry in _present(batch)]
    return [entry for _, batch in answer for entry in _present(batch)]


def _present(batch: Any) -> list[_Entry]:  # noqa: ANN401 - likewise
    # An entry that was deleted while pending comes back without fields: there is nothing to do for it.
    return [(_text(stream_id), fields) for stream_id, fields in batch if fields]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
