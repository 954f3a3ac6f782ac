"""No sequence of acts, orders and clock steps makes Messenger refuse a send for window, tag or template reasons."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
import uvloop
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from shopbot.testing.host import ShopUnderTest
from shopbot.testing.messenger import Delivery, Fault
from shopbot.testing.orders import order_bytes, paid_order
from support.attacked_shop import MovedClock
from support.conversation import CONFIG, fulfillment, fulfillment_event, refund, talking_shop
from support.eventually import eventually
from support.orders import order_ids, shoppers

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
CONFIG_WITH_PATIENCE = CONFIG.replace(
    "retry: {attempts: 3, first: 50ms, factor: 2, max: 1s}", "retry: {attempts: 8, first: 10m, factor: 6, max: 12h}"
)
"""Retries wait for hours, so that the window of a message that is tried again may be another one."""

TEXTS = ("Hello", "Where's my order?", "Wo ist meine Bestellung?", "stop", "start", "order status")
STEPS = (MINUTE, 9 * MINUTE, HOUR, 12 * HOUR, 23.8 * HOUR, 23.9 * HOUR, DAY, 6 * DAY, 8 * DAY)


class World:
    """The running shop and its clock, for all examples of the test."""

    def __init__(self, shop: ShopUnderTest, clock: MovedClock, runner: asyncio.Runner) -> None:
        self.shop = shop
        self.clock = clock
        self.psids = shoppers()
        self.order_ids = order_ids()
        self._runner = runner
        self.sent: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self._counted = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever the work gives
        return self._runner.run(work)

    async def quiet(self) -> None:
        """Wait until the shop has done all that can be done now."""
        await eventually(self._is_quiet, "the shop comes to rest")

    async def _is_quiet(self) -> bool:
        store, keys = self.shop.store, self.shop.keys
        now_ms = int(self.clock.seconds() * 1000)
        # At one moment: an event that is due goes from one of them to another.
        async with store.pipeline(transaction=True) as pipeline:
            pipeline.xlen(keys.inbox)
            pipeline.zcount(keys.retries, "-inf", now_ms)
            pipeline.zcount(keys.held, "-inf", now_ms)
            pipeline.zcard(keys.parked)
            *due, parked = await pipeline.execute()
        return not any(due) and (not parked or await self.shop.host.channel_problem() is not None)

    def check(self) -> None:
        """Fail on anything that Messenger has refused, and remember what it took."""
        calls = self.shop.messenger.requests[self._counted :]
        self._counted += len(calls)
        refused = [(call.code, call.subcode, call.raw) for call in calls if call.outcome == "rejected"]
        assert refused == []
        self.sent.update(call.raw["messaging_type"] for call in calls if call.outcome == "accepted")


class Conversation(RuleBasedStateMachine):
    """Two shoppers, one Page, and time."""

    world: ClassVar[World]

    @initialize()
    def begin(self) -> None:
        self.psids = [next(self.world.psids) for _ in range(2)]
        self.orders: list[int] = []
        self.mids: list[str] = []
        self.stepped_back = False
        self.world.run(self.settle())

    async def settle(self) -> None:
        await self.world.quiet()
        self.world.check()

    def act(self, work: Coroutine[Any, Any, Delivery]) -> None:
        """Do something in Messenger and let the shop react."""

        async def both() -> None:
            delivery = await work
            assert delivery.accepted
            self.mids += delivery.mids
            await self.settle()

        self.world.run(both())

    def tell(self, topic: str, body: dict[str, Any]) -> None:
        """Deliver a Shopify webhook and let the shop react."""

        async def both() -> None:
            await self.world.shop.post(topic, order_bytes(body))
            await self.settle()

        self.world.run(both())

    @rule(who=st.integers(0, 1), text=st.sampled_from(TEXTS))
    def says(self, who: int, text: str) -> None:
        self.act(self.world.shop.messenger.say(self.psids[who], text))

    @rule(who=st.integers(0, 1), kind=st.sampled_from(["tap", "postback"]), which=st.integers(0, 3))
    def taps(self, who: int, kind: str, which: int) -> None:
        payload = f"ORDER_STATUS:{self.orders[which]}" if which < len(self.orders) else "ORDER_STATUS"
        self.act(getattr(self.world.shop.messenger, kind)(self.psids[who], payload))

    @rule(who=st.integers(0, 1), what=st.sampled_from(["referral", "react", "sticker", "read", "standby"]))
    def does_something_else(self, who: int, what: str) -> None:
        messenger, psid = self.world.shop.messenger, self.psids[who]
        self.act(
            {
                "referral": lambda: messenger.referral(psid, "a-link"),
                "react": lambda: messenger.react(psid, "m_1"),
                "sticker": lambda: messenger.sticker(psid),
                "read": lambda: messenger.read(psid),
                "standby": lambda: messenger.standby(psid, "Where's my order?"),
            }[what]()
        )

    @rule(who=st.integers(0, 1), text=st.sampled_from(TEXTS), late_seconds=st.sampled_from(STEPS))
    def says_what_is_delivered_late(self, who: int, text: str, late_seconds: float) -> None:
        messenger, psid = self.world.shop.messenger, self.psids[who]
        messenger.people.acted(psid)
        event = messenger._text(psid, text, None)
        self.time_passes(late_seconds)
        self.act(messenger.webhooks.deliver([event]))

    @rule(who=st.integers(0, 1))
    def opts_in_on_a_page_elsewhere(self, who: int) -> None:
        self.act(self.world.shop.messenger.optin(self.psids[who], ref="a-page"))

    @precondition(lambda self: self.mids)
    @rule(data=st.data())
    def the_same_comes_again(self, data: st.DataObject) -> None:
        mid = data.draw(st.sampled_from(self.mids))
        self.act(self.world.shop.messenger.redeliver(mid))

    @rule(who=st.integers(0, 1), status=st.sampled_from(["paid", "paid", "pending"]))
    def orders_something(self, who: int, status: str) -> None:
        self.orders.insert(0, next(self.world.order_ids))
        self.tell("orders/create", paid_order(order_id=self.orders[0], psid=self.psids[who], financial_status=status))

    @precondition(lambda self: self.orders)
    @rule(what=st.sampled_from(["paid", "shipped", "delivered", "refunded"]), which=st.integers(0, 1))
    def news_come(self, what: str, which: int) -> None:
        order_id = self.orders[which % len(self.orders)]
        number = order_id % 1_000_000
        topic, body = {
            "paid": ("orders/paid", paid_order(order_id=order_id, psid=self.psids[0])),
            "shipped": ("fulfillments/create", fulfillment(order_id, fulfillment_id=number)),
            "delivered": ("fulfillment_events/create", fulfillment_event(order_id, "delivered", fulfillment_id=number)),
            "refunded": ("refunds/create", refund(order_id, refund_id=number)),
        }[what]
        self.tell(topic, body)

    @rule(
        fault=st.sampled_from([Fault.error(1200), Fault.error(2), Fault.http(503, retry_after_seconds=60)]),
        times=st.integers(1, 2),
    )
    def messenger_has_a_bad_moment(self, fault: Fault, times: int) -> None:
        self.world.shop.messenger.inject(fault.repeated(times))

    @rule(seconds=st.sampled_from(STEPS))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.move(seconds=seconds)
        self.world.run(self.settle())

    @precondition(lambda self: not self.stepped_back)
    @rule()
    def the_clock_is_set_back_a_little(self) -> None:
        self.stepped_back = True
        self.world.clock.move(seconds=-5 * MINUTE)
        self.world.run(self.settle())

    def teardown(self) -> None:
        """Let all that waits come to its end, so that it cannot fall into the next example."""
        self.world.shop.messenger.faults.clear()
        for _ in range(8):
            self.world.clock.move(days=1)
            self.world.run(self.settle())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clock = MovedClock()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        shop = runner.run(
            stack.enter_async_context(
                talking_shop(tmp_path, config=CONFIG_WITH_PATIENCE, seconds=clock.seconds, window="closed")
            )
        )
        try:
            yield World(shop, clock, runner)
        finally:
            runner.run(stack.aclose())


def test_messenger_never_has_to_refuse_a_message(world: World) -> None:
    class Here(Conversation):
        pass

    Here.world = world
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=60,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # The clock goes on from example to example, so that a failing one cannot be made smaller.
            phases=[Phase.generate],
            database=None,
        ),
    )

    # Else the test would have tried nothing.
    assert set(world.sent) == {"RESPONSE", "UPDATE", "UTILITY"}
