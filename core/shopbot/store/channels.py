"""The state of the channels that messages go out by, shared by all processes: rate, pauses, outages."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from redis.asyncio import Redis

from shopbot.store.connection import script
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds, moment_of

SENDS_PER_SECOND = 290
"""Below Meta's cap of 300 calls a second and Page.
https://developers.facebook.com/documentation/business-messaging/messenger-platform/overview/rate-limiting"""

PROBE_SECONDS = 30.0
"""How often one message tries a channel that is down."""

_AHEAD_MS = 200
_USAGE_COUNTS_MS = 60_000
_OLDEST_QUESTION_MS = 1000
"""Moments given away further ahead of a question were given by a clock that has since been put back. Nearer ones were
given to a process whose question overtook this one."""


class ChannelState(StrEnum):
    """Whether a channel lets messages through."""

    OPEN = "open"
    PROBE = "probe"
    """It is down, and this send may find out whether it still is."""
    DOWN = "down"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Passage:
    """The gate's answer."""

    state: ChannelState
    granted: int
    """How many sends may go out now."""
    wait_seconds: float
    """With none granted: when to ask again."""
    first_seconds: float = 0.0
    """How long from now the first of them must wait."""
    gap_seconds: float = 0.0
    """How long each of them must wait after the one before."""


@dataclass(frozen=True, slots=True)
class Closure:
    """Why a channel lets nothing through."""

    state: ChannelState
    reason: str
    since: datetime
    until: datetime | None
    """None while it is down: it opens when a send gets through."""
    probed_at: datetime | None = None
    """While it is down, when a message last tried it; None when the next one may."""

    def may_be_tried(self, now: datetime) -> bool:
        """Say whether the channel is down and a message may find out whether it still is."""
        if self.state is not ChannelState.DOWN:
            return False
        # A clock that was put back must not keep the channel down.
        return self.probed_at is None or not 0 <= (now - self.probed_at).total_seconds() < PROBE_SECONDS


class Channels:
    """All channels of one shop, by name."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._gate = script(client, "gate")
        self._close = script(client, "close_channel")

    async def ask(self, name: str, sends: int, now: datetime) -> Passage:
        """Ask for a number of sends; fewer may be granted."""
        state, granted, wait_ms, first_us, gap_us = await self._gate(
            [self._keys.channel(name)],
            [
                milliseconds(now),
                sends,
                SENDS_PER_SECOND,
                _AHEAD_MS,
                int(PROBE_SECONDS * 1000),
                _USAGE_COUNTS_MS,
                _OLDEST_QUESTION_MS,
            ],
        )
        return Passage(ChannelState(state.decode()), granted, wait_ms / 1000, first_us / 1e6, gap_us / 1e6)

    async def pause(self, name: str, reason: str, now: datetime, until: datetime) -> bool:
        """Let nothing through until a time; True when it was open before."""
        fresh = await self._close(
            [self._keys.channel(name)], ["paused", reason, milliseconds(now), milliseconds(until)]
        )
        return bool(fresh == 1)

    async def down(self, name: str, reason: str, now: datetime) -> bool:
        """Let nothing through until a probe succeeds; True when this is news."""
        fresh = await self._close([self._keys.channel(name)], ["down", reason, milliseconds(now), 0])
        return bool(fresh == 1)

    async def works(self, name: str) -> None:
        """Open a channel again: a send got through."""
        await self._client.hdel(self._keys.channel(name), "state", "until_ms", "reason", "since_ms", "probed_ms")

    async def probe_soon(self, name: str) -> None:
        """Let the next message try a channel that is down: the configuration may have a new token."""
        await self._client.hdel(self._keys.channel(name), "probed_ms")

    async def usage(self, name: str, percent: float, now: datetime) -> None:
        """Note how much of the platform's quota is used; above 80 % sends slow down."""
        await self._client.hset(self._keys.channel(name), mapping={"usage": percent, "usage_ms": milliseconds(now)})

    async def closure(self, name: str, now: datetime) -> Closure | None:
        """Say why a channel lets nothing through; None when it is open."""
        fields = ["state", "reason", "since_ms", "until_ms", "probed_ms"]
        found = await self._client.hmget(self._keys.channel(name), fields)
        state, reason, since_ms, until_ms, probed_ms = (v.decode() if isinstance(v, bytes) else v or "" for v in found)
        if not state:
            return None
        until = moment_of(until_ms or 0) if state == ChannelState.PAUSED else None
        if until is not None and not moment_of(since_ms or 0) <= now < until:
            return None  # it is over, or was made before the clock was put back
        probed_at = moment_of(probed_ms) if probed_ms else None
        return Closure(ChannelState(state), reason, moment_of(since_ms or 0), until, probed_at)
