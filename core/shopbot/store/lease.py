"""A lease: one process at a time does a piece of work, and another takes over when it dies."""

import asyncio
import secrets

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shopbot.store.connection import script


class LeaseLostError(Exception):
    """Another process has the lease now; what was done under it must end."""


class Lease:
    """One holder's side of a lease in the store."""

    def __init__(self, client: Redis, key: str, *, seconds: float) -> None:
        """Prepare; `take` asks for it.

        seconds: how long it lasts without being renewed; so long the work rests when its holder dies.
        """
        self._key = key
        self.seconds = seconds
        self._script = script(client, "lease")
        self.token = secrets.token_hex(8)
        """Tells this holder from all others; writes under the lease are checked against it."""

    async def take(self) -> bool:
        """Take the lease, or renew it; False when another has it."""
        return bool(await self._script([self._key], [self.token, int(self.seconds * 1000)]))

    async def keep(self) -> None:
        """Renew the lease again and again; returns when it is lost, or may be, because the store is away."""
        clock = asyncio.get_running_loop().time
        certain_until = clock() + self.seconds
        while True:
            await asyncio.sleep(self.seconds / 3)
            asked = clock()
            try:
                if not await self.take():
                    return
                certain_until = asked + self.seconds
            except (RedisError, OSError) as error:
                structlog.get_logger("shopbot.store").warning("lease_not_renewed", key=self._key, error=str(error))
                if clock() >= certain_until:
                    return

    async def give_back(self) -> None:
        """Let the next one have it at once; does nothing where it is lost already."""
        await self._script([self._key], [self.token, 0])
