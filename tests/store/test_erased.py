"""The marks that are left of what was erased, and what waits for attempts that began before them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from shopbot.store.erased import Erased, Marks
from shopbot.store.in_hand import NOTHING, InHand
from shopbot.store.pollers import Novelty, PollerState
from shopbot.store.queue import Disposition
from support.polling import polled
from support.store_parts import KEYS, NOW, a_queue, a_settlement, an_event, fill
from support.stores import on_every_store, running_store

PSID, ORDER = "7312345678901234", 830_517_264_905_318_211


@on_every_store
async def test_marks_are_found_by_the_ids_and_name_nobody(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        erased = Erased(store.client, KEYS, order_ttl=timedelta(days=9), shopper_ttl=timedelta(days=2))
        await erased.mark([ORDER], [PSID], NOW)
        keys = [key.decode() async for key in store.client.scan_iter()]
        lives = sorted([await store.client.pttl(key) for key in keys if key.startswith(KEYS.erased(""))])
        reader = Erased(store.another(), KEYS)

        moment = NOW.replace(microsecond=250_000)
        assert await reader.look(ORDER, PSID) == Marks(order=True, shopper_at=moment)
        assert await reader.look(ORDER + 1, PSID) == Marks(shopper_at=moment)
        assert await reader.look(ORDER, None) == Marks(order=True)
        assert await reader.look(None, "42") == Marks()
        assert await reader.orders([ORDER + 1, ORDER]) == [False, True]
        assert await reader.orders([]) == []
        assert not [key for key in keys if PSID in key or str(ORDER) in key]
        assert [round(life / 86_400_000) for life in lives] == [2, 9]


@on_every_store
async def test_many_orders_are_marked_in_bounded_steps(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        erased = Erased(store.client, KEYS)
        await erased.mark(range(1_200), [], NOW)

        assert all(await erased.orders(range(1_200)))


@on_every_store
async def test_a_shop_and_an_app_have_marks_of_their_own(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        erased, moment = Erased(store.client, KEYS), NOW.replace(microsecond=250_000)
        await erased.mark_shop(NOW)
        await erased.uninstalled(NOW)
        assert await erased.look(ORDER, PSID) == Marks(shop_at=moment, uninstalled_at=moment)

        await erased.installed()
        assert await erased.look(None, None) == Marks(shop_at=moment)


@on_every_store
async def test_an_erased_order_is_not_polled_into_the_store_again(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await Erased(store.client, KEYS).mark([7], [], NOW)

        novelty = await PollerState(store.client, KEYS, "orders").novelty([polled(7), polled(8)])

        assert novelty == [Novelty.ERASED, Novelty.NEW_ORDER]


@on_every_store
async def test_attempts_that_began_before_are_waited_for_and_no_others(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        in_hand = InHand(store.client, KEYS)
        assert await in_hand.latest() == NOTHING
        assert not await in_hand.any_until(NOTHING)
        await fill(store, *(an_event(n) for n in range(4)))
        queue = await a_queue(store)
        assert not await in_hand.any_until(await in_hand.latest())

        first, second = await queue.read(2, wait_seconds=0.1)
        place = await in_hand.latest()
        await queue.read(2, wait_seconds=0.1)  # these begin afterwards
        assert await in_hand.any_until(place)
        await queue.settle(first, a_settlement(Disposition.DEAD), NOW)
        assert await in_hand.any_until(place)
        await queue.settle(second, a_settlement(Disposition.RETRY, due_in_seconds=60), NOW)
        assert not await in_hand.any_until(place)
        assert await in_hand.any_until(await in_hand.latest())


@on_every_store
async def test_what_a_dead_process_left_is_not_waited_for(kind: str, tmp_path: Path) -> None:
    """Whoever takes it over begins anew, and sees the marks."""
    async with running_store(kind, tmp_path) as store:
        await fill(store, *(an_event(n) for n in range(150)))
        dead, alive = await a_queue(store, "dead"), await a_queue(store, "alive")
        await dead.read(149, wait_seconds=0.1)
        await alive.read(1, wait_seconds=0.1)
        in_hand = InHand(store.client, KEYS)
        place = await in_hand.latest()
        await store.client.delete(KEYS.consumer("dead"))
        assert await in_hand.any_until(place)

        await store.client.delete(KEYS.consumer("alive"))
        assert not await in_hand.any_until(place)


@on_every_store
async def test_a_store_that_has_lost_its_data_has_nothing_in_hand(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event(1))
        await (await a_queue(store)).read(1, wait_seconds=0.1)
        in_hand = InHand(store.client, KEYS)
        place = await in_hand.latest()
        await store.client.flushall()

        assert not await in_hand.any_until(place)
        assert await in_hand.latest() == NOTHING
