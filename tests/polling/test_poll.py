"""One poll: what it asks for, what it takes in, and where the next one begins."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shopbot.hooks import PluginFailedError
from shopbot.model.failures import ChannelDown, Retry
from shopbot.plugin import PolledOrder
from shopbot.store.entry import read_event
from shopbot.store.errors import StoreError
from shopbot.store.lease import LeaseLostError
from shopbot.store.pollers import Tally
from shopbot.store.queue import Disposition
from support.polling import OVERLAP, START, Process, a_process, ids, polled
from support.store_parts import KEYS, a_queue, a_settlement, an_event, fill
from support.stores import KINDS, OpenStore, on_every_store, running_store

A_WHILE_AGO = START - timedelta(hours=3)


@asynccontextmanager
async def leading(kind: str, tmp_path: Path) -> AsyncIterator[Process]:
    """Run a process that holds the poller's lease."""
    async with running_store(kind, tmp_path) as store, a_process(store) as process:
        assert await process.lease.take()
        yield process


async def work_off(store: OpenStore, order_id: int) -> None:
    """Let a worker finish the oldest event, which is about this order."""
    queue = await a_queue(store)
    (delivery,) = await queue.read(1, wait_seconds=0.01)
    assert await queue.settle(delivery, a_settlement(Disposition.FINISHED, order_id=order_id), START)


class TestWindow:
    async def test_the_very_first_poll_begins_at_the_overlap(self, tmp_path: Path) -> None:
        async with leading("fakeredis", tmp_path) as process:
            await process.poll.run(process.lease.token)

            assert process.plugin.asked == [START - OVERLAP]

    @on_every_store
    async def test_the_next_poll_begins_before_the_start_of_the_last_one(self, kind: str, tmp_path: Path) -> None:
        async with leading(kind, tmp_path) as process:
            await process.poll.run(process.lease.token)
            process.clock.advance(seconds=60)
            await process.poll.run(process.lease.token)
            process.clock.advance(seconds=60)
            await process.poll.run(process.lease.token)

            begins = [START - OVERLAP + timedelta(minutes=minutes) for minutes in (0, 0, 1)]
            assert process.plugin.asked == begins

    async def test_after_an_outage_of_hours_it_begins_where_it_was(self, tmp_path: Path) -> None:
        async with leading("fakeredis", tmp_path) as process:
            await process.poll.run(process.lease.token)
            process.clock.advance(hours=7)
            await process.poll.run(process.lease.token)

            assert process.plugin.asked[-1] == START - OVERLAP

    @pytest.mark.parametrize("jump", [timedelta(hours=-2), timedelta(minutes=-1)])
    async def test_a_clock_that_is_put_back_only_makes_the_window_longer(self, tmp_path: Path, jump: timedelta) -> None:
        async with leading("fakeredis", tmp_path) as process:
            await process.poll.run(process.lease.token)
            process.clock.now += jump
            await process.poll.run(process.lease.token)
            process.clock.now -= jump
            await process.poll.run(process.lease.token)

            assert process.plugin.asked[1:] == [START + jump - OVERLAP] * 2

    async def test_a_poll_that_fails_leaves_the_window(self, tmp_path: Path) -> None:
        async with leading("fakeredis", tmp_path) as process:
            await process.poll.run(process.lease.token)
            process.plugin.say(Retry("busy"))
            process.clock.advance(hours=1)
            with pytest.raises(Retry):
                await process.poll.run(process.lease.token)
            process.plugin.say()
            await process.poll.run(process.lease.token)

            assert process.plugin.asked[-1] == START - OVERLAP

    async def test_without_the_lease_the_window_stays(self, tmp_path: Path) -> None:
        """As with `shopbot poll --once` beside a running host."""
        async with leading("fakeredis", tmp_path) as process:
            process.plugin.say(polled(1, START - timedelta(hours=1)))
            await process.poll.run(None, since=A_WHILE_AGO)

            assert process.plugin.asked == [A_WHILE_AGO]
            record = await process.state.read()
            assert (record.window_from, record.last_success, record.total.new) == (None, None, 1)


class TestCatchingUp:
    """Where a poll breaks off, the next one goes on: an outage of hours may take more than one."""

    @pytest.mark.parametrize(
        "fault", [Retry("busy"), ChannelDown("revoked"), ValueError("broken")], ids=["busy", "down", "broken"]
    )
    @on_every_store
    async def test_what_came_before_a_fault_is_kept_and_not_asked_for_again(
        self, kind: str, tmp_path: Path, fault: Exception
    ) -> None:
        orders = [polled(n, A_WHILE_AGO + timedelta(minutes=n)) for n in range(1, 251)]
        seen = [order for order in orders if order.updated_at < START - OVERLAP]
        async with leading(kind, tmp_path) as process:
            process.plugin.say(*seen, fault)
            with pytest.raises((Retry, ChannelDown, PluginFailedError)):
                await process.poll.run(process.lease.token, since=A_WHILE_AGO)
            process.plugin.say()
            await process.poll.run(process.lease.token)

            assert await process.waiting() == ids(seen)
            assert process.plugin.asked[-1] == seen[-1].updated_at

    async def test_an_order_that_was_changed_a_moment_ago_says_nothing_about_those_that_follow(
        self, tmp_path: Path
    ) -> None:
        """A search still shows it in the place of its earlier state, with its new time."""
        async with leading("fakeredis", tmp_path) as process:
            process.plugin.say(
                polled(1, A_WHILE_AGO + timedelta(minutes=1)), polled(2, START - timedelta(seconds=5)), Retry("busy")
            )
            with pytest.raises(Retry):
                await process.poll.run(process.lease.token, since=A_WHILE_AGO)

            assert (await process.state.read()).window_from == A_WHILE_AGO + timedelta(minutes=1)

    async def test_a_poller_that_does_not_keep_to_the_order_has_to_begin_again(self, tmp_path: Path) -> None:
        ahead = [polled(n, A_WHILE_AGO + timedelta(minutes=60)) for n in range(100)]
        async with leading("fakeredis", tmp_path) as process:
            process.plugin.say(*ahead, polled(101, A_WHILE_AGO + timedelta(minutes=1)), Retry("busy"))
            with pytest.raises(Retry):
                await process.poll.run(process.lease.token, since=A_WHILE_AGO)

            assert (await process.state.read()).window_from == A_WHILE_AGO

    async def test_orders_that_were_not_asked_for_change_nothing(self, tmp_path: Path) -> None:
        async with leading("fakeredis", tmp_path) as process:
            process.plugin.say(
                polled(1, A_WHILE_AGO - timedelta(hours=1)), polled(2, A_WHILE_AGO + timedelta(hours=1)), Retry("busy")
            )
            with pytest.raises(Retry):
                await process.poll.run(process.lease.token, since=A_WHILE_AGO)

            assert (await process.state.read()).window_from == A_WHILE_AGO + timedelta(hours=1)

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "fakeredis"])
    async def test_the_window_never_passes_what_the_store_did_not_take(self, kind: str, tmp_path: Path) -> None:
        async with leading(kind, tmp_path) as process:
            process.plugin.say(*(polled(n, A_WHILE_AGO) for n in range(10)))
            await process.inbox.stop()
            with pytest.raises(StoreError):
                await process.poll.run(process.lease.token, since=A_WHILE_AGO)

            assert (await process.state.read()).window_from is None

    async def test_a_step_has_a_time_limit_and_the_whole_poll_has_none(self, tmp_path: Path) -> None:
        async with (
            running_store("fakeredis", tmp_path) as store,
            a_process(store, time_limit_seconds=0.05) as process,
        ):
            process.plugin.say(polled(1), asyncio.Event())
            with pytest.raises(PluginFailedError, match=r"no answer to poll_orders within 0\.05 s"):
                await process.poll.run(None)

            assert await process.waiting() == ids([polled(1)])
            assert process.plugin.closed == 1


class TestTakingIn:
    @on_every_store
    async def test_a_polled_order_is_an_event_like_those_of_webhooks(self, kind: str, tmp_path: Path) -> None:
        async with leading(kind, tmp_path) as process:
            order = polled(6021482911946154508, START - timedelta(minutes=1))
            process.plugin.say(order)
            await process.poll.run(process.lease.token)

            (event_id,) = await process.waiting()
            assert event_id == "poll:6021482911946154508:2026-11-23T09:14:00+00:00"
            found: Any = await process.store.client.xrange(KEYS.inbox)
            ((_, fields),) = found
            event = read_event(event_id, fields[b"head"], fields[b"body"])
            assert (event.topic, event.source, event.verified_by) == ("orders/updated", "poll", "")
            assert json.loads(event.body)["id"] == 6021482911946154508

    @on_every_store
    async def test_a_state_that_is_known_is_not_taken_in_again_and_a_change_is(self, kind: str, tmp_path: Path) -> None:
        first, changed = polled(1, START), polled(1, START + timedelta(seconds=1))
        async with leading(kind, tmp_path) as process:
            reports = []
            for answer in ([first, first], [first], [first, changed]):
                process.plugin.say(*answer)
                reports.append((await process.poll.run(process.lease.token)).tally)

            assert await process.waiting() == ids([first, changed])
            assert [tally.new for tally in reports] == [1, 0, 1]

    async def test_the_same_moment_in_another_time_zone_is_the_same_state(self, tmp_path: Path) -> None:
        async with leading("fakeredis", tmp_path) as process:
            process.plugin.say(
                PolledOrder.from_payload({"id": 1, "updated_at": "2026-11-23T10:14:00+01:00"}),
                PolledOrder.from_payload({"id": "1", "updated_at": "2026-11-23T09:14:00Z"}),
            )
            await process.poll.run(process.lease.token)

            assert len(await process.waiting()) == 1

    @on_every_store
    async def test_orders_that_no_webhook_brought_are_counted(self, kind: str, tmp_path: Path) -> None:
        async with leading(kind, tmp_path) as process:
            await fill(process.store, an_event(1))
            await work_off(process.store, order_id=1)
            process.plugin.say(polled(1), polled(2), polled(3))
            report = await process.poll.run(process.lease.token)

            assert report.tally == Tally(orders=3, new=3, first_seen=2)

    @on_every_store
    async def test_an_order_counts_as_first_seen_once(self, kind: str, tmp_path: Path) -> None:
        async with leading(kind, tmp_path) as process:
            process.plugin.say(polled(1))
            await process.poll.run(process.lease.token)
            await work_off(process.store, order_id=1)
            process.plugin.say(polled(1, START + timedelta(seconds=1)))
            await process.poll.run(process.lease.token)

            assert (await process.state.read()).total == Tally(orders=2, new=2, first_seen=1)

    @on_every_store
    async def test_counts_add_up_over_polls_and_pages(self, kind: str, tmp_path: Path) -> None:
        async with leading(kind, tmp_path) as process:
            orders = [polled(n, page=1 + n // 100) for n in range(250)]
            process.plugin.say(*orders)
            first = await process.poll.run(process.lease.token)
            second = await process.poll.run(process.lease.token)

            assert (first.pages, first.tally) == (3, Tally(orders=250, new=250, first_seen=250))
            assert second.tally == Tally(orders=250, new=0, first_seen=0)
            record = await process.state.read()
            assert (record.polls, record.total) == (2, Tally(orders=500, new=250, first_seen=250))
            assert record.last_success == START

    async def test_those_who_watch_are_told_of_each_order(self, tmp_path: Path) -> None:
        watched: list[tuple[int, int]] = []
        async with leading("fakeredis", tmp_path) as process:
            process.plugin.say(*(polled(n) for n in range(150)))
            await process.poll.run(
                process.lease.token, watch=lambda order, taken: watched.append((order.order_id, taken.new))
            )

        assert [order_id for order_id, _ in watched] == list(range(150))
        assert watched[-1] == (149, 100)


class TestLease:
    @on_every_store
    async def test_a_poll_that_lost_its_lease_ends_and_leaves_the_window(self, kind: str, tmp_path: Path) -> None:
        async with leading(kind, tmp_path) as process:
            await process.store.client.set(KEYS.poller_lease("orders"), "another")
            process.plugin.say(*(polled(n, START - timedelta(hours=1)) for n in range(250)))
            with pytest.raises(LeaseLostError):
                await process.poll.run(process.lease.token, since=A_WHILE_AGO)

            record = await process.state.read()
            assert (record.window_from, record.last_success) == (None, None)
            assert len(await process.waiting()) == 100  # what was taken in stays: it is right in any case
            assert process.plugin.closed == 1
