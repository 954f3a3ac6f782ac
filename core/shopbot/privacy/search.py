"""What exports and erasures have in common: passes through the store until one learns nothing new.

One search runs at a time in a shop's store.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shopbot.privacy.finder import Finder
from shopbot.privacy.inventory import FoundKey
from shopbot.privacy.person import Person
from shopbot.privacy.progress import Progress, ProgressRecords
from shopbot.privacy.sweep import Pace, Sweep
from shopbot.store.erased import Erased
from shopbot.store.in_hand import InHand
from shopbot.store.keys import Keys
from shopbot.store.lease import Lease, LeaseLostError

_LEASE_SECONDS = 30.0
SAVE_EVERY_BATCHES = 16
_MOST_PASSES = 10
"""Somebody who keeps writing meanwhile leaves new records behind each pass, which are their own doing."""

Act = Callable[[Sequence[FoundKey]], Awaitable[int]]
"""Does something with keys; gives how many it has changed."""


class Unfinished(Enum):
    """Why a search goes on later."""

    IN_HAND = auto()
    """Attempts that began before it are still under way."""
    ANOTHER_RUNS = auto()
    """Another search has the store."""
    TIME_IS_UP = auto()


@dataclass(frozen=True, slots=True)
class SearchParts:
    """What searches work with."""

    client: Redis
    keys: Keys
    erased: Erased
    in_hand: InHand
    finder: Finder
    sweep: Sweep
    records: ProgressRecords
    clock: Callable[[], datetime]


@dataclass(slots=True)
class PersonSearch:
    """Goes through the store until a pass learns nothing new of a person, and changes nothing."""

    parts: SearchParts
    task_id: str
    """The same for each call."""
    person: Person
    progress: Progress
    act: Act
    """Gets the keys that are theirs."""
    learned: Callable[[], Awaitable[None]] | None = None
    """Called when more is known of them, before anything is done about it."""

    async def run(self, pace: Pace) -> Unfinished | None:
        """Search; gives why it goes on later, None at its end."""
        progress, clean = self.progress, False
        try:
            async with turn(self.parts) as own:
                while not clean and progress.passes < _MOST_PASSES:
                    # Each time: the pass before may have found orders, and they have events.
                    await self.parts.finder.gather(self.person)
                    if self.learned is not None:
                        await self.learned()
                    if progress.waits_for is not None and await self.parts.in_hand.any_until(progress.waits_for):
                        return Unfinished.IN_HAND
                    await self._pass(pace, own)
                    if progress.cursor is not None:
                        return Unfinished.TIME_IS_UP
                    clean, progress.changed, progress.passes = not progress.changed, False, progress.passes + 1
                    await self._save()
        except LeaseLostError:
            return Unfinished.ANOTHER_RUNS
        return None

    async def _pass(self, pace: Pace, own: "Turn") -> None:
        progress, batches = self.progress, 0
        if progress.cursor is None:
            progress.keys = []
        async for batch in self.parts.sweep.batches(progress, pace):
            progress.changed = await self._deal_with(batch) or progress.changed
            batches += 1
            if batches % SAVE_EVERY_BATCHES == 0:
                await own.keep()
                await self._save()
        await self._save()

    async def _deal_with(self, batch: Sequence[FoundKey]) -> bool:
        """Find and act; True when anything was learned or changed."""
        traces = self.person.traces
        known = traces.count
        theirs = await self.parts.finder.sift(self.person, batch)
        if learned := traces.count > known:
            # Kept before anything is done about it: it leads to the rest even after a crash.
            self.progress.changed, self.progress.traces = True, traces
            await self._save()
            if self.learned is not None:
                await self.learned()
        return await self.act(theirs) > 0 or learned

    async def _save(self) -> None:
        await self.parts.records.save(self.task_id, self.progress)


@contextlib.asynccontextmanager
async def turn(parts: SearchParts) -> AsyncIterator["Turn"]:
    """Have the store's searches wait until the block ends.

    Raises:
        LeaseLostError: another search is running.
    """
    lease = Lease(parts.client, parts.keys.privacy_lease, seconds=_LEASE_SECONDS)
    own = Turn(lease)
    await own.keep()
    try:
        yield own
    finally:
        with contextlib.suppress(RedisError, OSError):  # then it runs out by itself
            await lease.give_back()


class Turn:
    """The right to go through the store."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    async def keep(self) -> None:
        """Go on having it.

        Raises:
            LeaseLostError: another search has it.
        """
        if not await self._lease.take():
            raise LeaseLostError
