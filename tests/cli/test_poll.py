"""`shopbot poll --once`, as an operator runs it: a process of its own, beside a host or without one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from shopbot.cli.moment import past_moment
from shopbot.store.connection import connect
from shopbot.store.embedded import EmbeddedServer
from shopbot.store.keys import Keys
from shopbot.store.pollers import PollerState
from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, SHOP, ShopUnderTest, shop_under_test
from shopbot.testing.orders import paid_order
from shopbot.testing.shopify import ShopifySimulator

PSID = "7312345678901234"
TOKEN = "shpat_simulated"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

POLLERS = """
pollers:
  - {use: shopify_orders, every: 36500d, access_token: "${SHOPIFY_ADMIN_TOKEN}", api_url: "${SHOPIFY_URL}"}
"""


def variables(shopify_url: str, **more: str) -> dict[str, str]:
    return {
        "SHOPIFY_WEBHOOK_SECRET": SECRET,
        "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
        "MESSENGER_URL": "http://127.0.0.1:1",
        "SHOPIFY_ADMIN_TOKEN": TOKEN,
        "SHOPIFY_URL": shopify_url,
        **more,
    }


async def shopbot(environ: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """Run the command line; gives its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shopbot", "poll", *arguments),
        env={**os.environ, "COLUMNS": "200", **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), timeout=100)
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def shopify(*, orders: int, **options: Any) -> AsyncIterator[tuple[ShopifySimulator, str]]:  # noqa: ANN401
    """Run a shop with orders whose webhooks are lost."""
    simulator = ShopifySimulator(**options)
    async with simulator.serve() as url:
        for number in range(1, orders + 1):
            simulator.place(paid_order(order_id=number, number=number, psid=f"{PSID}{number}"))
        yield simulator, url


@asynccontextmanager
async def a_host(directory: Path, url: str) -> AsyncIterator[ShopUnderTest]:
    """Run a host whose own first poll is over."""
    environ = {"SHOPIFY_ADMIN_TOKEN": TOKEN, "SHOPIFY_URL": url}
    async with shop_under_test(directory, config=CONFIG + POLLERS, environ=environ) as shop:
        (parts,) = shop.host.pollers.parts
        while not (await parts.state.read()).polls:
            await asyncio.sleep(0.01)
        yield shop


async def test_beside_a_running_host_lost_orders_are_found_and_confirmed_by_it(tmp_path: Path) -> None:
    async with shopify(orders=0) as (simulator, url), a_host(tmp_path, url) as shop:
        for number in (1, 2, 3):
            simulator.place(paid_order(order_id=number, number=number, psid=f"{PSID}{number}"))
        code, out, err = await shopbot(variables(url), "--once", "--json", str(tmp_path / "shopbot.yaml"))

        assert (code, err) == (0, "")
        answer = json.loads(out)
        assert answer["host_runs"] is True
        (poller,) = answer["pollers"]
        assert {name: poller[name] for name in ("poller", "pages", "orders", "new", "first_seen", "error")} == {
            "poller": "shopify_orders",
            "pages": 1,
            "orders": 3,
            "new": 3,
            "first_seen": 3,
            "error": None,
        }
        assert poller["window_moved"] is False  # the running host has the lease
        await shop.messenger.wait_for_sent(3)


async def test_a_second_poll_finds_nothing_new(tmp_path: Path) -> None:
    async with shopify(orders=2) as (_, url), a_host(tmp_path, url) as shop:
        await shop.messenger.wait_for_sent(2)
        code, out, _ = await shopbot(variables(url), "--once", "--since", "PT1H", str(tmp_path / "shopbot.yaml"))

    assert code == 0
    heading, row = out.splitlines()
    assert heading.split() == ["POLLER", "SINCE", "(UTC)", "PAGES", "ORDERS", "NEW", "FIRST", "SEEN"]
    assert row.split()[0] == "shopify_orders"
    assert row.split()[-4:] == ["1", "2", "0", "0"]


async def test_without_a_host_what_is_found_waits_for_one_and_the_next_poll_goes_on(tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text(CONFIG + POLLERS, encoding="utf-8")
    async with shopify(orders=120) as (_, url):
        code, out, _ = await shopbot(variables(url), "--once", str(tmp_path / "shopbot.yaml"))

    assert code == 0
    assert "No host is running" in out
    with EmbeddedServer(tmp_path / "data") as server:
        store, keys = connect(server.url), Keys(SHOP)
        assert await store.xlen(keys.inbox) == 120
        record = await PollerState(store, keys, "shopify_orders").read()
        assert (record.polls, record.total.first_seen) == (1, 120)
        assert record.window_from is not None
        assert not await store.exists(keys.poller_lease("shopify_orders"))
        await store.aclose()


async def test_a_back_fill_leaves_the_window(tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text(CONFIG + POLLERS, encoding="utf-8")
    yesterday = time.time() - 86_400
    async with shopify(orders=5, clock=lambda: yesterday) as (simulator, url):
        simulator.clock = time.time
        code, out, _ = await shopbot(
            variables(url), "--once", "--since", "2d", "--json", str(tmp_path / "shopbot.yaml")
        )

    assert code == 0
    assert json.loads(out)["pollers"][0]["new"] == 5
    with EmbeddedServer(tmp_path / "data") as server:
        store = connect(server.url)
        assert (await PollerState(store, Keys(SHOP), "shopify_orders").read()).window_from is None
        await store.aclose()


async def test_a_poll_that_fails_says_why_and_shows_no_token(tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text(CONFIG + POLLERS, encoding="utf-8")
    async with shopify(orders=1) as (_, url):
        environ = variables(url, SHOPIFY_ADMIN_TOKEN="shpat_revoked")
        code, out, err = await shopbot(environ, "--once", str(tmp_path / "shopbot.yaml"))

    assert (code, out) == (1, "")
    assert "shopify_orders: Shopify refuses the access token (HTTP 401)" in err
    assert "shpat_revoked" not in err


async def test_a_configuration_without_pollers_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text(CONFIG, encoding="utf-8")
    code, _, err = await shopbot(variables("http://127.0.0.1:1"), "--once", str(tmp_path / "shopbot.yaml"))

    assert code == 1
    assert "nothing under `pollers:`" in err


async def test_wrong_usage_is_exit_code_2() -> None:
    without_once = await shopbot({})
    without_sense = await shopbot({}, "--once", "--since", "soon")

    assert (without_once[0], without_sense[0]) == (2, 2)
    assert "--once" in without_once[2]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("PT2H", NOW - timedelta(hours=2)),
        ("pt90m", NOW - timedelta(minutes=90)),
        ("P1DT6H", NOW - timedelta(hours=30)),
        ("P2W", NOW - timedelta(days=14)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T10:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T10:00+01:00", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20T10:00:05Z", datetime(2026, 11, 20, 10, 0, 5, tzinfo=UTC)),
    ],
)
def test_a_moment_can_be_written_as_people_do(text: str, moment: datetime) -> None:
    assert past_moment(text, NOW, option="--since") == moment


@pytest.mark.parametrize("text", ["", "P", "PT", "2", "2x", "0s", "tomorrow", "2026-11-24", "P999999W", "-2h"])
def test_what_is_no_moment_in_the_past_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        past_moment(text, NOW, option="--since")
