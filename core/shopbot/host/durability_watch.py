"""Looks at what the store promises, at the start and while the host runs."""

import asyncio
import contextlib
from collections.abc import Sequence

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shopbot.store.durability import FSYNC_WAIT_SECONDS, Durability, examine
from shopbot.store.errors import StoreError
from shopbot.store.inbox import Inbox
from shopbot.store.keys import Keys

_LOOK_AGAIN_SECONDS = 30.0
"""Settings can be changed, and another server can take over."""


class DurabilityWatch:
    """Knows one store's promises, says what they leave open, and has the inbox wait where that helps."""

    def __init__(self, client: Redis, keys: Keys, inbox: Inbox, *, strict: bool) -> None:
        """Prepare; `begin` takes the first look, and others follow until `end`.

        strict: whether a store that is known to lose acknowledged events is refused, and an answer waits for the fsync.
        """
        self._client = client
        self._keys = keys
        self._inbox = inbox
        self._strict = strict
        self._known = Durability()
        self._looking: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("shopbot.store")

    async def begin(self) -> None:
        """Take the first look, and go on looking.

        Raises:
            StoreError: the store is known to lose what it acknowledges, and `durability: strict` does not allow it.
        """
        try:
            await self.look()
        except (RedisError, OSError) as error:
            raise StoreError(f"the store could not be examined: {error}") from error
        problem = await self.problem()
        if problem is not None:
            raise StoreError(problem)
        self._looking = asyncio.create_task(self._look_again_and_again(), name="durability")

    async def end(self) -> None:
        """Look no more; may be repeated."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def problem(self) -> str | None:
        """Say why the store must not be used, as of the last look; None when it may."""
        if not self._strict or not self._known.losses:
            return None
        return f"{'; '.join(map(str, self._known.losses))}. Or accept it: `durability: relaxed`"

    def warnings(self) -> Sequence[str]:
        """Give all ways in which the store could lose data, as of the last look."""
        return self._known.texts

    async def look(self) -> None:
        """Take a look now.

        Raises:
            RedisError, OSError: the store is away; what was known before still counts.
        """
        known = await examine(self._client, self._keys)
        for text in known.texts:
            if text not in self._known.texts:
                self._log.warning("store_could_lose_data", what=text)
        self._known = known
        self._inbox.fsync_wait_seconds = FSYNC_WAIT_SECONDS if self._strict and known.reports_fsync else 0.0

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            with contextlib.suppress(RedisError, OSError):  # /readyz says that the store is away
                await self.look()
