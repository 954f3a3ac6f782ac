"""What the store keeps of a poller: where its next window begins, how it fares, and what it has found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from redis.asyncio import Redis

from shopbot.model.polled import PolledOrder
from shopbot.store.connection import script
from shopbot.store.erased import Erased
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds, moment_of

_LONGEST_REASON = 500


class Novelty(Enum):
    """What the store knows of a polled order before it is taken in."""

    SEEN = auto()
    """This very state was taken in before."""
    ERASED = auto()
    """The order was erased: nothing of it is to be kept again."""
    NEW_STATE = auto()
    """The order is known, from a webhook or an earlier poll; this state of it is not."""
    NEW_ORDER = auto()
    """Nothing about the order has been worked on yet."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many orders: of one poll, of a part of it, or of all polls."""

    orders: int = 0
    """The poller gave."""
    new: int = 0
    """Were taken in, because the host did not know this state of them."""
    first_seen: int = 0
    """Of the new ones: no event of theirs had been worked on. Their webhooks are late, lost, or still in the inbox."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.orders + other.orders, self.new + other.new, self.first_seen + other.first_seen)


@dataclass(frozen=True, slots=True)
class PollerRecord:
    """A poller as it stands."""

    window_from: datetime | None
    """Everything that was changed earlier has been taken in; None before the first poll."""
    last_success: datetime | None
    """When the last complete poll ended."""
    polls: int
    """Complete ones."""
    total: Tally
    """Since the store was new. A command that the client had to repeat may have counted twice."""
    last_error: str
    """Why the last poll failed; empty when it did not."""


class PollerState:
    """One poller's record in one shop's store."""

    def __init__(self, client: Redis, keys: Keys, name: str) -> None:
        """Work on the store.

        name: unique among the shop's pollers, and the same after each restart.
        """
        self.name = name
        self._client = client
        self._keys = keys
        self._erased = Erased(client, keys)
        self._progress = script(client, "poll_progress")

    async def read(self) -> PollerRecord:
        """Read the record; a poller that never ran has an empty one."""
        found = await self._client.hgetall(self._keys.poller(self.name))
        fields = {_text(name): _text(value) for name, value in found.items()}
        return PollerRecord(
            window_from=_moment(fields.get("window_from_ms")),
            last_success=_moment(fields.get("last_success_ms")),
            polls=int(fields.get("polls", 0)),
            total=Tally(*(int(fields.get(name, 0)) for name in ("orders", "new", "first_seen"))),
            last_error=fields.get("last_error", ""),
        )

    async def novelty(self, orders: Sequence[PolledOrder]) -> Sequence[Novelty]:
        """Look up, in two round trips, what is known of each order.

        What happens between this look and the taking in is not seen: a webhook of that moment leaves its order counted
        as one that the poll saw first.
        """
        erased = await self._erased.orders([order.order_id for order in orders])
        async with self._client.pipeline(transaction=False) as pipeline:
            for order in orders:
                pipeline.exists(self._keys.seen(order.event_id))
                pipeline.exists(self._keys.order_events(order.order_id))
            answers = await pipeline.execute()
        known = zip(erased, answers[::2], answers[1::2], strict=True)
        return [_novelty(erased=gone, seen=bool(seen), order_known=bool(events)) for gone, seen, events in known]

    async def progress(
        self, token: str | None, tally: Tally, *, window_from: datetime | None = None, completed: datetime | None = None
    ) -> bool:
        """Count what was taken in and move the window; False when the lease is another's, and the window is as it was.

        token: the holder's of the poller's lease; None only counts.
        window_from: where the next poll may begin; None leaves it.
        completed: the time, when this ends a poll; None while it goes on.
        """
        done = await self._progress(
            [self._keys.poller(self.name), self._keys.poller_lease(self.name)],
            [token or "", tally.orders, tally.new, tally.first_seen, _ms(window_from), _ms(completed)],
        )
        return bool(done == 1)

    async def failed(self, reason: str, now: datetime) -> None:
        """Note why a poll failed, until one succeeds."""
        key, text = self._keys.poller(self.name), reason[:_LONGEST_REASON].encode("utf-8", "replace")
        await self._client.hset(key, mapping={"last_error": text, "last_error_ms": _ms(now)})


def _novelty(*, erased: bool, seen: bool, order_known: bool) -> Novelty:
    if erased:
        return Novelty.ERASED
    if seen:
        return Novelty.SEEN
    return Novelty.NEW_STATE if order_known else Novelty.NEW_ORDER


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _ms(moment: datetime | None) -> str:
    return str(milliseconds(moment)) if moment else ""


def _moment(text: str | None) -> datetime | None:
    return moment_of(text) if text else None
