from __future__ import annotations

import asyncio
from pathlib import Path

from shopbot.model.event import Source
from shopbot.model.outcome import Status
from shopbot.model.reason import Reason
from shopbot.store.keys import Keys
from shopbot.store.queue import Disposition
from shopbot.store.records import EventRecord, Records
from support.store_parts import KEYS, NOW, a_line, a_queue, a_settlement, an_arrival, an_event, fill, open_inbox
from support.stores import on_every_store, on_real_stores, running_store

SOON = 0.05
RECEIVED_MS = int(NOW.timestamp() * 1000) + 1


@on_every_store
async def test_an_event_that_nobody_has_worked_on_has_no_status_yet(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        records = Records(store.client, KEYS)
        assert await records.event("webhook:1") is None

        await fill(store, an_event())

        assert await records.event("webhook:1") == EventRecord(
            topic="orders/paid",
            source=Source.WEBHOOK,
            status="",
            reason="",
            attempts=0,
            duplicates=0,
            received_ms=RECEIVED_MS,
            verified_by="verify[0]:shopify_hmac, secret 1",
            order_id=None,
            journal=(),
        )


@on_every_store
async def test_an_event_shows_its_last_result_its_repetitions_and_its_whole_journal(kind: str, tmp_path: Path) -> None:
    lines = (a_line("1:resolve_psid"), a_line("2:clear_cart", Status.DEFERRED, Reason.CART_CLEAR_FAILED))
    async with running_store(kind, tmp_path) as store:
        async with open_inbox(store) as inbox:
            for _ in range(3):
                await inbox.add(an_arrival())
        queue = await a_queue(store)
        for attempts, line in enumerate(lines, start=1):
            (delivery,) = await queue.read(1, wait_seconds=SOON)
            await queue.settle(delivery, a_settlement(Disposition.RETRY, journal=[line], attempts=attempts), NOW)
            await queue.promote(NOW)

        assert await Records(store.client, KEYS).event("webhook:1") == EventRecord(
            topic="orders/paid",
            source=Source.WEBHOOK,
            status="deferred",
            reason="MESSAGE_SEND_FAILED",
            attempts=2,
            duplicates=2,
            received_ms=RECEIVED_MS,
            verified_by="verify[0]:shopify_hmac, secret 1",
            order_id=None,
            journal=lines,
        )


@on_every_store
async def test_an_order_s_events_are_listed_by_arrival_whenever_they_were_worked_on(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, *(an_event(number) for number in (3, 1, 2, 4)))
        queue = await a_queue(store)
        for delivery in await queue.read(4, wait_seconds=SOON):
            order_id = 8 if delivery.event.id == "webhook:4" else 7
            await queue.settle(delivery, a_settlement(order_id=order_id), NOW)

        records = Records(store.client, KEYS)
        assert list(await records.events_of_order(7)) == ["webhook:1", "webhook:2", "webhook:3"]
        assert list(await records.events_of_order(8)) == ["webhook:4"]
        assert list(await records.events_of_order(9)) == []


@on_every_store
async def test_the_body_of_an_event_is_there_until_it_is_finished(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, *(an_event(number) for number in (1, 2)))
        queue = await a_queue(store)
        given_up, finished = await queue.read(2, wait_seconds=SOON)
        await queue.settle(given_up, a_settlement(Disposition.DEAD), NOW)
        await queue.settle(finished, a_settlement(), NOW)

        records = Records(store.client, KEYS)
        assert await records.body("webhook:1") == ("orders/paid", an_event(1).body)
        assert await records.body("webhook:2") is None
        assert await records.body("webhook:3") is None


@on_every_store
async def test_records_of_another_shop_in_the_same_store_are_not_seen(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event())

        assert await Records(store.client, Keys("other.myshopify.com")).event("webhook:1") is None


@on_real_stores
async def test_an_event_is_never_missed_while_its_first_attempt_ends(kind: str, tmp_path: Path) -> None:
    """It goes from one place of the store to another in one moment, and whoever looks takes several."""
    async with running_store(kind, tmp_path) as store:
        await fill(store, *(an_event(number) for number in range(200)))
        queue, records = await a_queue(store), Records(store.another(), KEYS)
        seen: list[bool] = []

        async def look() -> None:
            while len(seen) < 200:
                seen.append(await records.event(f"webhook:{len(seen)}") is not None)

        async def settle() -> None:
            while deliveries := await queue.read(1, wait_seconds=SOON):
                await queue.settle(deliveries[0], a_settlement(), NOW)

        await asyncio.gather(look(), settle())

        assert all(seen)
