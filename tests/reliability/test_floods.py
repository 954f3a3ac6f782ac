"""Too much of something: huge bodies, and one webhook ten thousand times."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import httpx

from shopbot.testing.host import CONFIG, SECRET, SHOP, ShopUnderTest, shop_under_test
from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.webhooks import shopify_headers
from support.attacked_shop import PSID, an_order, names

MEBIBYTE = 1024 * 1024
DUPLICATES = 10_000
PATIENT = CONFIG + "web: {request_time_limit: 5m}\n"
"""A busy machine takes longer over so much than one request may take."""


async def test_bodies_of_a_mebibyte_are_taken_in_and_confirmed(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=PATIENT) as shop:
        bodies = [
            paid_order(order_id=n, number=n, psid=f"{7_000_000_000_000_000 + n}", note="x" * MEBIBYTE)
            for n in range(1001, 1031)
        ]

        events = await asyncio.gather(*(shop.post("orders/paid", body) for body in bodies))

        assert {(await shop.finished(event)).status for event in events} == {"done"}
        assert sorted(names(shop.messenger)) == [f"#{n}" for n in range(1001, 1031)]


async def test_a_body_over_the_limit_is_refused_and_disturbs_nobody(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        raw = order_bytes(paid_order(order_id=1, number=1, psid=PSID, note="x" * 6 * MEBIBYTE))
        headers = shopify_headers("orders/paid", raw, SECRET, SHOP)
        # The host answers 413 and closes without reading on; a client that is still writing may see only the latter.
        with contextlib.suppress(httpx.TransportError):
            response = await shop.http.post("/webhooks/shopify", content=raw, headers=headers)
            assert response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE

        assert not await shop.store.xlen(shop.keys.inbox)
        assert (await shop.finished(await shop.post("orders/paid", an_order(1001)))).status == "done"


async def lasting_keys(shop: ShopUnderTest) -> set[bytes]:
    """Give all keys but the worker's sign of life, which ends while a machine pauses, and comes again."""
    sign_of_life = shop.keys.consumer("").encode()
    return {key async for key in shop.store.scan_iter() if not key.startswith(sign_of_life)}


async def test_ten_thousand_deliveries_of_one_webhook_make_one_message_and_leave_no_trace_of_their_number(
    tmp_path: Path,
) -> None:
    async with shop_under_test(tmp_path, config=PATIENT) as shop:
        event = await shop.post("orders/paid", an_order(1001), webhook_id="the-one")
        await shop.finished(event)
        keys, memory = await lasting_keys(shop), int((await shop.store.info("memory"))["used_memory_dataset"])

        async def some(count: int) -> None:
            for _ in range(count):
                await shop.post("orders/paid", an_order(1001), webhook_id="the-one")

        await asyncio.gather(*(some(DUPLICATES // 50) for _ in range(50)))

        record = await shop.finished(event)
        assert record.duplicates == DUPLICATES
        assert names(shop.messenger) == ["#1001"]
        assert await lasting_keys(shop) == keys
        assert int((await shop.store.info("memory"))["used_memory_dataset"]) - memory < MEBIBYTE
