"""Reaches the store of a configuration from the command line, beside a running host or without one."""

import contextlib
from collections.abc import AsyncIterator, Iterator

from redis.asyncio import Redis

from shopbot.host.blueprint import Blueprint
from shopbot.store.connection import connect
from shopbot.store.embedded import EmbeddedServer, is_running, url_for


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
    """Connect until the block ends."""
    client = connect(url, max_connections=8)
    try:
        yield client
    finally:
        await client.aclose()
