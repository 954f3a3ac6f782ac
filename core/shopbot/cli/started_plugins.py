"""Starts the plugins that a verb needs, and nothing else of a shop."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from functools import partial

from redis.asyncio import Redis

from shopbot.hooks import Hooks, PluginInstance
from shopbot.host.blueprint import Blueprint
from shopbot.host.plugin_context import plugin_context


@contextlib.asynccontextmanager
async def started(blueprint: Blueprint, client: Redis, instances: Sequence[PluginInstance]) -> AsyncIterator[Hooks]:
    """Give a facade of these plugins alone, started until the block ends.

    Raises:
        PluginError: one of them does not start.
    """
    hooks = Hooks(instances)
    await hooks.start(partial(plugin_context, blueprint, client))
    try:
        yield hooks
    finally:
        await hooks.stop()
