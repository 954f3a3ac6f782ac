"""Attempts at an event: what is tried again and how often, and orders that no attempt may stumble over."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shopbot.testing.clock import MovedClock
from shopbot.testing.host import CONFIG, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import paid_order
from support.conversation import ended, fulfillment, talking_shop, tell
from support.eventually import eventually
from support.orders import ending, order_ids, shoppers, steps

PSID = "7312345678901234"
ORDER_ID = 830_517_264_905_318_211
TEMPORARY = Fault.error(1200)


class TestRetries:
    async def test_a_failed_send_is_tried_again_and_earlier_steps_are_not(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            shop.messenger.inject(TEMPORARY)
            record = await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID)))

        assert (record.status, record.attempts) == ("done", 2)
        assert len(shop.messenger.sent) == 1
        done = Counter(step for step, status, _ in steps(record) if status == "done")
        assert done["2:clear_cart"] == done["3:save_order_reference"] == done["4:send_message"] == 1
        assert ("4:send_message", "deferred", "MESSAGE_SEND_FAILED") in steps(record)

    async def test_another_event_of_the_order_may_carry_the_message_while_the_first_one_waits(
        self, tmp_path: Path
    ) -> None:
        async with shop_under_test(tmp_path) as shop:
            shop.messenger.inject(TEMPORARY)
            first = await shop.post("orders/create", paid_order(psid=PSID))
            await shop.messenger.wait_for_requests(1)
            second = await shop.post("orders/paid", paid_order(psid=PSID))
            ends = sorted([ending(await shop.finished(first)), ending(await shop.finished(second))])

        assert len(shop.messenger.sent) == 1
        assert ends in (["ALREADY_CONFIRMED", "done"], ["IN_PROGRESS", "done"])

    async def test_a_message_that_meta_refuses_for_good_is_a_dead_letter_at_once(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            shop.messenger.block(PSID)
            event_id = await shop.post("orders/paid", paid_order(psid=PSID))
            record = await shop.finished(event_id)
            dead = await shop.store.zscore(shop.keys.dead, event_id)
            body = await shop.store.hexists(shop.keys.event(event_id), "body")

        assert (record.status, record.reason, record.attempts) == ("failed", "MESSAGE_SEND_FAILED", 1)
        assert dead is not None
        assert body
        assert len(shop.messenger.requests) == 1

    @pytest.mark.parametrize(("first", "asked_seconds", "shortest_wait_seconds"), [("50ms", 900, 900), ("1h", 1, 2700)])
    async def test_it_waits_as_long_as_the_platform_asks_and_as_the_settings_say(
        self, tmp_path: Path, first: str, asked_seconds: int, shortest_wait_seconds: int
    ) -> None:
        """Whichever is longer; of the settings' wait three quarters are certain."""
        clock = MovedClock()
        config = CONFIG.replace("first: 50ms", f"first: {first}").replace("max: 1s", "max: 1h")
        async with shop_under_test(tmp_path, config=config, clock=clock) as shop:
            posted_at = clock.seconds()
            shop.messenger.inject(Fault.http(503, retry_after_seconds=asked_seconds))
            event_id = await shop.post("orders/paid", paid_order(psid=PSID))
            due_ms = await eventually(lambda: shop.store.zscore(shop.keys.retries, event_id), "it waits")
            assert due_ms is not None
            assert due_ms / 1000 - posted_at >= shortest_wait_seconds - 1  # the store keeps whole milliseconds

            clock.move_to(due_ms)
            record = await shop.finished(event_id)

        assert (record.status, record.attempts) == ("done", 2)

    async def test_when_the_attempts_are_used_up_it_is_a_dead_letter(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            shop.messenger.inject(TEMPORARY.repeated(None))
            record = await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID)))

        assert (record.status, record.reason, record.attempts) == ("failed", "MESSAGE_SEND_FAILED", 3)
        assert len(shop.messenger.requests) == 3

    async def test_what_an_earlier_attempt_has_found_is_found_again_for_the_message(self, tmp_path: Path) -> None:
        """Orders are not kept between attempts: a retried answer would else say that there is none."""
        async with talking_shop(tmp_path) as shop:
            await tell(shop, "orders/paid", paid_order(order_id=ORDER_ID, psid=PSID))
            shop.messenger.inject(TEMPORARY.to(PSID))
            asked = await ended(shop, await shop.messenger.say(PSID, "Where's my order?"))
            shop.messenger.inject(TEMPORARY.to(PSID))
            shipped = await tell(shop, "fulfillments/create", fulfillment(ORDER_ID))
            texts = [message.text for message in shop.messenger.sent_to(PSID)[-2:]]

        assert [(record.status, record.attempts) for record in (asked, shipped)] == [("done", 2)] * 2
        assert texts[0].startswith("Order #1234")
        assert texts[1].startswith("Your order #1234 is on its way!")


class TestBounds:
    async def test_no_more_events_are_worked_on_at_a_time_than_configured(self, tmp_path: Path) -> None:
        """And no more are taken out of the inbox, so that other processes can have them."""
        psids, orders = shoppers(), order_ids()
        async with shop_under_test(tmp_path, config=CONFIG + "worker: {concurrency: 2}\n") as shop:
            shop.messenger.inject(Fault.hang(0.2).repeated(4))
            events = await asyncio.gather(
                *(shop.post("orders/paid", paid_order(order_id=next(orders), psid=next(psids))) for _ in range(20))
            )
            await shop.messenger.wait_for_requests(1)
            (group,) = await shop.store.xinfo_groups(shop.keys.inbox)
            ends = [(await shop.finished(event)).status for event in events]
            logged = {line["event"] for line in shop.logs.entries}

        assert group["pending"] <= 2
        assert ends == ["done"] * 20
        assert "store_away" not in logged


class TestUnusualOrders:
    async def test_an_order_like_no_other_is_journalled_and_does_not_stop_those_after_it(self, tmp_path: Path) -> None:
        """Each body is signed, so it is Shopify's: whatever is in it, one event must not end the worker."""
        orders = order_ids()

        def body(**fields: Any) -> bytes:  # noqa: ANN401 - any JSON value
            return json.dumps({**paid_order(order_id=next(orders), psid=PSID), **fields}).encode()

        bodies = {
            "half a surrogate pair in the name": (body(name="#1\ud800"), {"done"}),
            "half a surrogate pair in the status": (body(financial_status="\ud800"), {"NOT_PAID"}),
            "half a surrogate pair in the psid": (
                body(note_attributes=[{"name": "psid", "value": "\udfff"}]),
                {"PSID_NOT_TRUSTED"},
            ),
            "an endless status": (body(financial_status="x" * 500_000), {"NOT_PAID"}),
            "an id beyond all bounds": (body(id=10**400), {"done", "WEBHOOK_PROCESSING_ERROR"}),
            "an id that is true": (body(id=True), {"WEBHOOK_PROCESSING_ERROR"}),
            "an id that is a fraction": (body(id=1.5), {"WEBHOOK_PROCESSING_ERROR"}),
            "only an id": (b'{"id": 77}', {"NOT_PAID"}),
            "null": (b"null", {"WEBHOOK_PROCESSING_ERROR"}),
            "a list": (b"[]", {"WEBHOOK_PROCESSING_ERROR"}),
            "an endless total": (body(total_price="1e999999", total_price_set=None), {"done"}),
            "the last of all days": (body(created_at="9999-12-31T23:59:59Z"), {"done", "WEBHOOK_PROCESSING_ERROR"}),
            "the first of all days": (
                body(created_at="0001-01-01T00:00:00+14:00"),
                {"done", "WEBHOOK_PROCESSING_ERROR"},
            ),
            "attributes as a mapping": (body(note_attributes={"psid": PSID}), {"PSID_NOT_FOUND"}),
            "a psid as a number": (body(note_attributes=[{"name": "psid", "value": int(PSID)}]), {"done"}),
            "lines of all kinds": (
                body(line_items=[None, 1, [], {"quantity": "x", "price": "abc"}, {"quantity": 10**30}]),
                {"done"},
            ),
            "a customer that is a list": (body(customer=[1], fulfillments=None, tags=7), {"done"}),
        }
        async with shop_under_test(tmp_path) as shop:
            for name, (raw, expected) in bodies.items():
                record = await shop.finished(await shop.post("orders/paid", raw))
                assert ending(record) in expected, name
                assert record.journal, name
            last = await shop.finished(await shop.post("orders/paid", body()))

            assert last.status == "done"
            assert (await shop.http.get("/readyz")).status_code == 200

    async def test_what_an_order_says_is_text_and_never_a_template(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            for order_id, name in enumerate(("{{ 7 * 7 }}", "{% raw %}", "#" + "9" * 5_000), start=1):
                body = paid_order(order_id=order_id, psid=PSID, name=name)
                assert (await shop.finished(await shop.post("orders/paid", body))).status == "done"
            texts = [message.text for message in shop.messenger.sent]

        assert "Order {{ 7 * 7 }}\n" in texts[0]
        assert "Order {% raw %}\n" in texts[1]
        assert len(texts[2]) <= 2_000
        assert texts[2].endswith("9…")

    async def test_a_shared_key_that_the_bot_uses_for_something_else_does_not_block_the_worker(
        self, tmp_path: Path
    ) -> None:
        """No waiting mends it, so it must not count as a store that is away."""
        async with shop_under_test(tmp_path) as shop:
            await shop.store.hset(shop.shared.order_reference(PSID, ORDER_ID), "a", "b")
            event_id = await shop.post("orders/paid", paid_order(psid=PSID))
            record = await shop.finished(event_id)
            dead = await shop.store.zscore(shop.keys.dead, event_id)

        assert (record.status, record.reason) == ("failed", "WEBHOOK_PROCESSING_ERROR")
        assert dead is not None

    async def test_a_store_that_lost_its_data_is_worked_with_again(self, tmp_path: Path) -> None:
        """A server without an append-only file that restarts has lost the consumer group as well."""
        async with shop_under_test(tmp_path) as shop:
            await shop.store.flushall()
            record = await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID)))

        assert record.status == "done"
