"""Keeps what has no time to live in the store within the limits of `ttl:`, and takes what was erased off the disk."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from redis.exceptions import RedisError

from shopbot.privacy.files import ExportFiles
from shopbot.store.dead_letters import DeadLetters
from shopbot.store.log_rewrite import LogRewrite

_EVERY_SECONDS = 60.0


class Retention:
    """Looks now and then for what is too old. May run in several processes at once."""

    def __init__(
        self,
        files: ExportFiles,
        letters: DeadLetters,
        *,
        dead_letter: timedelta | None,
        log_rewrite: LogRewrite | None,
        clock: Callable[[], datetime],
    ) -> None:
        """Prepare; `run` does the work.

        dead_letter: how long dead letters are kept; None keeps them for ever.
        log_rewrite: None where the store is not the host's own.
        """
        self._files = files
        self._letters = letters
        self._dead_letter = dead_letter
        self._log_rewrite = log_rewrite
        self._clock = clock
        self._stopping = asyncio.Event()
        self._log = structlog.get_logger("shopbot.privacy")

    def stop(self) -> None:
        """Let `run` return."""
        self._stopping.set()

    async def run(self) -> None:
        """Look again and again, until `stop` is called."""
        while not self._stopping.is_set():
            try:
                await self.enforce()
            except (RedisError, OSError) as error:
                self._log.warning("retention_not_enforced", error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), timeout=_EVERY_SECONDS)

    async def enforce(self) -> None:
        """Delete what is too old now.

        Raises:
            RedisError, OSError: the store is away, or a file cannot be deleted.
        """
        now = self._clock()
        for path in await asyncio.to_thread(self._files.delete_old, now):
            self._log.info("export_deleted", file=str(path))
        if self._log_rewrite is not None and not await self._log_rewrite.go_on():
            await self._log_rewrite.when_quiet()
        if self._dead_letter is not None:
            await self._purge(now - self._dead_letter)

    async def _purge(self, died_before: datetime) -> None:
        purged = 0
        while event_ids := await self._letters.died_before(died_before):
            purged += sum([await self._letters.purge(event_id) for event_id in event_ids])
        if purged:
            self._log.warning("dead_letters_purged", count=purged, older_than=died_before.isoformat())
