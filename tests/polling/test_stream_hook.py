"""A plugin's stream behind the facade."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import datetime

import pytest

from shopbot.discovery import PluginError
from shopbot.hooks import Hooks, PluginFailedError, PluginInstance, StreamHook
from shopbot.plugin import PolledOrder, hookimpl
from support.idle_time import in_idle_time
from support.polling import START, ScriptedPoller, polled


def hook_of(plugin: object, *, seconds: float = 60.0) -> StreamHook[[datetime], PolledOrder]:
    return Hooks([PluginInstance("pollers", 0, "it", plugin, seconds)]).pollers[0]


class Slow:
    """Every step takes a part of the time limit, all of them together much more."""

    @hookimpl
    async def poll_orders(self) -> AsyncGenerator[PolledOrder, None]:
        for number in range(5):
            await asyncio.sleep(0.6)
            yield polled(number)


def test_the_time_limit_is_for_each_step_and_arguments_may_be_left_out() -> None:
    async def orders() -> list[PolledOrder]:
        return [order async for order in hook_of(Slow(), seconds=1.0)(START)]

    assert len(in_idle_time(orders())) == 5


def test_the_time_that_the_host_takes_is_not_the_plugins() -> None:
    plugin = ScriptedPoller([polled(1), polled(2)])

    async def poll() -> None:
        async for _ in hook_of(plugin, seconds=1.0)(START):
            await asyncio.sleep(2.0)

    in_idle_time(poll())

    assert plugin.closed == 1


async def test_breaking_off_ends_the_plugins_generator() -> None:
    plugin = ScriptedPoller([polled(1), polled(2)])
    async with contextlib.aclosing(hook_of(plugin)(START)) as stream:
        await anext(stream)

    assert plugin.closed == 1


async def test_cancelling_ends_the_plugins_generator() -> None:
    plugin = ScriptedPoller([asyncio.Event()])
    hook = hook_of(plugin, seconds=60)

    async def poll() -> None:
        async with contextlib.aclosing(hook(START)) as stream:
            await anext(stream)

    task = asyncio.create_task(poll())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert plugin.closed == 1


async def test_something_else_than_an_order_is_a_failure() -> None:
    plugin = ScriptedPoller([{"id": 1}])  # type: ignore[list-item]  # what a plugin's author may get wrong
    with pytest.raises(PluginFailedError, match="poll_orders answered dict, not PolledOrder"):
        await anext(hook_of(plugin)(START))


def test_a_coroutine_is_no_stream() -> None:
    class Wrong:
        @hookimpl
        async def poll_orders(self, since: datetime) -> list[PolledOrder]:
            return []

    with pytest.raises(PluginError, match="poll_orders must be `async def` with `yield`"):
        hook_of(Wrong())


def test_a_plugin_that_does_not_poll_cannot_stand_under_pollers() -> None:
    class Nothing:
        pass

    with pytest.raises(PluginError, match="has no poll_orders hook"):
        Hooks([PluginInstance("pollers", 0, "nothing", Nothing())])
