"""`limit: 1/day`: decided together with the claim, given back when nothing was sent, and held messages go out alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shopbot.store.records import EventRecord
from shopbot.testing.host import PAGE_TOKEN, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault, MessengerSimulator
from support.attacked_shop import (
    PSID,
    MovedClock,
    address_of,
    another_process,
    config,
    message,
    names,
    next_due_ms,
    post_orders,
    waiting,
)
from support.eventually import eventually


def limited(**settings: Any) -> str:  # noqa: ANN401 - YAML
    """One confirmation per shopper and day, outside the standard window."""
    return config(messages=message(limit="1/day", **settings))


async def held(shop: ShopUnderTest) -> bool:
    return await waiting(shop, "retries") == 1


async def over_the_limit(shop: ShopUnderTest, event: str) -> EventRecord | None:
    record = await shop.records.event(event)
    return record if record is not None and record.reason == "LIMIT_REACHED" else None


async def in_doubt(shop: ShopUnderTest) -> bool:
    return await waiting(shop, "held") == 1


async def test_of_two_orders_on_one_day_one_is_confirmed_now_and_one_a_day_later(tmp_path: Path) -> None:
    clock = MovedClock()
    async with shop_under_test(tmp_path, config=limited(), clock=clock) as shop:
        first, second = await post_orders(shop, 2, psid=PSID)
        await shop.finished(first)
        record = await eventually(lambda: over_the_limit(shop, second), "the second is held")
        assert record is not None
        assert (record.status, record.attempts) == ("deferred", 0)
        assert names(shop.messenger) == ["#1001"]

        due_ms = await next_due_ms(shop, "retries")
        assert due_ms is not None
        assert 86_100 < due_ms / 1000 - clock.seconds() <= 86_400
        clock.move_to(due_ms)
        await shop.messenger.wait_for_sent(2)

        assert names(shop.messenger) == ["#1001", "#1002"]


async def test_a_held_message_goes_out_by_itself_after_a_restart(tmp_path: Path) -> None:
    clock, page = MovedClock(), MessengerSimulator(access_token=PAGE_TOKEN)
    async with shop_under_test(tmp_path, config=limited(), clock=clock, messenger=page) as shop:
        await post_orders(shop, 2, psid=PSID)
        await page.wait_for_sent(1)
        await eventually(lambda: held(shop), "one is held")

    clock.move(days=1)
    async with shop_under_test(tmp_path, config=limited(), clock=clock, messenger=page):
        await page.wait_for_sent(2)

    assert len(set(names(page))) == 2


async def test_what_is_over_the_limit_is_dropped_where_the_shop_says_so(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=limited(on_limit="drop")) as shop:
        first, second = await post_orders(shop, 2, psid=PSID)

        assert (await shop.finished(first)).status == "done"
        record = await shop.finished(second)
        assert (record.status, record.reason) == ("skipped", "LIMIT_REACHED")
        assert names(shop.messenger) == ["#1001"]


async def test_a_message_that_was_refused_leaves_the_days_message_to_the_next(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=limited()) as shop:
        shop.messenger.inject(Fault.error(551))
        first, second = await post_orders(shop, 2, psid=PSID)

        assert (await shop.finished(first)).status == "failed"
        assert (await shop.finished(second)).status == "done"
        assert names(shop.messenger) == ["#1002"]


async def test_a_message_that_is_tried_again_counts_once(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=limited()) as shop:
        shop.messenger.inject(Fault.error(2), Fault.error(1200))
        event = (await post_orders(shop, 1, psid=PSID))[0]

        record = await shop.finished(event)

        assert (record.status, record.attempts) == ("done", 3)
        assert await shop.store.zcard(shop.keys.limit("order_update", PSID)) == 1


async def test_a_message_that_may_have_been_sent_counts(tmp_path: Path) -> None:
    clock = MovedClock()
    async with shop_under_test(tmp_path, config=limited(on_limit="drop"), clock=clock) as shop:
        shop.messenger.inject(Fault.accept_then_drop())
        first, second = await post_orders(shop, 2, psid=PSID)
        await eventually(lambda: in_doubt(shop), "the first is in doubt")
        await eventually(lambda: held(shop), "the second waits for it")
        clock.move(minutes=2, seconds=1)
        assert (await shop.finished(first)).reason == "IN_DOUBT"
        clock.move(minutes=1)

        assert (await shop.finished(second)).reason == "LIMIT_REACHED"
        assert len(shop.messenger.sent) == 1


async def test_two_processes_at_the_same_moment_send_one(tmp_path: Path) -> None:
    clock = MovedClock()
    async with (
        shop_under_test(tmp_path, config=limited(), clock=clock) as shop,
        another_process(shop, address_of(shop), clock),
    ):
        await post_orders(shop, 10, psid=PSID)
        await shop.messenger.wait_for_sent(1)
        await eventually(lambda: nine_held(shop), "nine are held")
        assert names(shop.messenger) == ["#1001"]

        clock.move(days=1)
        await shop.messenger.wait_for_sent(2)
        await eventually(lambda: eight_held(shop), "eight are held")
        assert len(shop.messenger.sent) == 2


async def nine_held(shop: ShopUnderTest) -> bool:
    return await waiting(shop, "retries") == 9


async def eight_held(shop: ShopUnderTest) -> bool:
    return await waiting(shop, "retries") == 8


async def test_a_shopper_who_writes_within_the_day_is_not_limited(tmp_path: Path) -> None:
    """The limit is for messages outside the standard window, which the shopper has just opened."""
    clock = MovedClock()
    async with shop_under_test(tmp_path, config=limited(), clock=clock) as shop:
        moment = str(int(clock.seconds() * 1000))
        await shop.store.set(shop.keys.conversation(PSID), moment)
        await post_orders(shop, 3, psid=PSID)
        await shop.messenger.wait_for_sent(3)

        assert names(shop.messenger) == ["#1001", "#1002", "#1003"]
