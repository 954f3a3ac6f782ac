"""Lets sends through at the channel's pace: rate shared by all processes, pauses, outages."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shopbot.model.failures import ChannelDown, Retry
from shopbot.model.message import Receipt
from shopbot.model.outcome import Outcome
from shopbot.model.reason import Reason
from shopbot.store.channels import SENDS_PER_SECOND, Channels, ChannelState

_MOST_ASKED = 16
"""Sends asked for at a time: one question to the store serves as many messages that wait."""
_LATE_SECONDS = 0.02
"""A granted moment that has passed by more is not used: what a process that was held up would make good all at once,
would break the rate."""
_USAGE_SLOWS_PERCENT = 80.0
_LONGEST_WAIT_SECONDS = 5.0
"""Above this an event gives its place in the worker to others."""
_DEFAULT_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One message's passage."""

    moment: float
    """When it may go, by the loop's clock."""
    probe: bool = False
    """Whether the channel is down, and this message finds out if it still is."""


class Gate:
    """The gate of one channel in one process."""

    def __init__(self, name: str, channels: Channels, clock: Callable[[], datetime]) -> None:
        """Guard a channel.

        name: how the channel is called in the store, the same in all processes.
        """
        self.name = name
        self._channels = channels
        self._clock = clock
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._granted = 0
        self._moment = 0.0
        """When the next granted send may go, by the loop's clock."""
        self._gap_seconds = 0.0
        self._slowed = False
        self._log = structlog.get_logger("shopbot.messages")

    async def passage(self) -> Turn | Outcome:
        """Wait for this message's turn; gives why it must wait elsewhere where it may not go now."""
        self._waiting += 1
        try:
            async with self._lock:
                answer = await self._take()
        finally:
            self._waiting -= 1
        if isinstance(answer, Turn):
            await asyncio.sleep(max(0.0, answer.moment - asyncio.get_running_loop().time()))
        return answer

    async def _take(self) -> Turn | Outcome:
        """Take the next moment at which a send may go, or say why there is none."""
        clock, waited_seconds = asyncio.get_running_loop().time, 0.0
        while True:
            if self._granted > 0 and clock() - self._moment < _LATE_SECONDS:
                moment = self._moment
                self._granted -= 1
                self._moment += self._gap_seconds
                return Turn(moment)
            # Before the question: how long its answer takes to come is no part of the moments that it grants.
            asked = clock()
            answer = await self._channels.ask(self.name, min(self._waiting, _MOST_ASKED), self._clock())
            if answer.state is ChannelState.DOWN:
                return Outcome.held(Reason.CHANNEL_DOWN, f"{self.name} is down")
            if answer.state is ChannelState.PAUSED:
                return Outcome.held(Reason.CHANNEL_PAUSED, f"{self.name} is paused")
            if answer.state is ChannelState.PROBE:
                return Turn(clock(), probe=True)
            self._granted, self._moment = answer.granted, asked + answer.first_seconds
            self._gap_seconds = answer.gap_seconds
            if answer.granted == 0:
                if waited_seconds > _LONGEST_WAIT_SECONDS:
                    return Outcome.held(Reason.CHANNEL_PAUSED, f"{self.name} is slowed down")
                pause_seconds = max(answer.wait_seconds, 1 / SENDS_PER_SECOND)
                waited_seconds += pause_seconds
                await asyncio.sleep(pause_seconds)

    async def unused(self, turn: Turn) -> None:
        """Take note that a message which was let through is not sent: another one may be the probe in its place."""
        if turn.probe:
            await self._channels.probe_soon(self.name)

    async def worked(self, turn: Turn, receipt: Receipt) -> None:
        """Take note of a send that got through."""
        if turn.probe:
            await self._channels.works(self.name)
            self._log.warning("channel_up", channel=self.name)
        percent = receipt.usage_percent
        if percent is not None and (percent > _USAGE_SLOWS_PERCENT or self._slowed):
            self._slowed = percent > _USAGE_SLOWS_PERCENT
            await self._channels.usage(self.name, percent, self._clock())

    async def closed(self, failure: ChannelDown | Retry, place: str) -> Outcome:
        """Close the channel after a failure that concerns all messages; the operator is told once."""
        self._granted = 0
        now = self._clock()
        if isinstance(failure, ChannelDown):
            if await self._channels.down(self.name, failure.reason, now):
                self._log.error(
                    "channel_down", channel=self.name, reason=failure.reason, what_to_do="see docs/reliability.md"
                )
            return Outcome.held(Reason.CHANNEL_DOWN, failure.reason, plugin=place)
        until = now + timedelta(seconds=failure.after_seconds or _DEFAULT_PAUSE_SECONDS)
        if await self._channels.pause(self.name, failure.reason, now, until):
            self._log.warning("channel_paused", channel=self.name, reason=failure.reason, until=until.isoformat())
        return Outcome.held(Reason.CHANNEL_PAUSED, failure.reason, plugin=place)
