"""`GET /metrics` of one process: what a scrape shows after things have happened."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from shopbot import __version__
from shopbot.store.embedded import EmbeddedServer
from shopbot.testing.host import CONFIG, SECRET, SHOP, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import order_bytes, paid_order, pending_order
from shopbot.testing.webhooks import shopify_headers
from support.eventually import eventually
from support.scrape import Scrape, scrape

PSID = "7312345678901234"
CHANNEL = "messenger:102290129340398"


async def test_an_order_is_seen_from_its_arrival_to_its_message(tmp_path: Path) -> None:
    began = time.monotonic()
    async with shop_under_test(tmp_path) as shop:
        await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID)))
        page = await scrape(shop.http)
    passed_seconds = time.monotonic() - began

    assert page.by("shopbot_events_total", "shop", "topic", "source", "result") == {
        (SHOP, "orders/paid", "webhook", "new"): 1
    }
    assert page.by("shopbot_outcomes_total", "shop", "status", "reason") == {(SHOP, "done", "none"): 1}
    assert page.by("shopbot_send_seconds_count", "shop", "sender", "result") == {
        (SHOP, "senders[0]:messenger", "sent"): 1
    }
    assert page.by("shopbot_receipt_to_send_seconds_count", "shop", "source", "attempt") == {
        (SHOP, "webhook", "first"): 1
    }
    assert page.by("shopbot_request_seconds_count", "route", "status") == {("/webhooks/shopify", "200"): 1}
    until_sent_seconds = page.value("shopbot_receipt_to_send_seconds_sum")
    assert 0 < page.value("shopbot_send_seconds_sum") < until_sent_seconds < passed_seconds
    assert page.value("shopbot_receipt_to_send_seconds_bucket", le="3.0") == (until_sent_seconds <= 3)
    assert page.value("shopbot_store_up") == 1
    assert page.by("shopbot_info", "version") == {(__version__,): 1}


async def test_repetitions_and_orders_without_a_message_are_told_apart(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        for _ in range(3):
            await shop.post("orders/paid", paid_order(psid=PSID), webhook_id="the-same")
        await shop.finished("webhook:the-same")
        for event_id in (
            await shop.post("orders/create", pending_order(order_id=2, psid=PSID)),
            await shop.post("orders/updated", paid_order(psid=PSID)),
            await shop.post("orders/paid", paid_order(order_id=3)),
            await shop.post("made/up_by_nobody", {}),
            await shop.post("made/up_by_others", {}),
        ):
            await shop.finished(event_id)
        page = await scrape(shop.http)

    assert page.by("shopbot_events_total", "topic", "result") == {
        ("orders/paid", "new"): 2,
        ("orders/paid", "duplicate"): 2,
        ("orders/create", "new"): 1,
        ("orders/updated", "new"): 1,
        ("other", "new"): 2,
    }
    assert page.by("shopbot_outcomes_total", "status", "reason") == {
        ("done", "none"): 1,
        ("skipped", "NOT_PAID"): 1,
        ("skipped", "ALREADY_CONFIRMED"): 1,
        ("skipped", "PSID_NOT_FOUND"): 1,
        ("skipped", "NO_RULE"): 2,
    }


async def test_failures_of_the_sender_are_told_apart_and_a_late_message_counts_as_such(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        shop.messenger.faults.add(Fault.error(1200).to("1"), Fault.error(551).to("2"))
        for psid in ("1", "2"):
            await shop.finished(await shop.post("orders/paid", paid_order(order_id=int(psid), psid=psid)))
        page = await scrape(shop.http)

    assert page.by("shopbot_send_seconds_count", "result") == {("retry",): 1, ("refused",): 1, ("sent",): 1}
    assert page.by("shopbot_receipt_to_send_seconds_count", "attempt") == {("later",): 1}
    assert page.by("shopbot_outcomes_total", "status", "reason") == {
        ("deferred", "MESSAGE_SEND_FAILED"): 1,
        ("failed", "MESSAGE_SEND_FAILED"): 1,
        ("done", "none"): 1,
    }
    assert page.value("shopbot_dead_letters", shop=SHOP) == 1


async def test_requests_that_are_turned_away_are_counted_by_status(tmp_path: Path) -> None:
    config = CONFIG + "web: {max_body_bytes: 2000}\n"
    async with shop_under_test(tmp_path, config=config) as shop:
        body = b"{}"
        wrong = shopify_headers("orders/paid", body, "another secret", SHOP)
        privacy = shopify_headers("customers/redact", body, "another secret", SHOP)
        for headers, content, status in (
            (wrong, body, 403),
            (wrong, body, 403),
            (privacy, body, 401),
            (wrong, b" " * 3000, 413),
        ):
            response = await shop.http.post("/webhooks/shopify", content=content, headers=headers)
            assert response.status_code == status
        for path in ("/.env", "/wp-login.php", "/webhooks/shopify"):
            await shop.http.get(path)
        page = await scrape(shop.http)

    assert page.by("shopbot_rejected_requests_total", "route", "status") == {
        ("/webhooks/shopify", "403"): 2,
        ("/webhooks/shopify", "401"): 1,
        ("/webhooks/shopify", "413"): 1,
        ("/webhooks/shopify", "405"): 1,
        ("other", "404"): 2,
    }
    assert page.value("shopbot_events_total") == 0


async def test_the_messenger_webhook_is_timed_as_well(tmp_path: Path) -> None:
    verify = "verify:\n  - {use: messenger_hmac, app_secret: test-app-secret, verify_token: test-verify-token}\n"
    async with shop_under_test(tmp_path, config=CONFIG.replace("verify:\n", verify)) as shop:
        await shop.http.get("/webhooks/messenger", params={"hub.mode": "subscribe", "hub.verify_token": "wrong"})
        page = await scrape(shop.http)

    assert page.by("shopbot_request_seconds_count", "route", "status") == {("/webhooks/messenger", "403"): 1}
    assert page.by("shopbot_rejected_requests_total", "route", "status") == {("/webhooks/messenger", "403"): 1}


async def test_events_that_wait_are_read_from_the_store(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        for key, count in ((shop.keys.retries, 3), (shop.keys.held, 4), (shop.keys.parked, 5), (shop.keys.dead, 6)):
            later = time.time() * 1000 + 3_600_000
            await shop.store.zadd(key, {f"webhook:{n}": later for n in range(count)})
        page = await scrape(shop.http)

    names = ("shopbot_retries", "shopbot_held", "shopbot_dead_letters")
    assert [page.value(name, shop=SHOP) for name in names] == [3, 4, 6]


async def test_the_oldest_event_of_an_inbox_without_a_worker_grows_older(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        shop.host._worker.stop()
        assert shop.host._working is not None
        await shop.host._working
        now_ms = int(time.time() * 1000)
        await shop.store.xadd(shop.keys.inbox, {"id": "webhook:old"}, id=f"{now_ms - 90_000}-0")
        await shop.store.xadd(shop.keys.inbox, {"id": "webhook:new"})
        page = await scrape(shop.http)

    assert page.value("shopbot_inbox_events", shop=SHOP) == 2
    assert 90 <= page.value("shopbot_oldest_event_seconds", shop=SHOP) < 120


async def states(shop: ShopUnderTest) -> dict[tuple[str, ...], float]:
    page = await scrape(shop.http)
    return page.by("shopbot_channel_state", "channel", "state")


async def test_a_channel_is_in_one_state_at_a_time(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        assert await states(shop) == {(CHANNEL, "open"): 1, (CHANNEL, "paused"): 0, (CHANNEL, "down"): 0}

        shop.messenger.tokens.revoke()
        await shop.post("orders/paid", paid_order(psid=PSID))
        async with asyncio.timeout(60):
            while (await states(shop))[CHANNEL, "down"] != 1:
                await asyncio.sleep(0.01)
        assert await states(shop) == {(CHANNEL, "open"): 0, (CHANNEL, "paused"): 0, (CHANNEL, "down"): 1}

        until_ms = int(time.time() * 1000) + 60_000
        await shop.store.hset(shop.keys.channel(CHANNEL), mapping={"state": "paused", "until_ms": until_ms})
        assert (await states(shop))[CHANNEL, "paused"] == 1
        await shop.store.hset(shop.keys.channel(CHANNEL), mapping={"until_ms": 1})
        assert (await states(shop))[CHANNEL, "open"] == 1


POLLED = CONFIG + "pollers:\n  - {use: shopify_orders, access_token: test-admin-token, every: 1h}\n"


async def test_a_poller_shows_how_long_a_lost_webhook_could_have_gone_unnoticed(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=POLLED) as shop:
        key = shop.keys.poller("shopify_orders")
        await shop.store.delete(key)
        assert (await scrape(shop.http)).value("shopbot_poller_gap_seconds") == float("inf")

        now_ms = int(time.time() * 1000)
        await shop.store.hset(
            key,
            mapping={"last_success_ms": now_ms - 120_000, "orders": 70, "first_seen": 4, "last_error": "no"},
        )
        page = await scrape(shop.http)

    assert 120 <= page.value("shopbot_poller_gap_seconds", poller="shopify_orders") < 150
    assert page.value("shopbot_poller_failing", poller="shopify_orders") == 1
    assert page.value("shopbot_polled_orders_total", poller="shopify_orders") == 70
    assert page.value("shopbot_orders_first_seen_by_poll_total", poller="shopify_orders") == 4


async def test_a_store_that_is_away_takes_its_numbers_with_it_and_nothing_else(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    with EmbeddedServer(directory, restart_pauses_seconds=()) as server:
        async with shop_under_test(tmp_path, store_url=server.url) as shop:
            await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID)))
            assert server.pid is not None
            os.kill(server.pid, signal.SIGSTOP)
            try:
                page = await scrape(shop.http)
            finally:
                os.kill(server.pid, signal.SIGCONT)

            assert page.value("shopbot_store_up", shop=SHOP) == 0
            assert page.value("shopbot_events_total") == 1
            assert "shopbot_inbox_events" not in page.names

            async def up_again() -> bool:
                return (await scrape(shop.http)).value("shopbot_store_up", shop=SHOP) == 1

            await eventually(up_again, "the store is there again")


async def test_nothing_that_was_counted_is_counted_twice_by_scraping(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID)))
        pages: list[Scrape] = list(await asyncio.gather(*(scrape(shop.http) for _ in range(10))))

    assert {page.value("shopbot_events_total") for page in pages} == {1}


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/healthz"])
async def test_the_page_shows_no_shopper(tmp_path: Path, path: str) -> None:
    async with shop_under_test(tmp_path) as shop:
        body = order_bytes(paid_order(psid=PSID))
        headers = shopify_headers(f"orders/{PSID}", body, SECRET, SHOP)
        assert (await shop.http.post("/webhooks/shopify", content=body, headers=headers)).status_code == 200
        await shop.finished(await shop.post("orders/paid", body))
        text = (await shop.http.get(path)).text

    assert PSID not in text
