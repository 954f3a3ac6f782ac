"""Looks at what the store promises, at the start and while the host runs."""

import asyncio
from collections.abc import Sequence

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shopbot.store.durability import FSYNC_WAIT_SECONDS, Durability, examine
from shopbot.store.errors import StoreError
from shopbot.store.inbox import Inbox
from shopbot.store.keys import Keys

_LOOK_AGAIN_SECONDS = 60.0
"""Settings can be changed, and another server can take over."""
_LOOK_SECONDS = 2 * FSYNC_WAIT_SECONDS


class DurabilityWatch:
    """Knows one store's promises, says what they leave open, and has the inbox wait where that helps."""

    def __init__(self, client: Redis, keys: Keys, inbox: Inbox, *, strict: bool) -> None:
        """Prepare; `begin` takes the first look.

        strict: whether a store that is known to lose acknowledged events is refused, and an answer waits for the fsync.
        """
        self._client = client
        self._keys = keys
        self._inbox = inbox
        self._strict = strict
        self._known = Durability()
        self._looked = float("-inf")
        self._log = structlog.get_logger("shopbot.store")

    async def begin(self) -> None:
        """Take the first look.

        Raises:
            StoreError: the store is known to lose what it acknowledges, and `durability: strict` does not allow it.
        """
        try:
            await self._look()
        except (RedisError, OSError) as error:
            raise StoreError(f"the store could not be examined: {error}") from error
        if self._strict and self._known.losses:
            raise StoreError(self._refusal())

    async def problem(self) -> str | None:
        """Say why the store must not be used; None when it may."""
        if asyncio.get_running_loop().time() - self._looked > _LOOK_AGAIN_SECONDS:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._look()
            except (RedisError, OSError) as error:  # TimeoutError is an OSError
                return f"the store could not be examined: {error}"
        return self._refusal() if self._strict and self._known.losses else None

    def warnings(self) -> Sequence[str]:
        """Give all ways in which the store could lose data, as of the last look."""
        return self._known.texts

    async def _look(self) -> None:
        known = await examine(self._client, self._keys)
        self._looked = asyncio.get_running_loop().time()
        for text in known.texts:
            if text not in self._known.texts:
                self._log.warning("store_could_lose_data", what=text)
        self._known = known
        self._inbox.fsync_wait_seconds = FSYNC_WAIT_SECONDS if self._strict and known.reports_fsync else 0.0

    def _refusal(self) -> str:
        return f"{'; '.join(self._known.losses)}. Or accept it: `durability: relaxed`"
