"""A running shop for tests that are not async themselves, such as property tests: one shop for all examples."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from shopbot.testing.host import CONFIG, ShopUnderTest, shop_under_test

T = TypeVar("T")


class ShopRunner:
    """Runs coroutines on the shop's own event loop, which stands still in between."""

    def __init__(self, shop: ShopUnderTest, runner: asyncio.Runner) -> None:
        self.shop = shop
        self._runner = runner

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)


@contextmanager
def running_shop(directory: Path, *, config: str = CONFIG) -> Iterator[ShopRunner]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        shop = runner.run(stack.enter_async_context(shop_under_test(directory, config=config)))
        try:
            yield ShopRunner(shop, runner)
        finally:
            runner.run(stack.aclose())
