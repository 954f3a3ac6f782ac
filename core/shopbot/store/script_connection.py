"""A connection that runs one script, call after call, at the least cost: what every webhook waits for."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import NoScriptError, ResponseError

from shopbot.store.connection import retries, script_source


class ScriptConnection:
    """One connection of a client's pool, kept for one script.

    Two calls are on their way at most, the second one sent before the first one's answer has come: so the server has
    work while the answer is dealt with. They run in the order in which they were made; more calls wait their turn.
    redis-py's client takes 0.1 to 0.2 ms of processor time for a call, this a third of that, which at thousands of
    webhooks a second decides how many a core can take. A call whose answer was lost is made again, as the client does.
    """

    def __init__(self, client: Redis, name: str) -> None:
        """Prepare; the first call connects.

        name: of the script, `lua/NAME.lua`; it may be repeated.
        """
        self._connection: AbstractConnection = client.connection_pool.make_connection()  # type: ignore[no-untyped-call] # redis-py's
        # Retries here are for the whole call: connecting must not have its own inside them.
        self._connection.retry = Retry(NoBackoff(), retries=0)
        source = script_source(name)
        self._load = ("SCRIPT", "LOAD", source)
        self._sha = client.register_script(source).sha
        self._retry = retries()
        self._usable = False
        """Whether the connection is open, and no answer on it was lost."""
        self._sending = asyncio.Lock()
        self._reading = asyncio.Lock()

    async def call(self, keys: list[str], args: list[str | bytes | int]) -> Any:  # noqa: ANN401 - Lua's answer
        """Run the script.

        Raises:
            RedisError, OSError: it did not run, or its answer was lost again and again.
        """
        (answer,) = await self._retry.call_with_retry(lambda: self._once(keys, args), self._lost)
        return answer

    async def call_and_wait(self, keys: list[str], args: list[str | bytes | int], wait_ms: int) -> tuple[Any, int]:
        """Run the script, and wait so long for the server to have synced what it wrote; gives whether it did (1), too.

        WAITAOF waits for the writes of its own connection alone. https://valkey.io/commands/waitaof/

        Raises:
            RedisError, OSError: as `call`.
        """
        wait = ("WAITAOF", 1, 0, wait_ms)
        answer, (synced, _) = await self._retry.call_with_retry(lambda: self._once(keys, args, wait), self._lost)
        return answer, synced

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.disconnect()

    async def _once(self, keys: list[str], args: list[str | bytes | int], *more: tuple[str | int, ...]) -> list[Any]:
        call = ("EVALSHA", self._sha, len(keys), *keys, *args)
        try:
            return await self._exchange(call, *more)
        except NoScriptError:
            await self._exchange(self._load)
            return await self._exchange(call, *more)

    async def _exchange(self, *commands: tuple[str | bytes | int, ...]) -> list[Any]:
        """Send commands together and read their answers, all of them even where one is an error."""
        try:
            async with self._sending:
                ahead = await self._send(commands)
                # Before others may send, or connect anew: answers come in the order of the calls.
                await self._reading.acquire()
            try:
                if not self._usable:
                    raise StoreConnectionError("the connection was lost with the call before")
                answers = [await self._read() for _ in range(ahead + len(commands))]
            finally:
                self._reading.release()
        except BaseException:
            # What is still on its way must not be taken for the answer to the next call. Who sends next connects anew:
            # at this moment another call may be sending.
            self._usable = False
            raise
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers[ahead:]

    async def _send(self, commands: Sequence[tuple[str | bytes | int, ...]]) -> int:
        """Send commands together, after as many of our own as are returned."""
        connection, ahead = self._connection, 0
        if not self._usable:
            await connection.disconnect(nowait=True)
            await connection.connect()  # type: ignore[no-untyped-call] # likewise
            self._usable = True
            # A server that was started anew does not know the script.
            commands, ahead = (self._load, *commands), 1
        packed = [part for command in commands for part in connection.pack_command(*command)]
        await connection.send_packed_command(packed, check_health=False)
        return ahead

    async def _read(self) -> Any:  # noqa: ANN401 - any answer of the server
        try:
            return await self._connection.read_response(disconnect_on_error=False)
        except ResponseError as error:
            return error

    async def _lost(self, _error: Exception) -> None:
        """Do nothing: the exchange has said that its connection is of no use any more."""
