"""Passes through every key of a store, a bounded batch at a time: other work goes on as if nothing were."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shopbot.privacy.inventory import FoundKey, Inventory
from shopbot.privacy.progress import Progress

BATCH_KEYS = 250
"""So many keys the server looks at before it turns to others: a fraction of a millisecond."""
_LONGEST_PAUSE_SECONDS = 0.25


class Pace:
    """How long a search may go on at a stretch, and how much room it leaves to others."""

    def __init__(self, *, stretch_seconds: float | None) -> None:
        """Begin a stretch.

        stretch_seconds: None goes on to the end without a rest, where nobody else needs the process.
        """
        now = time.monotonic()
        self._until = None if stretch_seconds is None else now + stretch_seconds
        self._rested = now

    @property
    def at_a_stretch(self) -> bool:
        """Whether it goes on to the end."""
        return self._until is None

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self._until is not None and time.monotonic() >= self._until

    async def rest(self) -> None:
        """Leave as much time to others as was taken since the last rest."""
        if self._until is not None:
            taken = time.monotonic() - self._rested
            await asyncio.sleep(min(taken, _LONGEST_PAUSE_SECONDS))
            self._rested = time.monotonic()


class Sweep:
    """Looks through one shop's keys. There may be those of other shops, and of other programs, in the same store."""

    def __init__(self, client: Redis, inventory: Inventory) -> None:
        self._client = client
        self._inventory = inventory

    async def batches(self, progress: Progress, pace: Pace) -> AsyncIterator[Sequence[FoundKey]]:
        """Give the shop's keys from where a pass has got to, until it ends or the time is up.

        Every key that is there during the whole pass is given, perhaps more than once. The progress moves on when the
        next batch is asked for: then this one is dealt with. A pass that has ended has no cursor.
        """
        run = await self._run()
        if not run or progress.run != run:
            # A server that was started again shuffles its keys anew, and the cursor means nothing any more.
            progress.run, progress.cursor = run, None
        cursor = progress.cursor or 0
        while True:
            cursor, keys = await self._client.scan(cursor, count=BATCH_KEYS)
            # Of names that are no text none is shopbot's.
            names = (key.decode("utf-8", "replace") if isinstance(key, bytes) else key for key in keys)
            found = (self._inventory.find(name) for name in names)
            yield [key for key in found if key is not None]
            progress.cursor = int(cursor) or None
            if progress.cursor is None or (run and pace.is_over):
                return
            await pace.rest()

    async def _run(self) -> str:
        """Name the store's present run; empty where its user may not ask. Then a pass goes on to its end."""
        try:
            server = await self._client.info("server")
        except ResponseError:
            return ""
        return str(server.get("run_id", ""))
