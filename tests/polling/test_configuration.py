"""`pollers:` in shopbot.yaml."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from shopbot.config.plugin_entry import PollerEntry
from shopbot.host.blueprint import check_config
from shopbot.host.pollers import poller_parts
from shopbot.store.inbox import Inbox
from shopbot.store.keys import Keys
from shopbot.testing.host import CONFIG
from support.polling import Clock
from support.stores import running_store

ENVIRON = {
    "SHOPIFY_WEBHOOK_SECRET": "5a1f0c77",
    "MESSENGER_PAGE_TOKEN": "EAAB9c2d",
    "MESSENGER_URL": "http://127.0.0.1:1",
}


def check(directory: Path, pollers: str, config: str = CONFIG) -> tuple[list[str], PollerEntry | None]:
    """Check a configuration with these pollers; gives the messages and the first entry."""
    path = directory / "shopbot.yaml"
    path.write_text(config + pollers, encoding="utf-8")
    checked = check_config(path, ENVIRON)
    messages = [problem.message for problem in checked.problems]
    return messages, checked.blueprint.settings.pollers[0] if checked.blueprint else None


def test_the_schedule_is_the_frameworks_and_everything_else_the_plugins(tmp_path: Path) -> None:
    entry = "pollers: [{use: shopify_orders, every: 30s, overlap: 5m, time_limit: 90s, access_token: shpat_x}]"
    messages, poller = check(tmp_path, entry)

    assert messages == []
    assert poller is not None
    assert (poller.every, poller.overlap) == (timedelta(seconds=30), timedelta(minutes=5))
    assert poller.time_limit == timedelta(seconds=90)


def test_without_a_schedule_it_is_every_minute_with_ten_minutes_of_overlap(tmp_path: Path) -> None:
    _, poller = check(tmp_path, "pollers: [{use: shopify_orders, access_token: shpat_x}]")

    assert poller is not None
    assert (poller.every, poller.overlap) == (timedelta(seconds=60), timedelta(minutes=10))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{use: redis_cart}", "'redis_cart' is a cart and cannot stand under `pollers:`"),
        ("{use: shopify_orders}", "give either access_token, or client_id and client_secret"),
        ("{use: shopify_orders, access_token: x, every: 0s}", "expected a duration longer than zero"),
        ("{use: shopify_orders, access_token: x, evry: 1s}", "unknown key 'evry'"),
        ("{use: shopify_orders, access_token: x, timeout: 31s}", "30"),
        ("{use: shopify_orders, access_token: x, api_version: 2026-11}", "must be a version of the Admin API"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, entry: str, message: str) -> None:
    messages, poller = check(tmp_path, f"pollers: [{entry}]")

    assert poller is None
    assert message in " ".join(messages)


def test_a_poller_without_a_rule_for_what_it_brings_is_a_warning(tmp_path: Path) -> None:
    config = CONFIG.replace("orders/create, orders/paid, orders/updated", "orders/create, orders/paid")
    messages, poller = check(tmp_path, "pollers: [{use: shopify_orders, access_token: shpat_x}]", config)

    assert poller is not None
    assert messages == [
        "polled orders count as orders/updated, and no rule listens to that: lost webhooks are not made good"
    ]


async def test_the_same_poller_may_stand_twice_each_with_a_window_of_its_own(tmp_path: Path) -> None:
    entries = "pollers: [{use: shopify_orders, access_token: a}, {use: shopify_orders, access_token: b, every: 5m}]"
    check(tmp_path, entries)
    blueprint = check_config(tmp_path / "shopbot.yaml", ENVIRON).blueprint
    assert blueprint is not None
    async with running_store("fakeredis", tmp_path) as store:
        inbox = Inbox(store.client, Keys(blueprint.shop.domain), seen_ttl_seconds=60)
        parts = poller_parts(blueprint, store.client, inbox, Clock())

    assert [(part.state.name, part.every) for part in parts] == [
        ("shopify_orders", timedelta(seconds=60)),
        ("shopify_orders#2", timedelta(minutes=5)),
    ]
