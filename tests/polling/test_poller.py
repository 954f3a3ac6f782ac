"""The loop: one leader, on schedule, through faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shopbot.host.pollers import PollerParts, Pollers
from shopbot.model.failures import ChannelDown, Retry
from shopbot.polling import Poller
from support.eventually import eventually
from support.polling import NAME, START, Process, ScriptedPoller, a_process, polled
from support.store_parts import KEYS
from support.stores import OpenStore, on_every_store, on_real_stores, running_store

OFTEN = timedelta(milliseconds=20)
LEASE_SECONDS = 0.3


@asynccontextmanager
async def at_work(process: Process, *, every: timedelta = OFTEN) -> AsyncIterator[Poller]:
    """Run the process's poller until the block ends."""
    poller = process.poller(every=every)
    task = asyncio.create_task(poller.run())
    try:
        yield poller
    finally:
        poller.stop()
        await asyncio.wait_for(task, timeout=60)


@dataclass
class Pause:
    """The longest time in which this process and its store have not got to anything."""

    seconds: float = 0.0


@asynccontextmanager
async def longest_pause(store: OpenStore) -> AsyncIterator[Pause]:
    """Look until the block ends how evenly the machine lets time pass."""
    pause, clock = Pause(), asyncio.get_running_loop().time

    async def look() -> None:
        while True:
            before = clock()
            await asyncio.sleep(0.005)
            await store.client.ping()
            pause.seconds = max(pause.seconds, clock() - before)

    looking = asyncio.create_task(look())
    try:
        yield pause
    finally:
        looking.cancel()
        await asyncio.wait([looking])


async def asked(plugin: ScriptedPoller, times: int) -> None:
    async def often_enough() -> bool:
        return len(plugin.asked) >= times

    await eventually(often_enough, f"{times} polls, there were {len(plugin.asked)}")


async def test_it_polls_again_and_again(tmp_path: Path) -> None:
    async with running_store("fakeredis", tmp_path) as store, a_process(store) as process, at_work(process):
        await asked(process.plugin, 5)


class TestLeader:
    @on_every_store
    async def test_of_two_processes_one_polls(self, kind: str, tmp_path: Path) -> None:
        async with (
            running_store(kind, tmp_path) as store,
            a_process(store) as one,
            a_process(store) as other,
            at_work(one),
        ):
            await asked(one.plugin, 1)
            async with at_work(other):
                await asked(one.plugin, 20)

            assert other.plugin.asked == []

    @on_every_store
    async def test_when_the_leader_stops_another_takes_over_and_goes_on(self, kind: str, tmp_path: Path) -> None:
        async with (
            running_store(kind, tmp_path) as store,
            a_process(store) as one,
            a_process(store, lease_seconds=LEASE_SECONDS) as other,
        ):
            async with at_work(one):
                await asked(one.plugin, 1)
            async with at_work(other):
                await asked(other.plugin, 1)

    @on_every_store
    async def test_when_the_leader_dies_another_takes_over_after_its_lease(self, kind: str, tmp_path: Path) -> None:
        async with running_store(kind, tmp_path) as store, a_process(store, lease_seconds=LEASE_SECONDS) as process:
            await store.client.set(KEYS.poller_lease(NAME), "dead", px=400)
            async with at_work(process):
                await asked(process.plugin, 1)

    @on_every_store
    async def test_a_leader_keeps_its_lease_through_a_poll_that_takes_long(self, kind: str, tmp_path: Path) -> None:
        async with running_store(kind, tmp_path) as store:
            for _ in range(20):
                async with (
                    a_process(store, lease_seconds=LEASE_SECONDS) as one,
                    a_process(store, lease_seconds=LEASE_SECONDS) as other,
                    longest_pause(store) as pause,
                ):
                    one.plugin.say(asyncio.Event())
                    async with at_work(one):
                        await asked(one.plugin, 1)
                        async with at_work(other):
                            await asyncio.sleep(4 * LEASE_SECONDS)
                        polls = (len(one.plugin.asked), len(other.plugin.asked))
                # A leader that the machine has held up for so long may have lost its lease: that says nothing.
                if pause.seconds < LEASE_SECONDS / 3:
                    break

            assert polls == (1, 0)

    @on_every_store
    async def test_a_poll_ends_when_its_lease_is_lost(self, kind: str, tmp_path: Path) -> None:
        """As after a pause of the whole process: another one polls meanwhile."""
        async with running_store(kind, tmp_path) as store, a_process(store, lease_seconds=LEASE_SECONDS) as process:
            process.plugin.say(asyncio.Event())
            async with at_work(process):
                await asked(process.plugin, 1)
                await store.client.set(KEYS.poller_lease(NAME), "another")

                async def closed() -> bool:
                    return process.plugin.closed == 1

                await eventually(closed, "the poll was broken off")
                await asyncio.sleep(LEASE_SECONDS)
                assert len(process.plugin.asked) == 1  # it stands by
                await store.client.delete(KEYS.poller_lease(NAME))
                await asked(process.plugin, 2)

    async def test_a_poll_ends_when_the_store_is_away_for_longer_than_the_lease(self, tmp_path: Path) -> None:
        async with running_store("fakeredis", tmp_path) as store, a_process(store, lease_seconds=LEASE_SECONDS) as one:
            one.plugin.say(asyncio.Event())
            async with at_work(one):
                await asked(one.plugin, 1)
                await store.go_away()

                async def closed() -> bool:
                    return one.plugin.closed == 1

                await eventually(closed, "the poll was broken off")
                await store.come_back()
                one.plugin.say()
                await asked(one.plugin, 2)

    @on_every_store
    async def test_stopping_breaks_off_a_poll_and_gives_the_lease_back(self, kind: str, tmp_path: Path) -> None:
        async with running_store(kind, tmp_path) as store, a_process(store) as process:
            process.plugin.say(polled(1), asyncio.Event())
            async with at_work(process):
                await asked(process.plugin, 1)

            assert process.plugin.closed == 1
            assert not await store.client.exists(KEYS.poller_lease(NAME))
            assert (await process.state.read()).last_success is None


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            (Retry("Shopify answered HTTP 502"), "Shopify answered HTTP 502"),
            (ChannelDown("the token was revoked"), "the token was revoked"),
            (ValueError("broken"), "ValueError in poll_orders: broken"),
        ],
    )
    async def test_a_fault_is_noted_and_the_next_poll_goes_on(
        self, tmp_path: Path, fault: Exception, reason: str
    ) -> None:
        async with running_store("fakeredis", tmp_path) as store, a_process(store) as process:
            process.plugin.say(fault)
            async with at_work(process):
                await asked(process.plugin, 3)
                assert (await process.state.read()).last_error == reason
                process.plugin.say()

                async def recovered() -> bool:
                    record = await process.state.read()
                    return record.last_success is not None and record.last_error == ""

                await eventually(recovered, "a poll succeeded")

    async def test_what_needs_a_person_is_loud_once(self, tmp_path: Path) -> None:
        async with running_store("fakeredis", tmp_path) as store, a_process(store) as process:
            process.plugin.say(ChannelDown("the token was revoked"))
            with capture_logs() as lines:
                async with at_work(process):
                    await asked(process.plugin, 4)

        failures = [line["log_level"] for line in lines if line["event"] == "poll_failed"]
        assert failures[0] == "error"
        assert set(failures[1:]) == {"warning"}

    @pytest.mark.parametrize("after_seconds", [None, 3600.0])
    async def test_the_wait_after_a_fault_grows_up_to_the_schedule(
        self, tmp_path: Path, after_seconds: float | None
    ) -> None:
        async with running_store("fakeredis", tmp_path) as store, a_process(store) as process:
            process.plugin.say(Retry("busy", after_seconds=after_seconds))
            poller = process.poller()

            pauses = [await poller._attempt() for _ in range(7)]

        assert pauses == ([2, 4, 8, 16, 32, 60, 60] if after_seconds is None else [300] * 7)

    @on_real_stores
    async def test_a_store_that_comes_back_is_polled_into_again(self, kind: str, tmp_path: Path) -> None:
        async with (
            running_store(kind, tmp_path) as store,
            a_process(store, lease_seconds=LEASE_SECONDS) as process,
            at_work(process),
        ):
            await asked(process.plugin, 1)
            await store.go_away()
            await asyncio.sleep(2 * LEASE_SECONDS)
            await store.come_back()
            process.plugin.say(polled(7))

            async def arrived() -> bool:
                return await process.waiting() == [polled(7).event_id]

            await eventually(arrived, "the order was taken in")


class TestHealth:
    """What `/readyz` says about pollers."""

    @asynccontextmanager
    async def looked_after(self, store: OpenStore) -> AsyncIterator[tuple[Process, Pollers, list[float]]]:
        """Give a process, its pollers, and the seconds that it has been running, to be changed."""
        uptime = [0.0]
        async with a_process(store) as process:
            parts = PollerParts(process.poll, process.state, process.lease, timedelta(seconds=60))
            pollers = Pollers([parts], process.clock, monotonic=lambda: uptime[0])
            pollers.watch()
            yield process, pollers, uptime

    async def test_all_is_well_while_polls_succeed(self, tmp_path: Path) -> None:
        async with running_store("fakeredis", tmp_path) as store, self.looked_after(store) as (one, pollers, uptime):
            assert await one.lease.take()
            for _ in range(10):
                await one.poll.run(one.lease.token)
                one.clock.advance(minutes=4)
                uptime[0] += 240

                assert await pollers.problem() is None

    async def test_five_minutes_without_a_successful_poll_are_a_problem(self, tmp_path: Path) -> None:
        async with running_store("fakeredis", tmp_path) as store, self.looked_after(store) as (one, pollers, uptime):
            assert await one.lease.take()
            await one.poll.run(one.lease.token)
            await one.state.failed("the token was revoked", START)
            one.clock.advance(minutes=5, seconds=1)
            uptime[0] += 301

            problem = await pollers.problem()
            assert problem is not None
            assert "orders has not polled successfully for 301 s" in problem
            assert "2026-11-23T09:15:00+00:00" in problem
            assert "the token was revoked" in problem

    async def test_a_host_that_was_away_has_time_to_catch_up(self, tmp_path: Path) -> None:
        async with running_store("fakeredis", tmp_path) as store, self.looked_after(store) as (one, pollers, uptime):
            assert await one.lease.take()
            await one.poll.run(one.lease.token)
            one.clock.advance(hours=5)
            uptime[0] = 299
            assert await pollers.problem() is None
            uptime[0] = 301
            assert await pollers.problem() is not None

    async def test_a_success_in_the_future_of_a_clock_that_was_put_back_says_nothing(self, tmp_path: Path) -> None:
        async with running_store("fakeredis", tmp_path) as store, self.looked_after(store) as (one, pollers, uptime):
            assert await one.lease.take()
            await one.poll.run(one.lease.token)
            one.clock.advance(hours=-2)
            uptime[0] = 301

            assert await pollers.problem() is not None

    async def test_a_store_that_is_away_is_a_problem(self, tmp_path: Path) -> None:
        async with running_store("fakeredis", tmp_path) as store, self.looked_after(store) as (_, pollers, _uptime):
            await store.go_away()

            assert "the store does not answer" in str(await pollers.problem())
            await store.come_back()
