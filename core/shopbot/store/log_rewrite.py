"""Has the embedded store write its log on disk anew: what was erased stays there until it does, and it only grows.

A server with an append-only file keeps every command in it, long after the value is deleted. Left alone it rewrites the
file when that has become large, which is in the middle of a flood: on two cores half as many webhooks are taken in
meanwhile. So the embedded one does it by itself only from a size on that cannot wait (`store/server_process.py`).
"""

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shopbot.store.connection import script
from shopbot.store.keys import Keys

_DUE = b"due"
_UNDER_WAY = "already in progress"
"""What the server answers where another process was faster; whoever asked meanwhile has it done afterwards."""
_LARGE_BYTES = 512 * 1024 * 1024
_QUIET_KILOBYTES_PER_SECOND = 1000.0
"""More than a hundred orders a second, at three webhooks each, come with less: nothing but a flood is none."""
_GROWTH = 2
"""A log of so many times what was in it when it was last written is worth writing anew."""


class LogRewrite:
    """The rewriting of one store's log: asked for by whoever erases, or worth it; done by whoever looks next."""

    def __init__(
        self,
        client: Redis,
        keys: Keys,
        *,
        large_bytes: int = _LARGE_BYTES,
        quiet_kilobytes_per_second: float = _QUIET_KILOBYTES_PER_SECOND,
    ) -> None:
        """Prepare; nothing is asked of the store yet.

        large_bytes: a smaller log stays as it is unless somebody asks.
        quiet_kilobytes_per_second: while the store is sent more, it has other things to do.
        """
        self._client = client
        self._keys = keys
        self._large_bytes = large_bytes
        self._quiet_kilobytes_per_second = quiet_kilobytes_per_second
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
        if await self._begin():
            await self._replace([key], [state, started, 0])
        return True

    async def when_quiet(self) -> None:
        """Begin it where nobody has asked, but the log has become large for what is in it, and little is going on."""
        server = {**await self._client.info("persistence"), **await self._client.info("stats")}
        large = max(self._large_bytes, _GROWTH * server.get("aof_base_size", 0))
        if (
            server.get("aof_current_size", 0) >= large
            and server["instantaneous_input_kbps"] < self._quiet_kilobytes_per_second
            and not server["aof_rewrite_in_progress"]
        ):
            await self._begin()

    async def _begin(self) -> bool:
        try:
            await self._client.bgrewriteaof()
        except ResponseError as error:
            if _UNDER_WAY not in str(error):  # such as a server that keeps no log
                self._log.warning("log_not_rewritten", error=str(error))
            return False
        return True
