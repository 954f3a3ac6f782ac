"""What the fixtures of the pytest plugin give: the types that a test names in its arguments.

    async def test_an_order_is_confirmed(shopbot_host: HostFixture, shopbot_orders: OrdersFixture) -> None:
        async with shopbot_host() as shop:
            await shop.finished(await shop.post("orders/paid", shopbot_orders(psid="7312345678901234")))
            assert shop.messenger.sent[0].text.startswith("Order confirmed!")

What needs an event loop is opened by the test itself, so that it lives on the test's loop, whoever runs that.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from redis.asyncio import Redis

from shopbot.discovery import Found, discover
from shopbot.store.connection import connect
from shopbot.store.embedded import EmbeddedServer
from shopbot.testing.clock import MovedClock
from shopbot.testing.host import CONFIG, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import DEFAULT_ORDER_ID, paid_order
from shopbot.testing.shop_config import with_sections

__all__ = ["HostFixture", "OrdersFixture", "StoreFixture"]


class HostFixture:
    """`shopbot_host`: runs the test shop, with sections of its configuration replaced.

    One shop for each test: called a second time, it is the same shop after a restart, with what its store has kept.
    """

    def __init__(self, directory: Path, messenger: MessengerSimulator, clock: MovedClock) -> None:
        self.directory = directory
        """Of shopbot.yaml, `data` and `plugins.d`."""
        self._messenger = messenger
        self._clock = clock

    def __call__(
        self, changes: str = "", *, plugin: ModuleType | None = None, environ: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[ShopUnderTest]:
        """Run the shop until the block ends.

        changes: sections of shopbot.yaml that take the place of those in `shopbot.testing.host.CONFIG`.
        plugin: a plugin's module, to be dropped into `plugins.d` where it is not that of an installed plugin.
        environ: variables that the changes read.

        Raises:
            ConfigError, PluginError: as `shopbot run` reports them.
        """
        if plugin is not None and not _is_installed(plugin):
            directory = self.directory / "plugins.d"
            directory.mkdir(exist_ok=True)
            shutil.copy(inspect.getfile(plugin), directory)
        return shop_under_test(
            self.directory,
            config=with_sections(CONFIG, changes),
            messenger=self._messenger,
            clock=self._clock,
            environ=environ,
        )


class StoreFixture:
    """`shopbot_store`: runs an empty Valkey server as `store: embedded` does."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Redis]:
        """Give a client of a server of its own, which is stopped when the block ends."""
        server = EmbeddedServer(self._directory / f"store-{next(self._numbers)}")
        await asyncio.to_thread(server.start)
        try:
            async with connect(server.url) as client:
                yield client
        finally:
            await asyncio.to_thread(server.stop)


class OrdersFixture:
    """`shopbot_orders`: makes webhook bodies, each of another order."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def __call__(self, make: Callable[..., dict[str, Any]] = paid_order, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - see order_body
        """Make the next order's body.

        make: one of the builders of `shopbot.testing.orders`.
        fields: as for `order_body`.
        """
        number = next(self._numbers)
        return make(**{"order_id": DEFAULT_ORDER_ID + number, "number": 1234 + number, **fields})


def _is_installed(plugin: ModuleType) -> bool:
    installed = [found.entry_point for found in discover().values() if isinstance(found, Found)]
    return any(entry_point is not None and entry_point.module == plugin.__name__ for entry_point in installed)
