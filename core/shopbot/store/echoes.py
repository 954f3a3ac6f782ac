"""Echoes: a platform's word that it carried a message, and the evidence that its word arrives at all."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shopbot.store.connection import script
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds, moment_of

_TELL_AGAIN_SECONDS = 0.5
"""Far below any deadline for an echo: until then other processes take its absence for evidence."""


class Echoes:
    """The echoes of one shop's messages."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._echo = script(client, "echo")
        self._missed = 0
        """How many echoes may have been turned away."""
        self._told = 0
        """Of how many of them the store knows."""
        self._untold = asyncio.Event()

    async def arrived(self, claim: str, token: str, message_id: str, now: datetime) -> bool:
        """Take in an echo; True when it settled a send in doubt.

        claim: the claim's business key, as the message's metadata carries it.
        """
        keys, missed = self._keys, self._missed
        settled = await self._echo(
            [keys.claim_of(claim), keys.held, keys.dead, keys.inbox, keys.echoes, keys.unechoed],
            [token, message_id, milliseconds(now), int(missed > self._told), keys.event("")],
        )
        self._tells(missed)
        return bool(settled == 1)

    def missed(self) -> None:
        """Note that an echo may have been turned away, and may never be repeated."""
        self._missed += 1
        self._untold.set()

    async def own_up(self, now: datetime) -> None:
        """Write down what only this process knows, before it ends and others go on: that it missed an echo."""
        if self._missed > self._told:
            await self.listening(now)

    async def keep_owning_up(self, clock: Callable[[], datetime]) -> None:
        """Do so whenever there is something, as soon as the store takes it, until cancelled: others judge by it."""
        while True:
            await self._untold.wait()
            try:
                await self.own_up(clock())
            except (RedisError, OSError):
                await asyncio.sleep(_TELL_AGAIN_SECONDS)

    async def listening(self, now: datetime) -> None:
        """Note that a process has begun to take webhooks: echoes may have been lost before this moment."""
        missed = self._missed
        moment, store = str(milliseconds(now)), await self._store_run()
        await self._client.hset(self._keys.echoes, mapping={"listening_ms": moment, "store": store})
        self._tells(missed)

    def _tells(self, missed: int) -> None:
        """Take note that the store knows of so many; there may have been another one while it was told."""
        self._told = max(self._told, missed)
        if self._told == self._missed:
            self._untold.clear()

    async def would_have_come(self, claimed_at: datetime, deadline: timedelta, now: datetime) -> bool:
        """Say whether the missing echo of a message claimed then is evidence that it was not carried.

        It is, when all of this holds:
        - echoes were never turned away since before it: whatever takes webhooks, and the store, has been there;
        - the echo of a message that was claimed after it has arrived;
        - so have the echoes of all messages known to be sent, from *deadline* before it up to that one.
        Only the host's own clock is asked: the platform's may differ.
        """
        fields = ["last_claimed_ms", "listening_ms", "store"]
        last_ms, listening_ms, store = await self._client.hmget(self._keys.echoes, fields)
        if self._missed > self._told or store != (await self._store_run()).encode():
            await self.listening(now)
            return False
        if last_ms is None or listening_ms is None:
            return False
        if not moment_of(listening_ms) < claimed_at < moment_of(last_ms) <= now:
            return False
        return not await self._client.zcount(self._keys.unechoed, milliseconds(claimed_at - deadline), int(last_ms))

    async def _store_run(self) -> str:
        """Name the store's present run; a server that was started again has another name."""
        server = await self._client.info("server")
        return str(server.get("run_id", ""))
