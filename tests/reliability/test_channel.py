"""The Page as one channel: its token, its rate limits and its usage, seen alike by all processes."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from shopbot.messages.gate import Gate, Turn
from shopbot.store.channels import PROBE_SECONDS, Channels, Passage
from shopbot.store.keys import Keys
from shopbot.testing.host import PAGE_TOKEN, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault, MessengerSimulator, Usage
from support.attacked_shop import (
    MovedClock,
    address_of,
    an_order,
    another_process,
    config,
    logged,
    names,
    post_orders,
    readiness,
    rules_in,
    waiting,
)
from support.eventually import eventually
from support.stores import running_store

SHIPPED = Path(__file__).parents[2] / "shopbot.yaml"
CHANNEL = "messenger:102290129340398"
CALLS_A_SECOND = 300
"""Meta's cap for a Page.
https://developers.facebook.com/documentation/business-messaging/messenger-platform/overview/rate-limiting"""


def later(order: dict[str, Any], *, hours: int) -> str:
    return (datetime.fromisoformat(order["created_at"]) + timedelta(hours=hours)).isoformat()


async def all_parked(shop: ShopUnderTest, count: int) -> bool:
    return await waiting(shop, "parked") == count


class TestARevokedToken:
    async def test_parks_everything_without_using_up_attempts_and_says_so_once(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            shop.messenger.tokens.revoke()
            events = await post_orders(shop, 12)

            await eventually(lambda: all_parked(shop, 12), "all parked")

            records = [await shop.records.event(event) for event in events]
            assert {(r.status, r.reason, r.attempts) for r in records if r} == {("held", "CHANNEL_DOWN", 0)}
            assert len(logged(shop, "channel_down")) == 1
            status, checks = await readiness(shop)
            assert status == 503
            assert "messenger:102290129340398 is down" in checks["channel"]

    async def test_is_tried_with_few_messages_while_it_lasts(self, tmp_path: Path) -> None:
        clock = MovedClock()
        async with shop_under_test(tmp_path, clock=clock) as shop:
            shop.messenger.tokens.revoke()
            await post_orders(shop, 12)
            await eventually(lambda: all_parked(shop, 12), "all parked")
            before = len(shop.messenger.requests)

            for tried in (1, 2, 3):
                clock.move(seconds=PROBE_SECONDS + 1)
                await post_orders(shop, 1, first=2000 + tried)
                await shop.messenger.wait_for_requests(before + tried)
                await eventually(partial(all_parked, shop, 12 + tried), "all parked")
                await asyncio.sleep(0.2)

                assert len(shop.messenger.requests) - before == tried

    async def test_is_over_by_itself_once_the_platform_takes_the_token_again(self, tmp_path: Path) -> None:
        clock = MovedClock()
        async with shop_under_test(tmp_path, clock=clock) as shop:
            shop.messenger.tokens.revoke()
            await post_orders(shop, 5)
            await eventually(lambda: all_parked(shop, 5), "all parked")

            shop.messenger.tokens.accept(PAGE_TOKEN)
            clock.move(seconds=PROBE_SECONDS + 1)
            await post_orders(shop, 1, first=2000)
            await shop.messenger.wait_for_sent(6)

            assert sorted(names(shop.messenger)) == ["#1001", "#1002", "#1003", "#1004", "#1005", "#2000"]
            assert (await readiness(shop))[0] == 200
            assert len(logged(shop, "channel_up")) == 1

    async def test_an_order_that_is_cancelled_meanwhile_is_not_confirmed_afterwards(self, tmp_path: Path) -> None:
        clock = MovedClock()
        rules = rules_in(SHIPPED.read_text(encoding="utf-8"))
        async with shop_under_test(tmp_path, config=config(rules=rules), clock=clock) as shop:
            shop.messenger.tokens.revoke()
            events = await post_orders(shop, 2)
            await eventually(lambda: all_parked(shop, 2), "all parked")
            order = an_order(1001, "7000000000001001")
            cancelled = order | {"cancelled_at": later(order, hours=1), "updated_at": later(order, hours=1)}
            await shop.finished(await shop.post("orders/updated", cancelled))

            shop.messenger.tokens.accept(PAGE_TOKEN)
            clock.move(seconds=PROBE_SECONDS + 1)
            await post_orders(shop, 1, first=2000)
            await shop.messenger.wait_for_sent(2)
            record = await shop.finished(events[0])

            assert (record.status, record.reason) == ("skipped", "CANCELLED")
            assert sorted(names(shop.messenger)) == ["#1002", "#2000"]

    async def test_is_tried_soon_again_when_the_turn_went_to_a_message_that_could_not_go(self, tmp_path: Path) -> None:
        clock = MovedClock()
        async with shop_under_test(tmp_path, clock=clock) as shop:
            shop.messenger.tokens.revoke()
            await post_orders(shop, 3)
            await eventually(lambda: all_parked(shop, 3), "all parked")
            channels = Channels(shop.store, shop.keys)
            await channels.ask(CHANNEL, 1, clock() + timedelta(seconds=PROBE_SECONDS))
            shop.messenger.tokens.accept(PAGE_TOKEN)
            clock.move(seconds=PROBE_SECONDS + 1)
            assert shop.messenger.sent_count == 0

            await channels.probe_soon(CHANNEL)

            await shop.messenger.wait_for_sent(3)

    async def test_is_over_at_once_when_the_host_starts_with_a_new_token(self, tmp_path: Path) -> None:
        page = MessengerSimulator(access_token=PAGE_TOKEN)
        first = tmp_path / "first"
        first.mkdir()
        async with shop_under_test(first, messenger=page) as shop:
            page.tokens.revoke()
            page.tokens.accept("the-new-token")
            await post_orders(shop, 5)
            await eventually(lambda: all_parked(shop, 5), "all parked")

        async with shop_under_test(first, messenger=page, environ={"MESSENGER_PAGE_TOKEN": "the-new-token"}) as shop:
            await page.wait_for_sent(5, timeout_seconds=PROBE_SECONDS - 5.0)  # then it would be tried in any case

            assert sorted(names(page)) == [f"#{number}" for number in range(1001, 1006)]
            await eventually(lambda: all_parked(shop, 0), "nothing is parked")


class TestARateLimit:
    async def test_pauses_the_page_in_all_processes_until_the_stated_time(self, tmp_path: Path) -> None:
        clock = MovedClock()
        events: list[str] = []
        async with shop_under_test(tmp_path, clock=clock) as shop:
            async with another_process(shop, address_of(shop), clock):
                for code in (613, 80006):
                    shop.messenger.inject(Fault.error(code, regain_access_minutes=7))
                    before = len(shop.messenger.requests)
                    events += await post_orders(shop, 1, first=1000 + before)
                    await eventually(lambda: all_parked(shop, 1), "the first is parked")
                    events += await post_orders(shop, 10, first=3000 + before)
                    await eventually(lambda: all_parked(shop, 11), "all parked")

                    assert len(shop.messenger.requests) == before + 1
                    status, checks = await readiness(shop)
                    assert status == 503
                    assert "is paused until" in checks["channel"]

                    clock.move(minutes=5)
                    await asyncio.sleep(0.7)  # longer than between two looks
                    assert len(shop.messenger.requests) == before + 1

                    clock.move(minutes=2)
                    await eventually(lambda: all_parked(shop, 0), "the pause is over")
                    await shop.messenger.wait_for_requests(before + 12)

            sent = names(shop.messenger)
            assert len(sent) == len(set(sent)) == 22
            assert {(await shop.finished(event)).attempts for event in events} == {1}

    async def test_ends_early_rather_than_late_when_the_clock_is_put_back(self, tmp_path: Path) -> None:
        """A pause of minutes must not become one of days; a limit that still holds is simply stated again."""
        clock = MovedClock()
        clock.move(days=2)
        async with shop_under_test(tmp_path, clock=clock) as shop:
            shop.messenger.inject(Fault.error(613, regain_access_minutes=1))
            await post_orders(shop, 1)
            await eventually(lambda: all_parked(shop, 1), "paused")

            clock.move(days=-2)
            await shop.messenger.wait_for_sent(1)


class SlowChannels(Channels):
    """Channels whose store, or whose process, is now and then slow: before it takes a question, or with its answer."""

    async def ask(self, name: str, sends: int, now: datetime) -> Passage:
        await self._hold_up()
        answer = await super().ask(name, sends, now)
        await self._hold_up()
        return answer

    async def _hold_up(self) -> None:
        await asyncio.sleep(random.choice([0.0, 0.0, 0.01, 0.15]))  # noqa: S311 - guards nothing


class TestThePace:
    async def test_two_processes_together_stay_below_metas_cap(self, tmp_path: Path) -> None:
        orders, sender = 900, {"connections": 100, "timeout": "30s"}
        clock = MovedClock()
        page = MessengerSimulator(access_token=PAGE_TOKEN, latency_seconds=0.1, keep=orders)
        async with shop_under_test(tmp_path, config=config(sender=sender), messenger=page, clock=clock) as shop:
            page.tokens.revoke()  # let a backlog gather
            await asyncio.gather(*(post_orders(shop, 50, first=1000 + 50 * n) for n in range(orders // 50)))
            await eventually(lambda: all_parked(shop, orders), "a backlog")
            page.tokens.accept(PAGE_TOKEN)
            began = time.time()
            clock.move(seconds=PROBE_SECONDS + 1)
            async with another_process(shop, address_of(shop), clock):
                await page.wait_for_sent(orders, timeout_seconds=60.0)

        # However unevenly a busy machine lets the calls arrive, they cannot all be there earlier.
        assert (orders - 1) / (page.sent[-1].at - began) < CALLS_A_SECOND
        assert len({sent.psid for sent in page.sent}) == orders

    async def test_no_second_is_promised_to_more_calls_than_meta_takes(self, tmp_path: Path) -> None:
        """The gates of two processes, whose questions to the store and its answers take as long as it happens."""
        loop, began = asyncio.get_running_loop(), datetime.now(UTC)
        start = loop.time()

        def even_clock() -> datetime:
            """Tell the time by the loop's clock: the machine's own may be set meanwhile, and this is not about that."""
            return began + timedelta(seconds=loop.time() - start)

        async with running_store("embedded", tmp_path) as store:
            channels = [SlowChannels(store.client, Keys("acme.myshopify.com")) for _ in range(2)]
            gates = [Gate("messenger:1", each, even_clock) for each in channels]

            turns = await asyncio.gather(*(gate.passage() for gate in gates for _ in range(250)))

        moments = sorted(turn.moment for turn in turns if isinstance(turn, Turn))
        assert len(moments) == 500
        spans = [later - earlier for earlier, later in zip(moments, moments[CALLS_A_SECOND:], strict=False)]
        assert min(spans) > 1.0

    async def test_a_question_that_another_overtook_gives_no_moment_away_twice(self, tmp_path: Path) -> None:
        async with running_store("embedded", tmp_path) as store:
            channels = Channels(store.client, Keys("acme.myshopify.com"))
            now = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
            moments: list[float] = []
            for late_ms in (0, 0, 0, 0, 10, 50, 150, 0, 900):
                answer = await channels.ask("messenger:1", 16, now - timedelta(milliseconds=late_ms))
                first = answer.first_seconds - late_ms / 1000
                moments += [first + answer.gap_seconds * number for number in range(answer.granted)]

        gaps = [later - earlier for earlier, later in zip(sorted(moments), sorted(moments)[1:], strict=False)]
        assert len(moments) > 50
        assert min(gaps) > 1 / CALLS_A_SECOND

    async def test_a_page_that_is_nearly_at_its_quota_is_spared(self, tmp_path: Path) -> None:
        """At 95 % a quarter of the rate is left; the header comes with every answer."""
        page = MessengerSimulator(access_token=PAGE_TOKEN)
        page.app_usage = Usage(call_count=95)
        async with shop_under_test(tmp_path, messenger=page) as shop:
            await post_orders(shop, 1)
            await page.wait_for_sent(1)
            await post_orders(shop, 60, first=2000)
            await page.wait_for_sent(61, timeout_seconds=60.0)

        gaps = [later.at - earlier.at for earlier, later in zip(page.sent[1:], page.sent[2:], strict=False)]
        # 290 a second would be 3.4 ms apart; the machine may be slow, but never faster than the gate.
        assert sorted(gaps)[len(gaps) // 2] > 0.010
        assert time.time() > page.sent[-1].at
