"""Reaches the store of a configuration from the command line, beside a running host or without one."""

import contextlib
from collections.abc import AsyncIterator, Iterator

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shopbot.host.blueprint import Blueprint
from shopbot.store.connection import connect
from shopbot.store.embedded import EmbeddedServer, is_running, url_for
from shopbot.store.errors import StoreError


@contextlib.contextmanager
def store_url(blueprint: Blueprint) -> Iterator[str]:
    """Give the store's URL until the block ends; starts the embedded server where no host has it running.

    Raises:
        StoreError: the embedded store can neither be reached nor started.
    """
    store, data_dir = blueprint.settings.store, blueprint.data_dir
    if not store.embedded:
        yield store.get_secret_value()
    elif is_running(data_dir):
        yield url_for(data_dir)
    else:
        with EmbeddedServer(data_dir) as server:
            yield server.url


@contextlib.asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Redis]:
    """Connect until the block ends.

    Raises:
        StoreError: the store is away or refuses what the block asks for.
    """
    client = connect(url, max_connections=8)
    try:
        yield client
    except RedisError as error:
        raise StoreError(f"the store cannot be used: {error}") from error
    finally:
        await client.aclose()
