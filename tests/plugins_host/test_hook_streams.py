from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from shopbot.hooks import Hooks, PluginFailedError
from shopbot.plugin import (
    ChannelDown,
    PolledOrder,
    Retry,
    hookimpl,
)
from support.hook_plugins import SINCE, at, entries


@dataclass(eq=False)
class Poller:
    orders: Sequence[object]
    then: BaseException | None = None
    waits: bool = False
    closed: list[str] = field(default_factory=list)

    @hookimpl
    async def poll_orders(self) -> AsyncGenerator[Any, None]:
        try:
            for order in self.orders:
                yield order
            if self.then is not None:
                raise self.then
            if self.waits:
                await asyncio.sleep(3600)
        finally:
            self.closed.append("closed")


FIRST, SECOND = (PolledOrder(order_id=n, updated_at=SINCE, body=b"{}") for n in (1, 2))


async def polled(poller: Poller, **more: Any) -> tuple[list[PolledOrder], str]:  # noqa: ANN401 - instance's fields
    """Give what a poll brought, and how it failed."""
    (hook,) = Hooks([at("pollers", poller, **more)]).pollers
    seen: list[PolledOrder] = []
    with capture_logs():
        try:
            async with contextlib.aclosing(hook(SINCE)) as stream:
                async for order in stream:
                    seen.append(order)  # noqa: PERF401 - what came before a fault counts
        except PluginFailedError as error:
            return seen, error.what
    return seen, ""


@pytest.mark.parametrize(
    ("poller", "what"),
    [
        (Poller([FIRST, SECOND], RuntimeError("page 2 is missing")), "RuntimeError in poll_orders: page 2 is missing"),
        (Poller([FIRST, SECOND, {"id": 3}]), "poll_orders answered dict, not PolledOrder"),
        (Poller([FIRST, SECOND], SystemExit(1)), "SystemExit in poll_orders: 1"),
    ],
)
async def test_what_a_poller_gave_before_its_fault_counts(poller: Poller, what: str) -> None:
    assert await polled(poller) == ([FIRST, SECOND], what)
    assert poller.closed == ["closed"]


async def test_a_poller_has_its_time_limit_for_each_order() -> None:
    poller = Poller([FIRST], waits=True)

    assert await polled(poller, time_limit_seconds=0.01) == ([FIRST], "no answer to poll_orders within 0.01 s")
    assert poller.closed == ["closed"]


@pytest.mark.parametrize("raised", [Retry("busy", after_seconds=2), ChannelDown("the token was revoked")])
async def test_what_a_poller_may_raise_comes_out_as_it_is(raised: Exception) -> None:
    with pytest.raises(type(raised)) as error:
        await polled(Poller([FIRST], raised))

    assert error.value is raised


async def test_a_poll_that_is_broken_off_ends_the_plugin_s_generator() -> None:
    poller = Poller([FIRST, SECOND])
    (hook,) = entries("pollers", poller).pollers

    async with contextlib.aclosing(hook(SINCE)) as stream:
        assert await anext(stream) == FIRST
        assert poller.closed == []

    assert poller.closed == ["closed"]
