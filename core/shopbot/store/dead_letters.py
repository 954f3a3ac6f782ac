"""Dead letters: events that were given up, kept until a person replays or purges them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from shopbot.model.outcome import Status
from shopbot.store.connection import script
from shopbot.store.entry import read_event
from shopbot.store.journal import read_journal
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds, moment_of

_PAGE = 200
_MOST_CODES = 1000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event that was given up."""

    event_id: str
    topic: str
    code: str
    """The reason code."""
    rule: str
    """The rule that failed; empty where the event could not be read at all."""
    step: str
    detail: str
    attempts: int
    dead_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters are meant; everything that is given must hold."""

    event_ids: frozenset[str] | None = None
    code: str | None = None
    rule: str | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None

    def holds(self, letter: DeadLetter, now: datetime) -> bool:
        """Say whether a dead letter is meant."""
        age = now - letter.dead_at
        return (
            (self.event_ids is None or letter.event_id in self.event_ids)
            and (self.code is None or letter.code == self.code)
            and (self.rule is None or letter.rule == self.rule)
            and (self.older_than is None or age > self.older_than)
            and (self.newer_than is None or age < self.newer_than)
        )


@dataclass(frozen=True, slots=True)
class DeadTally:
    """How many dead letters there are."""

    count: int
    oldest: datetime | None
    """When the oldest was given up; None where there is none."""
    codes: Mapping[str, int]
    """The reason codes of the newest thousand, the most frequent first."""


class DeadLetters:
    """The dead letters of one shop."""

    def __init__(self, client: Redis, keys: Keys, *, journal_ttl_seconds: float) -> None:
        """Work on the store.

        journal_ttl_seconds: how long a purged letter's journal can still be looked at.
        """
        self._client = client
        self._keys = keys
        self._journal_ttl_ms = int(journal_ttl_seconds * 1000)
        self._replay = script(client, "replay")
        self._purge = script(client, "purge")

    async def select(self, selection: Selection, now: datetime) -> Sequence[DeadLetter]:
        """List the dead letters that are meant, oldest first."""
        found: list[DeadLetter] = []
        start = 0
        while True:
            page: Any = await self._client.zrange(self._keys.dead, start, start + _PAGE - 1, withscores=True)
            if not page:
                return found
            start += _PAGE
            entries = [(_text(event_id), float(score)) for event_id, score in page]
            found += [letter for letter in await self._read(entries) if selection.holds(letter, now)]

    async def tally(self) -> DeadTally:
        """Count them, without reading their bodies."""
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zcard(self._keys.dead)
            pipeline.zrange(self._keys.dead, 0, 0, withscores=True)
            pipeline.zrange(self._keys.dead, -_MOST_CODES, -1)
            count, oldest, newest = await pipeline.execute()
        async with self._client.pipeline(transaction=False) as pipeline:
            for event_id in newest:
                pipeline.hget(self._keys.event(_text(event_id)), "reason")
            codes = Counter(_text(code or b"") for code in await pipeline.execute())
        return DeadTally(
            count=count,
            oldest=moment_of(oldest[0][1]) if oldest else None,
            codes=dict(codes.most_common()),
        )

    async def died_before(self, moment: datetime) -> Sequence[str]:
        """Give the ids of some dead letters that were given up before a moment; none when there are no more."""
        found: Any = await self._client.zrangebyscore(
            self._keys.dead, "-inf", f"({milliseconds(moment)}", start=0, num=_PAGE
        )
        return [_text(event_id) for event_id in found]

    async def replay(self, event_id: str, *, only_rule: str = "") -> bool:
        """Take a dead letter back into the inbox; False when it is none any more.

        Its claims stay: what was sent is not sent again.
        """
        done = await self._replay(
            [self._keys.dead, self._keys.event(event_id), self._keys.inbox], [event_id, only_rule]
        )
        return bool(done == 1)

    async def purge(self, event_id: str) -> bool:
        """Give a dead letter up for good; False when it is none any more."""
        done = await self._purge(
            [self._keys.dead, self._keys.event(event_id), self._keys.journal(event_id)],
            [event_id, self._journal_ttl_ms],
        )
        return bool(done == 1)

    async def _read(self, entries: Sequence[tuple[str, float]]) -> Sequence[DeadLetter]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for event_id, _ in entries:
                pipeline.hmget(self._keys.event(event_id), ["head", "reason", "attempts", "body"])
                pipeline.lrange(self._keys.journal(event_id), 0, -1)
            answers = await pipeline.execute()
        return [
            _letter(event_id, score, answers[2 * i], answers[2 * i + 1]) for i, (event_id, score) in enumerate(entries)
        ]


def _letter(event_id: str, score: float, fields: Sequence[bytes | None], lines: Sequence[bytes]) -> DeadLetter:
    head, code, attempts, body = fields
    journal = read_journal(event_id, lines)
    # The line that says why: the last step that failed, or was still to be done when the attempts were used up.
    cause = next(
        (entry for entry in reversed(journal) if entry.status in (Status.FAILED, Status.DEFERRED) and entry.step),
        next((entry for entry in reversed(journal) if entry.status is Status.FAILED), None),
    )
    return DeadLetter(
        event_id=event_id,
        topic=read_event(event_id, head or b"", b"").topic,
        code=_text(code or b""),
        rule=cause.rule if cause else "",
        step=cause.step if cause else "",
        detail=cause.detail if cause else "",
        attempts=int(attempts or 0),
        dead_at=moment_of(score),
        body=body or b"",
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
