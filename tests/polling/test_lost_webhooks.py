"""Guarantee 7: a lost webhook is found within 5 minutes. The real host, the real plugin, simulated time."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from shopbot.testing.clock import ManualClock
from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import paid_order
from shopbot.testing.shopify import ShopifySimulator, Weather
from support.eventually import eventually

ORDERS = 500
ORDERS_AT_A_TIME = 8
STEP_SECONDS = 2
POLL_SECONDS = 60
INDEX_LAG_SECONDS = 30.0
PROMISE_SECONDS = 300.0

# The host's own schedule is on the real clock, so the test polls in its place; the host keeps the lease.
POLLERS = """
pollers:
  - use: shopify_orders
    every: 36500d
    overlap: 10m
    access_token: shpat_simulated
    api_url: ${SHOPIFY_URL}
"""


def psid_of(number: int) -> str:
    return f"73123456{number:08}"


class SimulatedShop:
    """A shop and everything around it, on one clock."""

    def __init__(self, clock: ManualClock, shop: ShopUnderTest, shopify: ShopifySimulator) -> None:
        self.clock = clock
        self.shop = shop
        self.shopify = shopify
        self.polls = 0
        self._poll_at = clock.now + POLL_SECONDS

    async def sell(self, number: int, *, webhooks_lost: bool) -> None:
        self.shopify.webhooks.weather = Weather(loss=1.0 if webhooks_lost else 0.0, duplication=0.1)
        self.shopify.place(paid_order(order_id=number, number=number, psid=psid_of(number)))

    async def let_time_pass(self) -> None:
        await self.shopify.webhooks.settled()
        await self._work_off()
        self.clock.advance(STEP_SECONDS)
        if self.clock.now >= self._poll_at:
            self._poll_at += POLL_SECONDS
            await self.poll()
            await self._work_off()

    async def poll(self) -> None:
        (parts,) = self.shop.host.pollers.parts
        await parts.poll.run(parts.lease.token)
        self.polls += 1

    async def _work_off(self) -> None:
        """Let the host finish what it can in this moment; sends at the channel's rate need the clock to go on."""
        for _ in range(2000):
            if not await self.shop.store.xlen(self.shop.keys.inbox):
                return
            self.clock.advance(0.002)
            await asyncio.sleep(0.002)
        raise AssertionError("the host does not work its inbox off")

    async def confirmed_after_seconds(self, number: int) -> float:
        mark = await self.shop.store.get(self.shop.shared.order_confirmation(psid_of(number), number))
        assert mark is not None, f"order {number} was not confirmed"
        order = self.shopify.orders.get(number)
        assert order is not None
        confirmed_at = datetime.fromisoformat(json.loads(mark)["confirmed_at"])
        return (confirmed_at - datetime.fromisoformat(order["created_at"])).total_seconds()


@pytest.mark.timeout(600)
async def test_every_order_is_confirmed_once_when_a_third_of_all_orders_lose_every_webhook(tmp_path: Path) -> None:
    clock, chance = ManualClock(), random.Random(7)  # noqa: S311 - the same bad day each time
    lost = set(chance.sample(range(1, ORDERS + 1), ORDERS // 3))
    shopify = ShopifySimulator(
        clock=clock, index_lag_seconds=INDEX_LAG_SECONDS, client_secret=SECRET, webhook_url="http://127.0.0.1:9"
    )
    messenger = MessengerSimulator(access_token=PAGE_TOKEN, clock=clock)
    async with (
        shopify.serve() as shopify_url,
        shop_under_test(
            tmp_path,
            config=CONFIG + POLLERS,
            messenger=messenger,
            environ={"SHOPIFY_URL": shopify_url},
            clock=lambda: datetime.fromtimestamp(clock.now, UTC),
        ) as shop,
    ):
        shopify.webhooks.url = f"{shop.url}/webhooks/shopify"
        (parts,) = shop.host.pollers.parts

        async def first_poll_is_over() -> bool:
            return (await parts.state.read()).polls == 1

        await eventually(first_poll_is_over, "the host's poller leads and has polled")
        simulated = SimulatedShop(clock, shop, shopify)
        for number in range(1, ORDERS + 1):
            await simulated.sell(number, webhooks_lost=number in lost)
            if number % ORDERS_AT_A_TIME == 0:
                await simulated.let_time_pass()
        for _ in range(int(POLL_SECONDS + INDEX_LAG_SECONDS) // STEP_SECONDS):
            await simulated.let_time_pass()

        seconds = {number: await simulated.confirmed_after_seconds(number) for number in range(1, ORDERS + 1)}
        assert all(len(messenger.sent_to(psid_of(number))) == 1 for number in range(1, ORDERS + 1))
        assert messenger.sent_count == ORDERS
        assert max(seconds.values()) < PROMISE_SECONDS
        assert max(seconds[number] for number in lost) < POLL_SECONDS + INDEX_LAG_SECONDS + 10
        record = await parts.state.read()
        assert record.total.first_seen == len(lost)
        ready = await shop.http.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["poller"]) == (httpx.codes.OK, "ok")
