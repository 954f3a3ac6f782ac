"""A shopper's messages come in the order in which the orders came, whatever holds one of them up."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from functools import partial
from pathlib import Path

from shopbot.store.channels import PROBE_SECONDS
from shopbot.testing.host import PAGE_TOKEN, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault, MessengerSimulator
from support.attacked_shop import (
    PSID,
    MovedClock,
    a_page,
    address_of,
    another_process,
    config,
    echoing_config,
    names,
    post_orders,
    waiting,
)
from support.eventually import eventually

SHOPPERS = [f"{7_000_000_000_000_000 + n}" for n in range(12)]


def by_shopper(messenger: MessengerSimulator) -> dict[str, list[int]]:
    """Give the numbers of each shopper's orders, as the messages came."""
    found: dict[str, list[int]] = defaultdict(list)
    for sent in messenger.sent:
        number = re.search(r"#(\d+)", sent.text)
        assert number is not None
        found[sent.psid].append(int(number[1]))
    return found


async def one_order_each(shop: ShopUnderTest, turn: int) -> None:
    """Have each shopper pay an order; of one shopper the numbers grow with the turns."""
    await asyncio.gather(
        *(post_orders(shop, 1, psid=psid, first=100 * turn + place) for place, psid in enumerate(SHOPPERS))
    )


def in_turn(messenger: MessengerSimulator, turns: int) -> bool:
    """Say whether every shopper has read of all orders, in their order."""
    read = by_shopper(messenger)
    return read == {psid: [100 * turn + place for turn in range(turns)] for place, psid in enumerate(SHOPPERS)}


async def wait(shop: ShopUnderTest, count: int) -> bool:
    return await waiting(shop, "retries") == count


async def looked_again(shop: ShopUnderTest, event: str, before: float | None) -> bool:
    due = await shop.store.zscore(shop.keys.retries, event)
    return due is not None and due != before


async def in_doubt(shop: ShopUnderTest) -> bool:
    return await waiting(shop, "held") == 1


async def parked(shop: ShopUnderTest, count: int) -> bool:
    return await waiting(shop, "parked") == count


async def test_later_orders_wait_for_the_first_which_fails_twice(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        shop.messenger.inject(Fault.error(2), Fault.error(2))
        events = await post_orders(shop, 5, psid=PSID)

        await shop.messenger.wait_for_sent(5)

        assert names(shop.messenger) == [f"#{number}" for number in range(1001, 1006)]
        records = [await shop.finished(event) for event in events]
        assert [record.attempts for record in records] == [3, 1, 1, 1, 1]


async def test_whoever_waits_is_tried_as_soon_as_it_is_its_turn(tmp_path: Path) -> None:
    """Not at the next look: after a long wait that may be many seconds away."""
    clock, retry = MovedClock(), {"attempts": 3, "first": "1h", "max": "1h"}
    async with shop_under_test(tmp_path, config=config(retry=retry), clock=clock) as shop:
        shop.messenger.inject(Fault.error(2))
        events = await post_orders(shop, 4, psid=PSID)
        await eventually(lambda: wait(shop, 4), "all four wait")
        # As after an hour of waiting: nobody will look for long.
        await shop.store.zadd(shop.keys.retries, dict.fromkeys(events[1:], 9e12), xx=True)

        clock.move(hours=1)
        await shop.messenger.wait_for_sent(4)

        assert names(shop.messenger) == ["#1001", "#1002", "#1003", "#1004"]


async def test_waiting_does_not_fill_the_journal(tmp_path: Path) -> None:
    clock, retry = MovedClock(), {"attempts": 3, "first": "1h", "max": "1h"}
    async with shop_under_test(tmp_path, config=config(retry=retry), clock=clock) as shop:
        shop.messenger.inject(Fault.error(2))
        first, second = await post_orders(shop, 2, psid=PSID)
        for _ in range(3):
            await eventually(lambda: wait(shop, 2), "both wait")
            before = await shop.store.zscore(shop.keys.retries, second)
            clock.move(seconds=20)
            await eventually(partial(looked_again, shop, second, before), "it has looked whether it is its turn")

        clock.move(hours=1)
        await shop.messenger.wait_for_sent(2)

        record = await shop.finished(second)
        lines = [entry for entry in record.journal if entry.reason == "WAITING_FOR_EARLIER"]
        assert len(lines) == 2  # the step and the rule, once
        assert (await shop.finished(first)).status == "done"


async def test_two_processes_keep_every_shoppers_order(tmp_path: Path) -> None:
    page = MessengerSimulator(access_token=PAGE_TOKEN, latency_seconds=0.02)
    patient = config(retry={"attempts": 20, "first": "50ms", "max": "1s"})
    async with (
        shop_under_test(tmp_path, config=patient, messenger=page) as shop,
        another_process(shop, address_of(shop)),
    ):
        for turn in range(10):
            # Each shopper's next order comes when the one before was answered, as webhooks of one shop do.
            await one_order_each(shop, turn)
            shop.messenger.inject(Fault.error(2))
        await page.wait_for_sent(10 * len(SHOPPERS), timeout_seconds=60.0)

    assert in_turn(page, 10)


async def test_what_was_parked_goes_out_before_what_comes_when_the_channel_opens(tmp_path: Path) -> None:
    clock = MovedClock()
    async with shop_under_test(tmp_path, clock=clock) as shop:
        shop.messenger.tokens.revoke()
        for turn in range(3):
            await one_order_each(shop, turn)
        await eventually(lambda: parked(shop, 3 * len(SHOPPERS)), "all parked")

        shop.messenger.tokens.accept(PAGE_TOKEN)
        clock.move(seconds=PROBE_SECONDS + 1)
        for turn in range(3, 6):
            await one_order_each(shop, turn)
        await shop.messenger.wait_for_sent(6 * len(SHOPPERS), timeout_seconds=60.0)

        assert in_turn(shop.messenger, 6)


async def test_an_order_behind_one_in_doubt_waits_for_its_end_and_no_longer(tmp_path: Path) -> None:
    clock = MovedClock()
    async with shop_under_test(tmp_path, config=echoing_config(), messenger=a_page(), clock=clock) as shop:
        shop.messenger.inject(Fault.reset())
        first, second = await post_orders(shop, 2, psid=PSID)
        await eventually(lambda: in_doubt(shop), "the first is in doubt")
        await eventually(lambda: wait(shop, 1), "the second waits")
        assert shop.messenger.sent == []

        clock.move(minutes=1, seconds=1)
        record = await shop.finished(first)
        clock.move(seconds=20)
        await shop.finished(second)

        assert record.reason == "IN_DOUBT"
        assert names(shop.messenger) == ["#1002"]


async def test_nobody_waits_behind_a_dead_letter_that_was_purged(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        shop.messenger.inject(Fault.error(2).repeated(3))
        first = (await post_orders(shop, 1, psid=PSID))[0]
        assert (await shop.finished(first)).status == "failed"
        event = first
        await shop.store.zrem(shop.keys.dead, event)
        await shop.store.hset(shop.keys.event(event), "status", "purged")

        await post_orders(shop, 1, psid=PSID, first=1002)
        await shop.messenger.wait_for_sent(1)
