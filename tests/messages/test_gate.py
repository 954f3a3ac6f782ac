"""A channel's gate in one process: what it asks the store for, and what it learns from sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from shopbot.messages.gate import Gate, Turn
from shopbot.model.outcome import Outcome, Status
from shopbot.plugin import ChannelDown, Reason, Receipt, Retry
from shopbot.store.channels import PROBE_SECONDS, Channels, ChannelState, Passage
from support.store_parts import KEYS, NOW
from support.stores import running_store

NAME = "messenger:1"


class ObservedChannels(Channels):
    """The store's channels, and what they were asked."""

    def __init__(self, client: Redis) -> None:
        super().__init__(client, KEYS)
        self.client = client
        self.asked: list[int] = []
        self.taken_by_others = False
        """Whether other processes are always there first."""
        self.late_seconds = 0.0
        """How long after the store's answer this process gets to read it; once."""

    async def ask(self, name: str, sends: int, now: datetime) -> Passage:
        self.asked.append(sends)
        if self.taken_by_others:
            await super().ask(name, 1000, now)
        answer = await super().ask(name, sends, now)
        late_seconds, self.late_seconds = self.late_seconds, 0.0
        await asyncio.sleep(late_seconds)
        return answer

    async def usage_percent(self) -> float | None:
        found = await self.client.hget(KEYS.channel(NAME), "usage")
        return None if found is None else float(found)


class MovedByHand:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@asynccontextmanager
async def a_gate(tmp_path: Path) -> AsyncIterator[tuple[Gate, ObservedChannels, MovedByHand]]:
    async with running_store("embedded", tmp_path) as store:
        channels, clock = ObservedChannels(store.client), MovedByHand()
        yield Gate(NAME, channels, clock), channels, clock


def held(outcome: Turn | Outcome) -> tuple[Status, Reason | None, str]:
    assert isinstance(outcome, Outcome)
    return outcome.status, outcome.reason, outcome.detail


def stand_still(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Stop the clock of the gate's loop; gives what the gate would sleep, in seconds."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    loop = SimpleNamespace(time=lambda: 1000.0)
    monkeypatch.setattr("shopbot.messages.gate.asyncio", SimpleNamespace(sleep=sleep, get_running_loop=lambda: loop))
    return pauses


async def test_one_question_serves_as_many_messages_as_wait_up_to_sixteen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_gate(tmp_path) as (gate, channels, _):
        pauses = stand_still(monkeypatch)
        turns = await asyncio.gather(*(gate.passage() for _ in range(20)))
        await gate.passage()

    moments = [turn.moment for turn in turns if isinstance(turn, Turn) and not turn.probe]
    assert channels.asked == [1, 16, 3, 1]  # the first knows of no others yet
    assert len(set(moments)) == 20
    assert moments == sorted(moments)
    assert moments[0] == 1000.0
    assert pauses[:20] == pytest.approx([moment - 1000.0 for moment in moments])


async def test_a_message_goes_at_its_moment_and_not_before(tmp_path: Path) -> None:
    async with a_gate(tmp_path) as (gate, channels, clock):
        await channels.ask(NAME, 30, clock())  # a tenth of a second is given away
        turn = await gate.passage()

        assert isinstance(turn, Turn)
        assert asyncio.get_running_loop().time() > turn.moment - 0.01  # timers count in milliseconds


async def test_a_moment_that_has_passed_is_not_made_good_for(tmp_path: Path) -> None:
    """A process that was held up would else send many at once."""
    async with a_gate(tmp_path) as (gate, channels, clock):
        channels.late_seconds = 0.05
        before = asyncio.get_running_loop().time()
        turn = await gate.passage()

        assert isinstance(turn, Turn)
        assert turn.moment - before > 0.04
        assert len(channels.asked) >= 2
        assert clock() == NOW


async def test_a_channel_that_is_down_lets_one_probe_through_now_and_then(tmp_path: Path) -> None:
    async with a_gate(tmp_path) as (gate, channels, clock):
        await channels.down(NAME, "revoked", clock())
        assert held(await gate.passage()) == (Status.HELD, Reason.CHANNEL_DOWN, "messenger:1 is down")

        clock.now += timedelta(seconds=PROBE_SECONDS)
        probe = await gate.passage()
        assert isinstance(probe, Turn)
        assert probe.probe
        assert held(await gate.passage())[1] is Reason.CHANNEL_DOWN

        await gate.unused(probe)
        again = await gate.passage()
        assert isinstance(again, Turn)
        assert again.probe


async def test_a_message_that_was_no_probe_frees_none(tmp_path: Path) -> None:
    async with a_gate(tmp_path) as (gate, channels, clock):
        turn = await gate.passage()
        assert isinstance(turn, Turn)
        await channels.down(NAME, "revoked", clock())

        await gate.unused(turn)

        assert held(await gate.passage())[1] is Reason.CHANNEL_DOWN


@pytest.mark.parametrize(("probe", "state"), [(True, None), (False, ChannelState.DOWN)])
async def test_only_the_probe_opens_a_channel_again(tmp_path: Path, state: ChannelState | None, *, probe: bool) -> None:
    """Another message may have been under way since before it was closed."""
    async with a_gate(tmp_path) as (gate, channels, clock):
        await channels.down(NAME, "revoked", clock())
        with capture_logs() as logs:
            await gate.worked(Turn(0.0, probe=probe), Receipt(message_id="m_1"))
        closure = await channels.closure(NAME, clock())

    assert (closure and closure.state) is state
    assert [line["event"] for line in logs] == (["channel_up"] if probe else [])


async def test_a_paused_channel_lets_nothing_through(tmp_path: Path) -> None:
    async with a_gate(tmp_path) as (gate, channels, clock):
        await channels.pause(NAME, "too many calls", clock(), clock() + timedelta(minutes=1))

        assert held(await gate.passage()) == (Status.HELD, Reason.CHANNEL_PAUSED, "messenger:1 is paused")


@pytest.mark.parametrize(("asked_seconds", "pause_seconds"), [(None, 60.0), (420.0, 420.0)])
async def test_a_rate_limit_closes_it_for_as_long_as_the_platform_says(
    tmp_path: Path, asked_seconds: float | None, pause_seconds: float
) -> None:
    async with a_gate(tmp_path) as (gate, channels, clock):
        failure = Retry("too many calls", after_seconds=asked_seconds, pauses_channel=True)
        with capture_logs() as logs:
            outcomes = [await gate.closed(failure, "senders[0]:messenger")]
        with capture_logs() as later:
            outcomes.append(await gate.closed(failure, "senders[0]:messenger"))
        closure = await channels.closure(NAME, clock())

    assert outcomes == [Outcome.held(Reason.CHANNEL_PAUSED, "too many calls", plugin="senders[0]:messenger")] * 2
    assert closure is not None
    assert closure.until == NOW + timedelta(seconds=pause_seconds)
    assert ([line["event"] for line in logs], later) == (["channel_paused"], [])


async def test_a_channel_that_is_down_is_told_once(tmp_path: Path) -> None:
    async with a_gate(tmp_path) as (gate, channels, clock):
        with capture_logs() as logs:
            outcomes = [await gate.closed(ChannelDown("revoked"), "senders[0]:messenger")]
        with capture_logs() as later:
            outcomes.append(await gate.closed(ChannelDown("revoked"), "senders[0]:messenger"))
        closure = await channels.closure(NAME, clock())

    assert outcomes == [Outcome.held(Reason.CHANNEL_DOWN, "revoked", plugin="senders[0]:messenger")] * 2
    assert closure is not None
    assert closure.state is ChannelState.DOWN
    assert ([line["event"] for line in logs], later) == (["channel_down"], [])


async def test_moments_that_were_granted_before_it_closed_are_forgotten(tmp_path: Path) -> None:
    async with a_gate(tmp_path) as (gate, _, clock):
        gate._waiting = 15  # as many others as one question serves
        assert isinstance(await gate.passage(), Turn)
        await gate.closed(ChannelDown("revoked"), "senders[0]:messenger")

        assert held(await gate.passage())[1] is Reason.CHANNEL_DOWN
        assert clock() == NOW


async def test_usage_is_noted_above_four_fifths_and_once_when_it_is_below_again(tmp_path: Path) -> None:
    async with a_gate(tmp_path) as (gate, channels, _):
        noted = []
        for percent in (None, 50.0, 80.0, 81.0, 95.0, 80.0, 50.0):
            await gate.worked(Turn(0.0), Receipt(message_id="m_1", usage_percent=percent))
            noted.append(await channels.usage_percent())

    assert noted == [None, None, None, 81.0, 95.0, 80.0, 80.0]


@pytest.mark.parametrize(("usage_percent", "pause_seconds"), [(0.0, 0.004), (100.0, 0.007)])
async def test_who_waits_for_five_seconds_gives_the_place_in_the_worker_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usage_percent: float, pause_seconds: float
) -> None:
    """Other processes take whatever the pace allows."""
    async with a_gate(tmp_path) as (gate, channels, clock):
        await channels.usage(NAME, usage_percent, clock())
        channels.taken_by_others = True
        pauses = stand_still(monkeypatch)
        outcome = await gate.passage()

    assert held(outcome) == (Status.HELD, Reason.CHANNEL_PAUSED, "messenger:1 is slowed down")
    assert set(pauses) == {pause_seconds}  # as the store says
    assert sum(pauses[:-1]) <= 5.0 < sum(pauses)
