"""The store dies, is full, or its disk is: what was answered 200 is kept, what cannot be kept is answered 503."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from redis.exceptions import RedisError

from shopbot.store.embedded import EmbeddedServer, url_for
from shopbot.testing.host import SECRET, SHOP, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.webhooks import shopify_headers
from support.attacked_shop import MovedClock, an_order, names, post_orders, waiting
from support.eventually import eventually
from support.host_process import host_running, needs_proc, simulator
from support.small_disk import MEBIBYTE, fill, small_disk


@asynccontextmanager
async def store(directory: Path) -> AsyncIterator[EmbeddedServer]:
    server = EmbeddedServer(directory)
    await asyncio.to_thread(server.start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)


async def status_of(shop: ShopUnderTest, number: int, *, padding: int = 0) -> int:
    """Deliver an order's webhook once and give the answer's status; again with the same id by calling it again."""
    body = paid_order(order_id=number, number=number, psid=f"{7_000_000_000_000_000 + number}", note="x" * padding)
    raw = order_bytes(body)
    headers = shopify_headers("orders/paid", raw, SECRET, SHOP, webhook_id=f"order-{number}")
    response = await shop.http.post("/webhooks/shopify", content=raw, headers=headers)
    return response.status_code


async def all_confirmed(shop: ShopUnderTest, count: int) -> bool:
    assert not await waiting(shop, "dead")
    return len(shop.messenger.sent) >= count


async def test_a_store_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The processes live on, so that they know of every send how it ended: nothing comes into doubt."""
    page = MessengerSimulator(access_token="test-page-token", latency_seconds=0.02)
    async with (
        store(tmp_path / "store") as server,
        shop_under_test(tmp_path, messenger=page, store_url=server.url) as shop,
    ):
        acknowledged: set[int] = set()

        async def deliver(number: int) -> None:
            while await status_of(shop, number) != httpx.codes.OK:
                await asyncio.sleep(0.05)
            acknowledged.add(number)

        for turn in range(5):
            orders = [asyncio.create_task(deliver(1000 + 20 * turn + n)) for n in range(20)]
            await asyncio.sleep(0.03 * turn)
            assert server.pid is not None
            with contextlib.suppress(ProcessLookupError):  # it is still down
                os.kill(server.pid, signal.SIGKILL)
            await asyncio.gather(*orders)

        assert len(acknowledged) == 100
        await eventually(lambda: answers(shop), "the store is up")
        await eventually(lambda: all_confirmed(shop, 100), "all are confirmed", limit_seconds=100.0)
        await eventually(lambda: nothing_waits(shop), "nothing waits")

    assert sorted(names(page)) == sorted(f"#{number}" for number in acknowledged)


async def answers(shop: ShopUnderTest) -> bool:
    with contextlib.suppress(RedisError, OSError):
        return bool(await shop.store.ping())
    return False


async def nothing_waits(shop: ShopUnderTest) -> bool:
    counts = [await waiting(shop, name) for name in ("retries", "held", "parked", "dead")]
    return not any(counts) and not await shop.store.xlen(shop.keys.inbox)


async def test_a_full_store_turns_webhooks_away_and_goes_on_once_there_is_room(tmp_path: Path) -> None:
    async with store(tmp_path / "store") as server:
        async with shop_under_test(tmp_path, store_url=server.url) as shop:
            shop.messenger.tokens.revoke()  # let a backlog gather
            await post_orders(shop, 3)
            await eventually(lambda: three_parked(shop), "a backlog")
            used = int((await shop.store.info("memory"))["used_memory"])
            await shop.store.config_set("maxmemory", used + 2 * MEBIBYTE)

            statuses = {number: await status_of(shop, number, padding=300_000) for number in range(2000, 2020)}
            acknowledged = [number for number, status in statuses.items() if status == httpx.codes.OK]
            assert set(statuses.values()) == {200, 503}
            assert (await shop.http.get("/readyz")).status_code == 503

            await shop.store.config_set("maxmemory", 0)
            shop.messenger.tokens.accept("test-page-token")
            await shop.store.hdel(shop.keys.channel("messenger:102290129340398"), "probed_ms")
            for number in range(2000, 2020):
                assert await status_of(shop, number, padding=300_000) == httpx.codes.OK
            await eventually(lambda: all_confirmed(shop, 23), "all are confirmed")
            await eventually(lambda: nothing_waits(shop), "nothing waits")

        assert acknowledged
        assert len(set(names(shop.messenger))) == len(names(shop.messenger)) == 23


async def three_parked(shop: ShopUnderTest) -> bool:
    return await waiting(shop, "parked") == 3


@needs_proc
async def test_a_full_disk_loses_nothing_that_was_acknowledged_and_the_host_goes_on_with_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24) as disk:
        async with simulator() as (messenger, url), host_running(disk, url) as host:

            async def answer(number: int) -> int | None:
                raw = order_bytes(an_order(number, f"{7_000_000_000_000_000 + number}") | {"note": "x" * 200_000})
                headers = shopify_headers("orders/paid", raw, SECRET, SHOP, webhook_id=f"order-{number}")
                try:
                    return (await host.http.post("/webhooks/shopify", content=raw, headers=headers)).status_code
                except httpx.TransportError:
                    return None

            assert await answer(1000) == httpx.codes.OK
            ballast = fill(disk, left_bytes=MEBIBYTE)
            answers = {number: await answer(number) for number in range(1001, 1016)}
            assert {httpx.codes.OK} < set(answers.values())
            ballast.unlink()

            async def taken() -> bool:
                return await answer(2000) == httpx.codes.OK

            await eventually(taken, "the store is back")
            acknowledged = {1000, 2000} | {number for number, status in answers.items() if status == httpx.codes.OK}

            async def confirmed() -> bool:
                return {f"#{number}" for number in acknowledged} <= set(names(messenger))

            await eventually(confirmed, "what was acknowledged is confirmed")
            assert len(set(names(messenger))) == len(names(messenger))
            assert url_for(disk / "data")


async def test_a_clock_that_is_put_back_loses_and_doubles_nothing(tmp_path: Path) -> None:
    clock = MovedClock()
    async with shop_under_test(tmp_path, clock=clock) as shop:
        events = await post_orders(shop, 5)
        assert {(await shop.finished(event)).status for event in events} == {"done"}
        clock.move(hours=-3)
        again = [
            await shop.post("orders/updated", an_order(1001 + n, f"{7_000_000_000_001_001 + n}")) for n in range(5)
        ]
        events += await post_orders(shop, 5, first=2001)
        await shop.messenger.wait_for_sent(10)
        clock.move(hours=3)

        assert {(await shop.finished(event)).status for event in events} == {"done"}
        assert {(await shop.finished(event)).reason for event in again} == {"ALREADY_CONFIRMED"}
        assert len(set(names(shop.messenger))) == len(shop.messenger.sent) == 10
