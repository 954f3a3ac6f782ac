"""What integrators get with `pip install shopbot`, and what everybody else does not notice."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shopbot.config.problem import ConfigError
from shopbot.testing.clock import MovedClock
from shopbot.testing.contracts import PSID
from shopbot.testing.fixtures import HostFixture, OrdersFixture, StoreFixture
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import pending_order
from shopbot.testing.shopify import ShopifySimulator
from shopbot_plugins import console
from support.pytest_run import PytestRun, run_pytest

DROP_IN = '''
"""Find everybody."""

from shopbot.plugin import Resolution, Trust, hookimpl


class Plugin:
    def __init__(self, config): ...

    @hookimpl
    async def resolve_psid(self):
        return Resolution(psid="7312345678901234", trust=Trust.ANY)
'''


class TestTheFixtures:
    async def test_a_host_confirms_an_order(self, shopbot_host: HostFixture, shopbot_orders: OrdersFixture) -> None:
        async with shopbot_host() as shop:
            await shop.finished(await shop.post("orders/paid", shopbot_orders(psid=PSID)))

            assert [message.psid for message in shop.messenger.sent] == [PSID]

    async def test_sections_of_its_configuration_can_be_replaced(
        self, shopbot_host: HostFixture, shopbot_orders: OrdersFixture, shopbot_messenger: MessengerSimulator
    ) -> None:
        changes = """
            messages:
              order_confirmation: {tag: order_update, text: "Thanks from ${WHO}!"}
            """
        async with shopbot_host(changes, environ={"WHO": "Acme"}) as shop:
            await shop.finished(await shop.post("orders/paid", shopbot_orders(psid=PSID)))

            assert [message.text for message in shopbot_messenger.sent] == ["Thanks from Acme!"]

    async def test_a_configuration_that_cannot_work_is_explained(self, shopbot_host: HostFixture) -> None:
        with pytest.raises(ConfigError, match=r"no plugin named 'consol'.*did you mean 'console'"):
            async with shopbot_host("senders: [{use: consol}]"):
                pass

    async def test_called_again_it_is_the_same_shop_after_a_restart(
        self, shopbot_host: HostFixture, shopbot_orders: OrdersFixture
    ) -> None:
        order = shopbot_orders(psid=PSID)
        async with shopbot_host() as shop:
            await shop.finished(await shop.post("orders/paid", order))
        async with shopbot_host() as shop:
            await shop.finished(await shop.post("orders/updated", order))

            assert len(shop.messenger.sent) == 1

    async def test_a_plugin_that_is_not_installed_is_dropped_in(
        self, shopbot_host: HostFixture, shopbot_orders: OrdersFixture, tmp_path: Path
    ) -> None:
        path = tmp_path / "everybody.py"
        path.write_text(DROP_IN, encoding="utf-8")
        module = type(console)("everybody")
        module.__file__ = str(path)
        async with shopbot_host("resolvers: [{use: everybody}]", plugin=module) as shop:
            await shop.finished(await shop.post("orders/paid", shopbot_orders()))

            assert [message.psid for message in shop.messenger.sent] == [PSID]

    async def test_an_installed_plugin_is_not_dropped_in(self, shopbot_host: HostFixture) -> None:
        """There would be two of one name."""
        async with shopbot_host("senders: [{use: console}]", plugin=console):
            assert not (shopbot_host.directory / "plugins.d").exists()

    async def test_host_and_simulators_share_a_clock(
        self,
        shopbot_host: HostFixture,
        shopbot_orders: OrdersFixture,
        shopbot_clock: MovedClock,
        shopbot_messenger: MessengerSimulator,
        shopbot_shopify: ShopifySimulator,
    ) -> None:
        shopbot_clock.move(days=365)
        today = datetime.now(UTC)
        async with shopbot_host() as shop, shopbot_shopify.serve():
            record = await shop.finished(await shop.post("orders/paid", shopbot_orders(psid=PSID)))
            placed = shopbot_shopify.place(shopbot_orders())

        assert (datetime.fromtimestamp(record.received_ms / 1000, UTC) - today).days >= 364
        assert (datetime.fromtimestamp(shopbot_messenger.sent[0].at, UTC) - today).days >= 364
        assert (datetime.fromisoformat(placed["created_at"]) - today).days >= 364

    async def test_shopify_s_webhooks_are_signed_for_the_host(
        self, shopbot_host: HostFixture, shopbot_orders: OrdersFixture, shopbot_shopify: ShopifySimulator
    ) -> None:
        async with shopbot_host() as shop, shopbot_shopify.serve():
            shopbot_shopify.webhooks.url = f"{shop.url}/webhooks/shopify"
            shopbot_shopify.place(shopbot_orders(psid=PSID))
            await shopbot_shopify.webhooks.settled()

            assert [message.psid for message in await shop.messenger.wait_for_sent(1)] == [PSID]

    async def test_a_store_is_empty_and_one_s_own(self, shopbot_store: StoreFixture) -> None:
        async with shopbot_store() as one, shopbot_store() as another:
            await one.set("cart:1", "{}")

            assert await another.get("cart:1") is None

    def test_each_order_is_another_one(self, shopbot_orders: OrdersFixture) -> None:
        bodies = [shopbot_orders(), shopbot_orders(pending_order), shopbot_orders(financial_status="refunded")]

        assert len({body["id"] for body in bodies}) == len({body["name"] for body in bodies}) == 3
        assert [body["financial_status"] for body in bodies] == ["paid", "pending", "refunded"]


CONTRACT = """
from shopbot.testing.contracts import PSID, ResolverContract
from shopbot.testing.orders import paid_order
from shopbot_plugins import note_attributes

class TestNoteAttributes(ResolverContract):
    module = note_attributes
    order = paid_order(psid=PSID)
"""
WITH_A_FIXTURE = """
async def test_mine(shopbot_orders):
    assert shopbot_orders()["name"] == "#1234"
"""
OF_SOMEBODY_ELSE = """
async def test_theirs():
    pass
"""

PYTEST_ASYNCIO = ["-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function"]


class TestWhoRunsAsyncTests:
    def outcome(self, directory: Path, test: str, *arguments: str, ini: str = "") -> PytestRun:
        (directory / "test_it.py").write_text(test, encoding="utf-8")
        (directory / "pytest.ini").write_text(f"[pytest]\n{ini}", encoding="utf-8")
        return run_pytest(directory, *arguments)

    @pytest.mark.parametrize(
        ("ini", "arguments", "loop"),
        [
            pytest.param("", [], "uvloop", id="shopbot"),
            pytest.param("asyncio_mode = strict", PYTEST_ASYNCIO, "uvloop", id="shopbot beside pytest-asyncio"),
            pytest.param("asyncio_mode = auto", PYTEST_ASYNCIO, "asyncio", id="pytest-asyncio"),
        ],
    )
    def test_contracts_and_tests_with_fixtures_run(
        self, ini: str, arguments: list[str], loop: str, tmp_path: Path
    ) -> None:
        on_its_loop = f"""
import asyncio

async def test_whose_loop_it_is(shopbot_orders):
    assert type(asyncio.get_running_loop()).__module__.partition(".")[0] == {loop!r}
"""
        run = self.outcome(tmp_path, CONTRACT + WITH_A_FIXTURE + on_its_loop, *arguments, ini=ini)

        assert run.exit_code == 0, run.output
        assert run.count("passed") > 20

    def test_a_failure_is_a_failure_and_tests_of_other_people_are_left_to_their_plugins(self, tmp_path: Path) -> None:
        run = self.outcome(tmp_path, WITH_A_FIXTURE.replace("#1234", "#1") + OF_SOMEBODY_ELSE)

        assert (run.exit_code, run.count("failed")) == (1, 2)
        assert "assert '#1234' == '#1'" in run.output
        assert "async def functions are not natively supported" in run.output

    def test_the_setting_has_all_of_them_run_but_those_that_anyio_runs(self, tmp_path: Path) -> None:
        of_anyio = """
import asyncio, pytest

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_anyio_runs_it(anyio_backend):
    assert type(asyncio.get_running_loop()).__module__.partition(".")[0] == "asyncio"
"""
        run = self.outcome(tmp_path, OF_SOMEBODY_ELSE + of_anyio, ini="shopbot_async = true")

        assert (run.exit_code, run.count("passed")) == (0, 2), run.output


class TestWhatOthersNotice:
    def test_nothing_of_shopbot_s_is_imported_for_tests_that_do_without(self, tmp_path: Path) -> None:
        test = """
import sys

def test_mine():
    ours = {name for name in sys.modules if name.partition(".")[0].startswith("shopbot")}
    assert ours == {"shopbot", "shopbot.testing", "shopbot.testing.pytest_plugin"}
    assert not {"sanic", "redis", "pydantic", "httpx", "uvloop"} & set(sys.modules)
"""
        (tmp_path / "test_it.py").write_text(test, encoding="utf-8")

        run = run_pytest(tmp_path, "-p", "no:anyio")

        assert run.exit_code == 0, run.output

    def test_the_plugin_can_be_switched_off(self, tmp_path: Path) -> None:
        (tmp_path / "test_it.py").write_text(WITH_A_FIXTURE, encoding="utf-8")

        assert "fixture 'shopbot_orders' not found" in run_pytest(tmp_path, "-p", "no:shopbot").output

    @pytest.mark.parametrize("module", ["shopbot.cli", "shopbot.host.process", "shopbot.testing.host"])
    def test_no_host_and_no_command_needs_pytest(self, module: str) -> None:
        """People run shops without the test extra; `shopbot demo` uses the simulators."""
        script = f"import sys, {module}; print(sorted({{'pytest', 'fakeredis', '_pytest'}} & set(sys.modules)))"

        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - this Python

        assert done.stdout == "[]\n"
