"""What the host has left in the store: whether it works, polls and may send, and what waits for a person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from shopbot.doctor.work import WorkCheck
from shopbot.host.blueprint import Blueprint, load_blueprint
from shopbot.model.finding import Finding, Level
from shopbot.store.channels import Channels
from shopbot.store.keys import Keys
from shopbot.store.lease import Lease
from shopbot.store.pollers import PollerState, Tally
from support.configured_store import ALWAYS, configured_store
from support.patient import config_of_a_patient

CHANNEL = "messenger:102290129340398"
FINE = [
    "0 events in the inbox, none waits long",
    f"the channel {CHANNEL} is open",
    "shopify_orders polled 30s ago",
    "no dead letters",
]


@dataclass
class Host:
    """What a host writes, and the doctor reads."""

    blueprint: Blueprint
    client: Redis
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def keys(self) -> Keys:
        return Keys(self.blueprint.shop.domain)

    @property
    def poller(self) -> PollerState:
        return PollerState(self.client, self.keys, "shopify_orders")

    @property
    def channels(self) -> Channels:
        return Channels(self.client, self.keys)

    async def polled(self, *, ago: timedelta = timedelta(seconds=30), tally: Tally | None = None) -> None:
        lease = Lease(self.client, self.keys.poller_lease(self.poller.name), seconds=30.0)
        assert await lease.take()
        moment = self.now - ago
        assert await self.poller.progress(lease.token, tally or Tally(), window_from=moment, completed=moment)

    async def findings(self, *, host_runs: bool | None = True) -> list[Finding]:
        check = WorkCheck(self.blueprint, self.client, self.now, host_runs=host_runs)
        return [finding async for finding in check.look()]

    async def the_one(self, **more: Any) -> Finding:  # noqa: ANN401 - as above
        """Give the only finding that is not fine."""
        (finding,) = [one for one in await self.findings(**more) if one.level is not Level.OK]
        return finding


@asynccontextmanager
async def a_host(directory: Path, *, polled: bool = True, **sections: Any) -> AsyncIterator[Host]:  # noqa: ANN401 - YAML
    """Give a host in good health."""
    path = directory / "shopbot.yaml"
    path.write_text(config_of_a_patient(**sections), encoding="utf-8")
    names = ("SHOPIFY_WEBHOOK_SECRET", "SHOPIFY_ADMIN_TOKEN", "MESSENGER_PAGE_TOKEN", "MESSENGER_APP_SECRET")
    urls = dict.fromkeys(("MESSENGER_URL", "SHOPIFY_URL"), "http://127.0.0.1:9")
    blueprint = load_blueprint(path, {**dict.fromkeys(names, "a-value-of-its-own"), **urls})
    async with configured_store("valkey", *ALWAYS) as store:
        host = Host(blueprint, store.client)
        if polled:
            await host.polled()
        yield host


async def test_of_a_host_that_works_everything_is_fine_and_said(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host:
        assert [(one.level, one.what) for one in await host.findings()] == [(Level.OK, what) for what in FINE]


async def test_a_poller_that_has_stopped_is_a_problem(tmp_path: Path) -> None:
    async with a_host(tmp_path, polled=False) as host:
        await host.polled(ago=timedelta(hours=2, minutes=3, seconds=4))
        problem = await host.the_one()

    assert (problem.level, problem.what) == (Level.PROBLEM, "shopify_orders has not polled with success for 2h3m")
    assert "lost since then are not found" in problem.meaning
    assert "`--role all` or `worker`" in problem.to_do


async def test_a_poller_may_be_away_three_times_as_long_as_it_waits(tmp_path: Path) -> None:
    poller = {"use": "shopify_orders", "access_token": "${SHOPIFY_ADMIN_TOKEN}", "every": "1h"}
    async with a_host(tmp_path, polled=False, pollers=[poller]) as host:
        await host.polled(ago=timedelta(hours=2))

        assert [one.what for one in await host.findings() if one.level is not Level.OK] == []


async def test_a_poller_that_never_polled_is_a_warning_with_its_reason(tmp_path: Path) -> None:
    async with a_host(tmp_path, polled=False) as host:
        fresh = await host.the_one()
        await host.poller.failed("Shopify refuses the access token", host.now)
        failing = await host.the_one()

    assert (fresh.level, fresh.what) == (Level.WARNING, "shopify_orders has never polled with success")
    assert failing.what == "shopify_orders has never polled with success: Shopify refuses the access token"


async def test_a_poll_that_failed_is_a_warning_while_it_is_not_too_long_ago(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host:
        await host.poller.failed("Shopify answered HTTP 503", host.now)
        warning = await host.the_one()

    assert warning.what == "the last poll of shopify_orders has failed: Shopify answered HTTP 503"
    assert "30s ago" in warning.meaning


@pytest.mark.parametrize(("orders", "first_seen", "told"), [(40, 20, True), (40, 19, False), (10, 10, False)])
async def test_polls_that_see_most_orders_first_mean_that_webhooks_do_not_arrive(
    tmp_path: Path, orders: int, first_seen: int, *, told: bool
) -> None:
    async with a_host(tmp_path, polled=False) as host:
        await host.polled(tally=Tally(orders=orders, new=orders, first_seen=first_seen))
        found = [one for one in await host.findings() if one.level is not Level.OK]

    assert [one.what for one in found] == (
        [f"shopify_orders was the first to see {first_seen} of {orders} orders"] if told else []
    )


async def test_without_a_poller_lost_webhooks_are_lost_and_that_is_said(tmp_path: Path) -> None:
    async with a_host(tmp_path, polled=False, pollers=[]) as host:
        warning = await host.the_one()

    assert (warning.level, warning.what) == (Level.WARNING, "nothing stands under `pollers:`")


async def test_a_channel_that_is_down_is_a_problem_with_its_reason(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host:
        await host.channels.down(CHANNEL, "Messenger error 190/460", host.now - timedelta(minutes=5))
        problem = await host.the_one()

    assert (problem.level, problem.what) == (
        Level.PROBLEM,
        f"the channel {CHANNEL} has been down for 5m: Messenger error 190/460",
    )
    assert "no message goes out" in problem.meaning


async def test_a_channel_that_is_paused_opens_by_itself(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host:
        await host.channels.pause(CHANNEL, "the rate limit is reached", host.now, host.now + timedelta(minutes=5))
        warning = await host.the_one()

    assert warning.level is Level.WARNING
    assert "is paused until" in warning.what
    assert warning.what.endswith("the rate limit is reached")


async def test_dead_letters_are_counted_by_their_codes(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host:
        for number, code in enumerate(["MESSAGE_SEND_FAILED", "IN_DOUBT", "MESSAGE_SEND_FAILED"]):
            await host.client.hset(host.keys.event(f"webhook:{number}"), mapping={"reason": code, "body": "{}"})
            dead_at = host.now - timedelta(days=3 - number)
            await host.client.zadd(host.keys.dead, {f"webhook:{number}": dead_at.timestamp() * 1000})
        warning = await host.the_one()

    assert warning.what == ("3 dead letters wait for a person (2 MESSAGE_SEND_FAILED, 1 IN_DOUBT), the oldest for 3d")
    assert warning.to_do.startswith("shopbot dead ls")


async def test_an_event_that_nobody_takes_is_a_problem(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host:
        written = int(host.now.timestamp() * 1000) - 600_000
        await host.client.xadd(host.keys.inbox, {"id": "webhook:1"}, id=f"{written}-0")
        problem = await host.the_one()

    assert problem.level is Level.PROBLEM
    assert problem.what.startswith("1 event in the inbox, the oldest for 10m")


async def test_a_data_dir_without_a_host_is_told(tmp_path: Path) -> None:
    async with a_host(tmp_path) as host:
        warning = await host.the_one(host_runs=False)

    assert (warning.level, warning.what) == (Level.WARNING, "no host runs on this data_dir")
