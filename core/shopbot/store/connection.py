"""Opens the store and holds its scripts."""

from collections.abc import Awaitable, Callable, Iterable
from importlib import resources
from typing import Any

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import NoScriptError
from redis.exceptions import TimeoutError as StoreTimeoutError

from shopbot.store.shared_connection import ANSWER_TIME_LIMIT_SECONDS
from shopbot.store.turn_client import TurnClient, retries

CONNECT_TIME_LIMIT_SECONDS = 5.0


class Script:
    """A Lua script on the server, called with its keys and arguments."""

    def __init__(self, client: Redis, source: str) -> None:
        """Prepare the script; nothing is sent yet."""
        self._source = source
        self._execute: Callable[..., Awaitable[Any]] = client.execute_command
        self._registered = client.register_script(source)
        self._digest = self._registered.sha

    async def __call__(self, keys: list[str], args: list[str | bytes | int], client: Pipeline | None = None) -> Any:  # noqa: ANN401 - Lua's answer
        """Run it atomically.

        client: a pipeline to put it into, whose `execute` then gives the answer; None runs it at once.
        """
        if client is not None:
            return await self._registered(keys, args, client)
        try:
            return await self._execute("EVALSHA", self._digest, len(keys), *keys, *args)
        except NoScriptError:
            # As after a restart. The whole script, rather than its loading and another try: between these two the
            # server could restart again.
            return await self._execute("EVAL", self._source, len(keys), *keys, *args)


def connect(url: str, *, max_connections: int = 32) -> Redis:
    """Make a client; it connects at its first command. What is asked for at the same moment shares round trips.

    A command whose answer was lost is sent again: every script here may be repeated.

    url: `redis://`, `rediss://` or `unix://`, with password and database as redis-py reads them.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        # More calls at once than connections wait their turn.
        timeout=ANSWER_TIME_LIMIT_SECONDS,
        socket_timeout=ANSWER_TIME_LIMIT_SECONDS,
        socket_connect_timeout=CONNECT_TIME_LIMIT_SECONDS,
        health_check_interval=30,
        retry=retries(),
        retry_on_error=[StoreConnectionError, StoreTimeoutError],
    )
    _make_errors_plain(pool)
    return TurnClient.from_pool(pool)


def script_source(name: str) -> str:
    """Read `lua/NAME.lua`."""
    return resources.files("shopbot.store").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


def script(client: Redis, name: str) -> Script:
    """Load `lua/NAME.lua`."""
    return Script(client, script_source(name))


def connect_blocking(url: str) -> Redis:
    """Make a client for reads that wait on the server: no retries of its own, a longer time limit."""
    client = Redis.from_url(
        url,
        max_connections=2,
        socket_timeout=2 * ANSWER_TIME_LIMIT_SECONDS,
        socket_connect_timeout=CONNECT_TIME_LIMIT_SECONDS,
        retry=Retry(NoBackoff(), retries=0),
    )
    _make_errors_plain(client.connection_pool)
    return client


class _PlainErrors(AbstractConnection):
    """A connection that says of every loss that it is one.

    uvloop raises RuntimeError ("the handler is closed") where the other end has closed and something is written, which
    redis-py passes on: a store that dies at that moment would look like a fault of the host itself.
    https://github.com/MagicStack/uvloop/issues/506
    """

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002 - redis-py's own
    ) -> None:
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            raise StoreConnectionError(f"the connection was lost: {error}") from error


def _make_errors_plain(pool: ConnectionPool) -> None:
    kind = pool.connection_class
    pool.connection_class = type(kind.__name__, (_PlainErrors, kind), {})
