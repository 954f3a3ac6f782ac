"""Has a store write its log on disk anew: what was erased stays there until it does.

A server with an append-only file keeps every command in it, long after the value is deleted. The embedded one would
rewrite it by itself only when it has become large.
"""

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shopbot.store.connection import script
from shopbot.store.keys import Keys

_DUE = b"due"


class LogRewrite:
    """The rewriting of one store's log, asked for by whoever erases, done by whoever looks next."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._replace = script(client, "replace")
        self._remove = script(client, "remove")
        self._log = structlog.get_logger("shopbot.store")

    async def ask(self) -> None:
        """Ask for it: one that is under way began too early."""
        await self._client.set(self._keys.log_rewrite, _DUE)

    async def go_on(self) -> bool:
        """Begin it where it is due, and see whether it has ended; False when there is no more to do."""
        key = self._keys.log_rewrite
        state = await self._client.get(key)
        if state is None:
            return False
        server = {**await self._client.info("server"), **await self._client.info("persistence")}
        if server.get("aof_rewrite_in_progress") or server.get("aof_rewrite_scheduled"):
            return True
        # One that the server's death has cut off is begun anew by its next run.
        started = f"started in {server.get('run_id')}".encode()
        if state == started and server.get("aof_last_bgrewrite_status") == "ok":
            # Unless somebody has asked for another meanwhile.
            return not await self._remove([key], [started])
        if state == started:
            self._log.error("log_not_rewritten", what_to_do="see valkey.log in the data directory: is the disk full?")
        try:
            await self._client.bgrewriteaof()
        except ResponseError as error:  # another process was faster, or the server keeps no such log
            self._log.warning("log_not_rewritten", error=str(error))
            return True
        await self._replace([key], [state, started, 0])
        return True
