"""The pytest plugin: fixtures for tests of plugins, and an event loop for their `async def` tests.

pytest loads it wherever shopbot is installed, by its entry point. So it takes no test that is not ours to run, the
names of its fixtures begin with `shopbot_`, and what they need is imported when a test asks for it.
"""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from shopbot.testing.clock import MovedClock
    from shopbot.testing.fixtures import HostFixture, OrdersFixture, StoreFixture
    from shopbot.testing.messenger import MessengerSimulator
    from shopbot.testing.shopify import ShopifySimulator

# ruff: noqa: PLC0415 - imported where it is used, see above

_ALL_ASYNC_TESTS = "shopbot_async"
_PREFIX = "shopbot_"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the one setting."""
    parser.addini(
        _ALL_ASYNC_TESTS,
        "Run every `async def` test that no other plugin runs, also those without shopbot's contracts and fixtures.",
        type="bool",
        default=False,
    )


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async def` test of ours on a fresh event loop, of the kind that hosts run on.

    A test that pytest-asyncio runs is no coroutine function any more when it comes here, and anyio comes first.
    """
    if not inspect.iscoroutinefunction(pyfuncitem.obj) or not _is_ours(pyfuncitem):
        return None
    import uvloop

    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}  # noqa: SLF001 - pytest has no public way
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(pyfuncitem.obj(**arguments))
    return True


def _is_ours(item: pytest.Function) -> bool:
    return (
        hasattr(item.cls, "shopbot_contract")
        or any(name.startswith(_PREFIX) for name in item.fixturenames)
        or bool(item.config.getini(_ALL_ASYNC_TESTS))
    )


@pytest.fixture
def shopbot_clock() -> MovedClock:
    """The clock of the host and of both simulators: the real time, until the test moves it."""
    from shopbot.testing.clock import MovedClock

    return MovedClock()


@pytest.fixture
def shopbot_messenger(shopbot_clock: MovedClock) -> MessengerSimulator:
    """Messenger, as `shopbot_host` reaches it."""
    from shopbot.testing.host import PAGE_TOKEN
    from shopbot.testing.messenger import MessengerSimulator

    return MessengerSimulator(access_token=PAGE_TOKEN, clock=shopbot_clock.seconds)


@pytest.fixture
def shopbot_shopify(shopbot_clock: MovedClock) -> ShopifySimulator:
    """Shopify's Admin API and its webhooks, signed with the secret that `shopbot_host` knows; `serve()` starts it."""
    from shopbot.testing.host import SECRET, SHOP
    from shopbot.testing.shopify import ShopifySimulator

    return ShopifySimulator(shop=SHOP, client_secret=SECRET, clock=shopbot_clock.seconds)


@pytest.fixture
def shopbot_store(tmp_path: Path) -> StoreFixture:
    """Opens a real store of the test's own, as an asynchronous context."""
    from shopbot.testing.fixtures import StoreFixture

    return StoreFixture(tmp_path)


@pytest.fixture
def shopbot_orders() -> OrdersFixture:
    """Makes order webhook bodies, each of another order."""
    from shopbot.testing.fixtures import OrdersFixture

    return OrdersFixture()


@pytest.fixture
def shopbot_host(tmp_path: Path, shopbot_messenger: MessengerSimulator, shopbot_clock: MovedClock) -> HostFixture:
    """Runs the test's shop as an asynchronous context, with sections of its configuration replaced."""
    from shopbot.testing.fixtures import HostFixture

    directory = tmp_path / "shop"
    directory.mkdir()
    return HostFixture(directory, shopbot_messenger, shopbot_clock)
