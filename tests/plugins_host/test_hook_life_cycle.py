from __future__ import annotations

import asyncio
import inspect

import pytest
from structlog.testing import capture_logs

from shopbot.discovery import PluginError
from shopbot.hooks import Hooks, PluginInstance
from shopbot.hookspecs import HookSpecs
from shopbot.plugin import (
    Context,
    hookimpl,
)
from support.hook_plugins import LifeCycle, context_of, entries


async def test_when_one_cannot_start_those_before_it_are_stopped() -> None:
    lines: list[str] = []
    hooks = entries("plugins", *(LifeCycle(n, lines, fails) for n, fails in (("a", ()), ("b", ["start"]), ("c", ()))))

    with capture_logs(), pytest.raises(PluginError) as error:
        await hooks.start(context_of)

    text = "plugin could not start: plugins[1]:lifecycle: OSError in start: no such host"
    assert str(error.value) == text
    assert lines == ["start a in acme.myshopify.com", "start b in acme.myshopify.com", "stop a"]


async def test_when_a_plugin_has_no_context_those_before_it_are_stopped() -> None:
    lines: list[str] = []
    hooks = entries("plugins", LifeCycle("a", lines), LifeCycle("b", lines))

    def context(instance: PluginInstance) -> Context:
        if instance.index == 1:
            raise PermissionError("data")
        return context_of(instance)

    with pytest.raises(PermissionError):
        await hooks.start(context)

    assert lines == ["start a in acme.myshopify.com", "stop a"]


async def test_a_start_that_is_cancelled_stops_what_it_has_started() -> None:
    lines: list[str] = []

    class Slow:
        @hookimpl
        async def start(self) -> None:
            await asyncio.sleep(3600)

    starting = asyncio.create_task(entries("plugins", LifeCycle("a", lines), Slow()).start(context_of))
    await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert lines == ["start a in acme.myshopify.com", "stop a"]


async def test_a_fault_while_stopping_keeps_nobody_else_from_it() -> None:
    lines: list[str] = []
    hooks = entries("plugins", *(LifeCycle(n, lines, fails) for n, fails in (("a", ()), ("b", ["stop"]), ("c", ()))))
    await hooks.start(context_of)
    lines.clear()

    with capture_logs() as logs:
        await hooks.stop()

    assert lines == ["stop c", "stop b", "stop a"]
    assert [(line["event"], line["plugin"]) for line in logs] == [("plugin_failed", "plugins[1]:lifecycle")]


async def test_what_was_not_started_is_not_stopped() -> None:
    lines: list[str] = []

    await entries("plugins", LifeCycle("a", lines)).stop()

    assert lines == []


def test_a_plugin_without_any_hook_is_let_be_under_plugins() -> None:
    assert entries("plugins", object()).places == ["plugins[0]:object"]


def test_the_facade_asks_for_every_hook_of_the_contract() -> None:
    """A hook that is in the contract and that nothing calls would be a promise without a keeper."""
    source = inspect.getsource(Hooks)

    assert [name for name in vars(HookSpecs) if not name.startswith("_") and f'"{name}"' not in source] == []
