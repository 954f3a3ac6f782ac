from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from shopbot.store.errors import StoreError
from shopbot.store.inbox import BATCH_BYTES, BATCH_EVENTS, MOST_WAITING_BYTES
from shopbot.store.queue import Disposition
from support.store_parts import KEYS, NOW, SEEN_TTL_SECONDS, a_queue, a_settlement, an_arrival, an_inbox, open_inbox
from support.stores import OpenStore, on_every_store, on_real_stores, running_store


async def entries(store: OpenStore) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Give what waits, by the ids of the entries."""
    found: Any = await store.client.xrange(KEYS.inbox)
    return list(found)


async def waiting_ids(store: OpenStore) -> list[str]:
    return [fields[b"id"].decode() for _, fields in await entries(store)]


async def calls_that_wait_behind_another(store: OpenStore) -> bool:
    """Say whether the server has more from a connection than the command that it holds back."""
    return any(int(client["qbuf"]) > 0 for client in await store.client.client_list() if client["cmd"] == "evalsha")


@on_every_store
async def test_an_accepted_event_is_stored_whole_and_waits_for_a_worker(kind: str, tmp_path: Path) -> None:
    arrival = an_arrival(body=b'{"raw": "\xc3\xa9 \\u00e9"}')
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        assert await inbox.add(arrival) is True

        ((entry_id, fields),) = await entries(store)
        head = (
            "orders/paid",
            "webhook",
            str(int(NOW.timestamp() * 1000) + 1),
            "2026-11-23T10:15:29.250000+00:00",
            "verify[0]:shopify_hmac, secret 1",
        )
        assert fields == {b"id": b"webhook:1", b"head": "\n".join(head).encode(), b"body": arrival.body}
        assert await store.client.get(KEYS.seen("webhook:1")) == entry_id


@on_every_store
async def test_what_waits_has_no_time_to_live_and_its_mark_has_the_configured_one(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        await inbox.add(an_arrival())

        assert await store.client.pttl(KEYS.inbox) == -1
        mark_ms = await store.client.pttl(KEYS.seen("webhook:1"))
        assert SEEN_TTL_SECONDS * 1000 - 60_000 < mark_ms <= SEEN_TTL_SECONDS * 1000


@on_every_store
async def test_a_repeated_arrival_is_answered_false_counted_and_not_queued(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        answers = [await inbox.add(an_arrival(body=body)) for body in (b"first", b"second", b"third")]

        assert answers == [True, False, False]
        assert await waiting_ids(store) == ["webhook:1"]
        assert [fields[b"body"] for _, fields in await entries(store)] == [b"first"]
        assert await store.client.hget(KEYS.event("webhook:1"), "duplicates") == b"2"


@on_every_store
async def test_repeated_arrivals_in_one_turn_of_the_loop_are_one_event(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        answers = await asyncio.gather(*(inbox.add(an_arrival(number % 3)) for number in range(30)))

        assert [index for index, new in enumerate(answers) if new] == [0, 1, 2]
        assert await waiting_ids(store) == ["webhook:0", "webhook:1", "webhook:2"]


@on_every_store
async def test_two_processes_take_the_same_arrivals_in_once(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, open_inbox(store) as one, open_inbox(store) as other:
        answers = await asyncio.gather(*(door.add(an_arrival(n)) for n in range(100) for door in (one, other)))

        assert sum(answers) == 100
        assert len(await waiting_ids(store)) == 100


@on_every_store
async def test_a_repetition_of_an_event_that_is_long_gone_is_still_a_duplicate(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        await inbox.add(an_arrival())
        await store.client.xtrim(KEYS.inbox, maxlen=0)

        assert await inbox.add(an_arrival()) is False
        assert await store.client.exists(KEYS.event("webhook:1")) == 0


@on_every_store
@pytest.mark.parametrize("disposition", [Disposition.FINISHED, Disposition.DEAD])
async def test_an_arrival_is_known_for_as_long_as_its_event_can_be_looked_at(
    kind: str, tmp_path: Path, disposition: Disposition
) -> None:
    """Even where its mark has ended: a dead letter may wait for a person longer than that."""
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        await inbox.add(an_arrival())
        queue = await a_queue(store)
        (delivery,) = await queue.read(1, wait_seconds=1)
        await queue.settle(delivery, a_settlement(disposition), NOW)
        await store.client.delete(KEYS.seen("webhook:1"))

        assert await inbox.add(an_arrival(body=b"again")) is False
        assert await waiting_ids(store) == []
        assert await store.client.hget(KEYS.event("webhook:1"), "duplicates") == b"1"


@on_real_stores
@pytest.mark.parametrize(("arrivals", "round_trips"), [(1, 1), (BATCH_EVENTS, 1), (500, -(-500 // BATCH_EVENTS))])
async def test_arrivals_of_one_turn_of_the_loop_share_round_trips(
    kind: str, tmp_path: Path, arrivals: int, round_trips: int
) -> None:
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        await inbox.add(an_arrival(0))  # the server now knows the script
        before = await store.calls("evalsha")

        assert all(await asyncio.gather(*(inbox.add(an_arrival(n)) for n in range(1, arrivals + 1))))

        assert await store.calls("evalsha") - before == round_trips


@on_real_stores
async def test_arrivals_that_come_while_a_batch_is_on_its_way_share_the_next_one(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        await inbox.add(an_arrival(0))
        before = await store.calls("evalsha")

        first = inbox.add(an_arrival(1))
        await asyncio.sleep(0)  # the writer takes the first one
        others = [inbox.add(an_arrival(n)) for n in range(2, 40)]
        await asyncio.gather(first, *others)

        assert await store.calls("evalsha") - before == 2


@on_every_store
async def test_a_flood_is_kept_in_the_order_in_which_it_came(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        assert all(await asyncio.gather(*(inbox.add(an_arrival(n)) for n in range(500))))

        assert await waiting_ids(store) == [f"webhook:{n}" for n in range(500)]


@on_real_stores
@pytest.mark.parametrize("body_bytes", [10, 20_000])
async def test_batches_whose_connection_is_lost_are_all_kept_once(kind: str, tmp_path: Path, body_bytes: int) -> None:
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        await inbox.add(an_arrival(0))
        await store.client.client_pause(60_000, all=False)  # writes alone wait

        flood = [inbox.add(an_arrival(n, body=b"x" * body_bytes)) for n in range(1, 201)]
        while not await calls_that_wait_behind_another(store):
            await asyncio.sleep(0.01)
        await store.client.client_kill_filter(_type="normal", skipme=True)
        await store.client.client_unpause()

        assert await asyncio.gather(*flood) == [True] * 200
        assert sorted(await waiting_ids(store)) == sorted(f"webhook:{n}" for n in range(201))


@on_real_stores
async def test_large_bodies_do_not_all_travel_in_one_batch(kind: str, tmp_path: Path) -> None:
    body = b"x" * (BATCH_BYTES // 2)
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        await inbox.add(an_arrival(0))
        before = await store.calls("evalsha")

        await asyncio.gather(*(inbox.add(an_arrival(n, body=body)) for n in range(1, 6)))

        assert await store.calls("evalsha") - before == 3
        assert [len(fields[b"body"]) for _, fields in await entries(store)][1:] == [len(body)] * 5


@on_every_store
async def test_a_caller_that_goes_away_does_not_take_its_arrival_with_it(kind: str, tmp_path: Path) -> None:
    async def caller() -> None:
        await inbox.add(an_arrival())

    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        task = asyncio.create_task(caller())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

        assert await inbox.add(an_arrival(2)) is True
        assert await waiting_ids(store) == ["webhook:1", "webhook:2"]


@on_every_store
async def test_stopping_writes_what_was_taken_in_and_takes_no_more(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        inbox = an_inbox(store)
        inbox.start()
        taken_in = [inbox.add(an_arrival(n)) for n in range(200)]

        await inbox.stop()

        assert all([await accepted for accepted in taken_in])
        assert len(await waiting_ids(store)) == 200
        with pytest.raises(StoreError, match="stopped"):
            await inbox.add(an_arrival(999))
        await inbox.stop()


async def test_an_inbox_that_was_not_started_takes_nothing(tmp_path: Path) -> None:
    async with running_store("fakeredis", tmp_path) as store:
        with pytest.raises(StoreError, match="stopped"):
            await an_inbox(store).add(an_arrival())


@on_every_store
async def test_while_the_store_is_away_arrivals_are_refused_and_afterwards_taken_in_again(
    kind: str, tmp_path: Path
) -> None:
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        await inbox.add(an_arrival(1))
        await store.go_away()

        refused = [inbox.add(an_arrival(n)) for n in (2, 3)]
        for accepted in refused:
            with pytest.raises(StoreError, match="could not be stored"):
                await accepted

        await store.come_back()
        assert await inbox.add(an_arrival(2)) is True
        assert "webhook:2" in await waiting_ids(store)


@on_every_store
async def test_an_arrival_that_the_store_refused_halfway_is_not_taken_for_a_duplicate(
    kind: str, tmp_path: Path
) -> None:
    """Scripts are not rolled back: what was refused must come in when the platform sends it again."""
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        await store.client.set(KEYS.inbox, "not a stream")
        with pytest.raises(StoreError, match="WRONGTYPE"):
            await inbox.add(an_arrival())

        await store.client.delete(KEYS.inbox)
        assert await inbox.add(an_arrival()) is True
        assert await waiting_ids(store) == ["webhook:1"]


@on_every_store
async def test_one_arrival_that_cannot_be_written_does_not_stop_the_others(kind: str, tmp_path: Path) -> None:
    """Header values may hold bytes that are no text; Sanic gives them as lone surrogates."""
    poisoned = an_arrival()._replace(id="webhook:\udcff")
    async with running_store(kind, tmp_path) as store, open_inbox(store) as inbox:
        with pytest.raises(StoreError):
            await inbox.add(poisoned)

        assert await asyncio.wait_for(inbox.add(an_arrival(2)), timeout=60) is True


async def test_while_the_store_hangs_only_so_much_waits_in_memory(tmp_path: Path) -> None:
    """A flood during an outage is turned away, so that Shopify sends it again, and the host stays alive."""
    body = bytes(MOST_WAITING_BYTES // 4)
    async with running_store("embedded", tmp_path) as store, open_inbox(store) as inbox:
        accepted = [inbox.add(an_arrival(number, body=body)) for number in range(8)]
        answers = await asyncio.gather(*accepted, return_exceptions=True)

        assert answers[0] is True
        assert isinstance(answers[-1], StoreError)
        assert await inbox.add(an_arrival(9)) is True
