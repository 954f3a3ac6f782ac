"""Lets sends through at the channel's pace: rate shared by all processes, pauses, outages."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from shopbot.model.failures import ChannelDown, Retry
from shopbot.model.message import Receipt
from shopbot.model.outcome import Outcome
from shopbot.model.reason import Reason
from shopbot.store.channels import SENDS_PER_SECOND, Channels, ChannelState

_LEASE = 16
"""Sends asked for at a time: one question to the store serves as many messages."""
_LEASE_SECONDS = 0.25
"""A lease is good for no longer: a pause must reach every process at once."""
_LONGEST_WAIT_SECONDS = 5.0
"""Above this an event gives its place in the worker to others."""
_DEFAULT_PAUSE_SECONDS = 60.0


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
        self._granted = 0
        self._lease_ends = 0.0
        self._probing = False
        self._log = structlog.get_logger("shopbot.messages")

    async def passage(self) -> Outcome | None:
        """Wait for this message's turn; gives None when it may go, else why it must wait elsewhere."""
        waited_seconds = 0.0
        async with self._lock:
            while True:
                now = asyncio.get_running_loop().time()
                if self._granted > 0 and now < self._lease_ends:
                    self._granted -= 1
                    return None
                answer = await self._channels.ask(self.name, _LEASE, self._clock())
                if answer.state is ChannelState.DOWN:
                    return Outcome.held(Reason.CHANNEL_DOWN, f"{self.name} is down")
                if answer.state is ChannelState.PAUSED:
                    return Outcome.held(Reason.CHANNEL_PAUSED, f"{self.name} is paused")
                if answer.state is ChannelState.PROBE:
                    self._probing = True
                    return None
                self._granted, self._lease_ends = answer.granted, now + _LEASE_SECONDS
                if answer.granted == 0:
                    if waited_seconds > _LONGEST_WAIT_SECONDS:
                        return Outcome.held(Reason.CHANNEL_PAUSED, f"{self.name} is slowed down")
                    pause_seconds = max(answer.wait_seconds, 1 / SENDS_PER_SECOND)
                    waited_seconds += pause_seconds
                    await asyncio.sleep(pause_seconds)

    async def worked(self, receipt: Receipt) -> None:
        """Take note of a send that got through."""
        if self._probing:
            self._probing = False
            await self._channels.works(self.name)
            self._log.warning("channel_up", channel=self.name)
        if receipt.usage_percent is not None:
            await self._channels.usage(self.name, receipt.usage_percent, self._clock())

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
