"""Opens the store and holds its scripts."""

from importlib import resources
from typing import Any, Protocol

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import TimeoutError as StoreTimeoutError

CALL_TIME_LIMIT_SECONDS = 10.0
CONNECT_TIME_LIMIT_SECONDS = 5.0


class Script(Protocol):
    """A Lua script on the server, called with its keys and arguments."""

    async def __call__(self, keys: list[str], args: list[str | bytes | int]) -> Any:  # noqa: ANN401 - Lua's answer
        """Run it atomically."""


def connect(url: str, *, max_connections: int = 32) -> Redis:
    """Make a client; it connects at its first command.

    A command whose answer was lost is sent again: every script here may be repeated.

    url: `redis://`, `rediss://` or `unix://`, with password and database as redis-py reads them.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        # More calls at once than connections wait their turn.
        timeout=CALL_TIME_LIMIT_SECONDS,
        socket_timeout=CALL_TIME_LIMIT_SECONDS,
        socket_connect_timeout=CONNECT_TIME_LIMIT_SECONDS,
        health_check_interval=30,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=4),
        retry_on_error=[StoreConnectionError, StoreTimeoutError],
    )
    return Redis.from_pool(pool)


def script(client: Redis, name: str) -> Script:
    """Load `lua/NAME.lua`; redis-py sends it whole when the server does not know it, as after a restart."""
    source = resources.files("shopbot.store").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
    registered: Script = client.register_script(source)
    return registered


def connect_blocking(url: str) -> Redis:
    """Make a client for reads that wait on the server: no retries of its own, a longer time limit."""
    return Redis.from_url(
        url,
        max_connections=2,
        socket_timeout=2 * CALL_TIME_LIMIT_SECONDS,
        socket_connect_timeout=CONNECT_TIME_LIMIT_SECONDS,
        retry=Retry(NoBackoff(), retries=0),
    )
