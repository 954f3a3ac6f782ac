from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shopbot.model.outcome import Status
from shopbot.model.reason import Reason
from shopbot.store.queue import GROUP, Delivery, Disposition, Queue
from shopbot.store.records import Records
from support.store_parts import (
    JOURNAL_TTL_SECONDS,
    KEYS,
    NOW,
    a_line,
    a_queue,
    a_settlement,
    an_arrival,
    an_event,
    fill,
    open_inbox,
)
from support.stores import OpenStore, on_every_store, on_real_stores, running_store

SOON = 0.05


def ids(deliveries: Sequence[Delivery]) -> list[str]:
    return [delivery.event.id for delivery in deliveries]


async def one(queue: Queue) -> Delivery:
    (delivery,) = await queue.read(1, wait_seconds=SOON)
    return delivery


async def kill(store: OpenStore, queue: Queue) -> None:
    """Let a process be gone for so long that its sign of life has ended."""
    await store.client.delete(KEYS.consumer(queue.consumer))


@on_every_store
async def test_a_worker_gets_the_event_as_it_was_taken_in(kind: str, tmp_path: Path) -> None:
    event = an_event(body=b'{"name": "caf\xc3\xa9"}')
    async with running_store(kind, tmp_path) as store:
        await fill(store, event)
        queue = await a_queue(store)

        delivery = await one(queue)

        assert delivery.event == event
        assert (delivery.attempts, delivery.journal) == (0, ())


@on_every_store
async def test_a_read_that_may_not_wait_comes_back_with_what_is_there(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        queue = await a_queue(store)
        assert await queue.read(5, wait_seconds=0) == []

        await fill(store, an_event())

        assert ids(await queue.read(5, wait_seconds=0)) == ["webhook:1"]


@on_every_store
async def test_events_that_came_before_the_first_worker_are_handed_out_oldest_first(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, *(an_event(n) for n in range(5)))
        queue = await a_queue(store)
        await queue.open()  # each process does this at its start

        assert ids(await queue.read(2, wait_seconds=SOON)) == ["webhook:0", "webhook:1"]
        assert ids(await queue.read(9, wait_seconds=SOON)) == ["webhook:2", "webhook:3", "webhook:4"]
        assert await queue.read(9, wait_seconds=SOON) == []


@on_every_store
async def test_each_event_is_handed_to_one_worker(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, *(an_event(n) for n in range(40)))
        queues = [await a_queue(store, name) for name in ("one", "two", "three")]

        batches = await asyncio.gather(*(queue.read(20, wait_seconds=SOON) for queue in queues))

        handed_out = [event_id for batch in batches for event_id in ids(batch)]
        assert sorted(handed_out) == sorted(f"webhook:{n}" for n in range(40))


@on_real_stores
async def test_a_worker_that_waits_is_woken_by_an_arrival(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        queue = await a_queue(store)
        waiting = asyncio.create_task(queue.read(1, wait_seconds=10))
        async with open_inbox(store) as inbox:
            await inbox.add(an_arrival())

        async with asyncio.timeout(60):
            assert ids(await waiting) == ["webhook:1"]


@on_every_store
async def test_a_finished_event_leaves_the_inbox_and_keeps_its_journal_for_the_configured_time(
    kind: str, tmp_path: Path
) -> None:
    lines = [a_line(), a_line("2:clear_cart", Status.SKIPPED, Reason.PSID_NOT_FOUND)]
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event())
        queue = await a_queue(store)
        delivery = await one(queue)

        assert await queue.settle(delivery, a_settlement(journal=lines, order_id=42), NOW) is True

        assert await store.client.xlen(KEYS.inbox) == 0
        assert await queue.unsettled() == []
        assert await store.client.hget(KEYS.event("webhook:1"), "body") is None
        record = await Records(store.client, KEYS).event("webhook:1")
        assert record is not None
        assert (record.status, record.reason, record.attempts, record.journal) == ("done", "", 1, tuple(lines))
        for key in (KEYS.event("webhook:1"), KEYS.journal("webhook:1"), KEYS.order_events(42)):
            left_ms = await store.client.pttl(key)
            assert JOURNAL_TTL_SECONDS * 1000 - 60_000 < left_ms <= JOURNAL_TTL_SECONDS * 1000


@on_every_store
async def test_an_event_to_be_tried_again_comes_back_when_it_is_due_with_what_it_has_done(
    kind: str, tmp_path: Path
) -> None:
    async with running_store(kind, tmp_path) as store:
        event = an_event()
        await fill(store, event)
        queue = await a_queue(store)
        settlement = a_settlement(Disposition.RETRY, journal=[a_line()], due_in_seconds=8)
        await queue.settle(await one(queue), settlement, NOW)

        assert await queue.promote(NOW + timedelta(seconds=7.999)) == 0
        assert await queue.read(1, wait_seconds=SOON) == []
        assert await queue.promote(NOW + timedelta(seconds=8)) == 1
        delivery = await one(queue)

        assert (delivery.event, delivery.attempts, delivery.journal) == (event, 1, (a_line(),))
        assert await queue.promote(NOW + timedelta(days=1)) == 0


@on_every_store
async def test_the_journal_grows_with_each_attempt_oldest_line_first(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event())
        queue = await a_queue(store)
        for attempt in (1, 2, 3):
            delivery = await one(queue)
            assert [line.step for line in delivery.journal] == [f"{n}:x" for n in range(1, attempt)]
            settlement = a_settlement(Disposition.RETRY, journal=[a_line(f"{attempt}:x")], attempts=attempt)
            await queue.settle(delivery, settlement, NOW)
            await queue.promote(NOW)

        assert (await one(queue)).attempts == 3


@on_every_store
async def test_due_events_come_back_in_the_order_of_their_times_and_no_more_than_asked_for(
    kind: str, tmp_path: Path
) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, *(an_event(n) for n in range(4)))
        queue = await a_queue(store)
        for delivery, seconds in zip(await queue.read(4, wait_seconds=SOON), (30, 10, 40, 20), strict=True):
            await queue.settle(delivery, a_settlement(Disposition.RETRY, due_in_seconds=seconds), NOW)

        assert await queue.promote(NOW + timedelta(minutes=1), limit=3) == 3
        assert ids(await queue.read(9, wait_seconds=SOON)) == ["webhook:1", "webhook:3", "webhook:0"]


@on_every_store
async def test_two_processes_bring_a_due_event_back_once(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, *(an_event(n) for n in range(30)))
        queues = [await a_queue(store, name) for name in ("one", "two")]
        for delivery in await queues[0].read(30, wait_seconds=SOON):
            await queues[0].settle(delivery, a_settlement(Disposition.RETRY), NOW)

        moved = await asyncio.gather(*(queue.promote(NOW, limit=7) for queue in queues * 5))

        assert sum(moved) == 30
        assert await store.client.xlen(KEYS.inbox) == 30


@on_every_store
@pytest.mark.parametrize("disposition", [Disposition.RETRY, Disposition.HELD, Disposition.PARKED, Disposition.DEAD])
async def test_an_event_that_is_not_finished_keeps_its_body_and_never_expires(
    kind: str, tmp_path: Path, disposition: Disposition
) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event(body=b"still needed"))
        queue = await a_queue(store)

        await queue.settle(await one(queue), a_settlement(disposition, journal=[a_line()]), NOW)

        assert await store.client.hget(KEYS.event("webhook:1"), "body") == b"still needed"
        assert await store.client.pttl(KEYS.event("webhook:1")) == -1
        assert await store.client.pttl(KEYS.journal("webhook:1")) == -1


@on_every_store
async def test_a_dead_letter_is_listed_and_not_handed_out_again(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event())
        queue = await a_queue(store)

        await queue.settle(await one(queue), a_settlement(Disposition.DEAD), NOW)

        assert await store.client.zrange(KEYS.dead, 0, -1, withscores=True) == [(b"webhook:1", NOW.timestamp() * 1000)]
        assert await queue.promote(NOW + timedelta(days=365)) == 0
        assert await queue.read(1, wait_seconds=SOON) == []


@on_every_store
async def test_an_event_in_doubt_waits_for_its_deadline_and_a_parked_one_for_its_channel(
    kind: str, tmp_path: Path
) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event(1), an_event(3), an_event(2))
        queue = await a_queue(store)
        held, *parked = await queue.read(3, wait_seconds=SOON)
        await queue.settle(held, a_settlement(Disposition.HELD, due_in_seconds=120), NOW)
        for delivery in parked:
            await queue.settle(delivery, a_settlement(Disposition.PARKED), NOW)

        assert await queue.promote(NOW + timedelta(seconds=119)) == 0
        assert await queue.unpark() == 2
        assert ids(await queue.read(9, wait_seconds=SOON)) == ["webhook:2", "webhook:3"]  # first come, first served
        assert await queue.promote(NOW + timedelta(seconds=120)) == 1
        assert ids(await queue.read(9, wait_seconds=SOON)) == ["webhook:1"]


@on_every_store
@pytest.mark.parametrize("second", list(Disposition))
async def test_what_is_settled_cannot_be_settled_again(kind: str, tmp_path: Path, second: Disposition) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event())
        queue = await a_queue(store)
        delivery = await one(queue)
        await queue.settle(delivery, a_settlement(journal=[a_line()]), NOW)
        before = await Records(store.client, KEYS).event("webhook:1")

        assert await queue.settle(delivery, a_settlement(second, journal=[a_line("late")], attempts=9), NOW) is False

        assert await Records(store.client, KEYS).event("webhook:1") == before
        for waiting in (KEYS.retries, KEYS.held, KEYS.parked, KEYS.dead):
            assert await store.client.exists(waiting) == 0


@on_every_store
async def test_of_a_slow_worker_and_the_one_that_took_its_event_over_only_one_settles_it(
    kind: str, tmp_path: Path
) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event())
        slow, quick = await a_queue(store, "slow"), await a_queue(store, "quick")
        delivery = await one(slow)
        await kill(store, slow)
        (taken,) = await quick.take_over(5)

        answers = await asyncio.gather(
            slow.settle(delivery, a_settlement(journal=[a_line("slow")]), NOW),
            quick.settle(taken, a_settlement(journal=[a_line("quick")]), NOW),
        )

        assert sorted(answers) == [False, True]
        record = await Records(store.client, KEYS).event("webhook:1")
        assert record is not None
        assert [line.step for line in record.journal] == [("slow", "quick")[answers.index(True)]]


@on_every_store
async def test_events_whose_delivery_was_lost_with_the_connection_are_found_again(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, *(an_event(n) for n in range(4)))
        queue = await a_queue(store)
        settled = await one(queue)
        # The server has handed these out, and the answer never arrives at the worker.
        await store.client.xreadgroup(GROUP, queue.consumer, {KEYS.inbox: ">"}, count=2)
        await queue.settle(settled, a_settlement(), NOW)

        found = await queue.unsettled()

        assert ids(found) == ["webhook:1", "webhook:2"]
        assert found[0].event == an_event(1)
        assert ids(await queue.read(9, wait_seconds=SOON)) == ["webhook:3"]
        assert ids(await queue.unsettled()) == ["webhook:1", "webhook:2", "webhook:3"]


@on_every_store
async def test_events_of_a_process_that_is_gone_are_taken_over_and_the_process_is_forgotten(
    kind: str, tmp_path: Path
) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, *(an_event(n) for n in range(3)))
        gone, alive = await a_queue(store, "gone"), await a_queue(store, "alive")
        await gone.read(3, wait_seconds=SOON)
        await kill(store, gone)

        assert ids(await alive.take_over(2)) == ["webhook:0", "webhook:1"]
        assert ids(await alive.take_over(2)) == ["webhook:2"]
        assert await alive.take_over(2) == []
        assert ids(await alive.unsettled()) == ["webhook:0", "webhook:1", "webhook:2"]
        names = [info["name"] for info in await store.client.xinfo_consumers(KEYS.inbox, GROUP)]
        assert names == [b"alive"]


@on_every_store
async def test_events_of_a_process_that_lives_are_left_alone_however_long_they_take(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event())
        busy, idle = await a_queue(store, "busy"), await a_queue(store, "idle")
        delivery = await one(busy)

        assert await idle.take_over(5) == []
        assert await busy.settle(delivery, a_settlement(), NOW) is True


@on_every_store
async def test_two_processes_take_each_event_of_a_third_over_exactly_once(kind: str, tmp_path: Path) -> None:
    """Right after the delivery too, when no time has passed by which the two could be told apart."""
    async with running_store(kind, tmp_path) as store:
        for round_number in range(10):
            gone = await a_queue(store, f"gone-{round_number}")
            await fill(store, *(an_event(round_number * 20 + n) for n in range(20)))
            assert len(await gone.read(20, wait_seconds=SOON)) == 20
            await kill(store, gone)
            competitors = [await a_queue(store, name) for name in ("one", "two")]

            batches = await asyncio.gather(*(queue.take_over(20) for queue in competitors))

            taken = [event_id for batch in batches for event_id in ids(batch)]
            assert sorted(taken) == sorted(f"webhook:{round_number * 20 + n}" for n in range(20))
            for queue, batch in zip(competitors, batches, strict=True):
                for delivery in batch:
                    assert await queue.settle(delivery, a_settlement(), NOW)


@on_every_store
async def test_a_process_that_comes_back_to_life_keeps_what_it_was_handed(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        frozen, other = await a_queue(store, "frozen"), await a_queue(store, "other")
        await frozen.read(1, wait_seconds=SOON)
        await kill(store, frozen)
        await other.take_over(1)  # forgets it
        await frozen.sign_of_life()
        await fill(store, an_event())

        delivery = await one(frozen)

        assert await other.take_over(1) == []
        assert await frozen.settle(delivery, a_settlement(), NOW) is True


@on_every_store
async def test_an_event_whose_hash_is_gone_is_still_handed_out_so_that_it_can_be_settled(
    kind: str, tmp_path: Path
) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event())
        queue = await a_queue(store)
        await queue.settle(await one(queue), a_settlement(Disposition.RETRY), NOW)
        await store.client.delete(KEYS.event("webhook:1"))
        await queue.promote(NOW)

        delivery = await one(queue)

        assert (delivery.event.topic, delivery.event.body) == ("", b"")
        assert await queue.settle(delivery, a_settlement(Disposition.DEAD), NOW) is True


@on_every_store
async def test_a_journal_line_of_another_release_does_not_stop_the_worker(kind: str, tmp_path: Path) -> None:
    """After a step back to an older release, its journal may hold reasons that this one has never heard of."""
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event(1), an_event(2))
        queue = await a_queue(store)
        await queue.settle(await one(queue), a_settlement(Disposition.RETRY), NOW)
        unknown = a_line().model_dump_json().replace('"done"', '"teleported"')
        await store.client.rpush(KEYS.journal("webhook:1"), unknown, a_line().model_dump_json())
        await queue.settle(await one(queue), a_settlement(Disposition.RETRY), NOW)
        await queue.promote(NOW)

        first, second = await queue.read(9, wait_seconds=SOON)

        assert first.journal == (a_line(),)
        assert second.event.id == "webhook:2"
        record = await Records(store.client, KEYS).event("webhook:1")
        assert record is not None
        assert record.journal == (a_line(),)


@on_every_store
async def test_an_event_is_found_under_its_order_and_under_its_shopper(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event(1), an_event(2))
        queue = await a_queue(store)
        ordered, written = await queue.read(2, wait_seconds=SOON)
        await queue.settle(ordered, replace(a_settlement(order_id=42), psid="73"), NOW)
        await queue.settle(written, replace(a_settlement(), psid="73"), NOW)

        assert await store.client.zrange(KEYS.events_of("73"), 0, -1) == [b"webhook:1", b"webhook:2"]
        assert await store.client.zrange(KEYS.order_events(42), 0, -1) == [b"webhook:1"]
        assert await store.client.pttl(KEYS.events_of("73")) > 0


@on_every_store
async def test_the_index_of_a_shopper_who_keeps_writing_does_not_grow_for_ever(kind: str, tmp_path: Path) -> None:
    """What has ended its time leaves it, up to two for each that comes; what is still there stays."""
    async with running_store(kind, tmp_path) as store:
        await fill(store, *(an_event(n) for n in range(20)))
        queue = await a_queue(store)
        deliveries = await queue.read(20, wait_seconds=SOON)
        for delivery in deliveries[:10]:
            await queue.settle(delivery, replace(a_settlement(), psid="73"), NOW)
        await store.client.delete(*(KEYS.event(f"webhook:{n}") for n in range(9)))
        for delivery in deliveries[10:]:
            await queue.settle(delivery, replace(a_settlement(), psid="73"), NOW)

        kept = await store.client.zrange(KEYS.events_of("73"), 0, -1)
        assert kept == [f"webhook:{n}".encode() for n in range(9, 20)]


@on_every_store
async def test_an_event_that_is_to_be_forgotten_leaves_nothing_at_all(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event())
        queue = await a_queue(store)
        settlement = replace(a_settlement(journal=[a_line()]), forget=True)
        await queue.settle(await one(queue), settlement, NOW)

        keys = {KEYS.event("webhook:1"), KEYS.journal("webhook:1"), KEYS.seen("webhook:1")}
        assert await store.client.exists(*keys) == 0
        assert await store.client.xlen(KEYS.inbox) == 0
