"""How full the store is and how its channels and pollers fare, in one round trip: what metrics show."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from shopbot.store.channels import ChannelState
from shopbot.store.keys import Keys

_CHANNEL_FIELDS = ("state", "until_ms")
_POLLER_FIELDS = ("last_success_ms", "orders", "first_seen", "last_error")


@dataclass(frozen=True, slots=True)
class PollerReading:
    """How a poller fares."""

    gap_seconds: float
    """Since the end of the last complete poll; infinite before the first one."""
    orders: int
    first_seen: int
    """Orders of which no webhook had been worked off."""
    failing: bool


@dataclass(frozen=True, slots=True)
class Readings:
    """One shop's numbers at one moment."""

    inbox: int
    """Events that wait for a worker or are in the hands of one."""
    oldest_seconds: float
    """How long the oldest of them has been there; 0 when there is none."""
    retries: int
    held: int
    parked: int
    dead: int
    uninstalled: bool
    """Whether the app is known to be uninstalled."""
    channels: Mapping[str, ChannelState]
    """OPEN, PAUSED or DOWN, by the channel's name."""
    pollers: Mapping[str, PollerReading]


class Gauges:
    """Reads one shop's numbers."""

    def __init__(self, client: Redis, keys: Keys, *, channels: Sequence[str], pollers: Sequence[str] = ()) -> None:
        """Read from the store, by the names of the shop's channels and pollers."""
        self._client = client
        self._keys = keys
        self._channels = tuple(channels)
        self._pollers = tuple(pollers)

    async def read(self) -> Readings:
        """Read all of it. Times are held against the server's own clock, which also stamps the inbox's entries."""
        keys = self._keys
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.time()
            pipeline.xlen(keys.inbox)
            pipeline.xrange(keys.inbox, count=1)
            for waiting in (keys.retries, keys.held, keys.parked, keys.dead):
                pipeline.zcard(waiting)
            pipeline.exists(keys.uninstalled)
            for channel in self._channels:
                pipeline.hmget(keys.channel(channel), _CHANNEL_FIELDS)
            for poller in self._pollers:
                pipeline.hmget(keys.poller(poller), _POLLER_FIELDS)
            time, depth, oldest, retries, held, parked, dead, uninstalled, *rest = await pipeline.execute()
        now_ms = time[0] * 1000 + time[1] // 1000
        channels, pollers = rest[: len(self._channels)], rest[len(self._channels) :]
        return Readings(
            inbox=depth,
            oldest_seconds=max(0.0, (now_ms - _stamp(oldest[0][0])) / 1000) if oldest else 0.0,
            retries=retries,
            held=held,
            parked=parked,
            dead=dead,
            uninstalled=uninstalled == 1,
            channels={name: _state(found, now_ms) for name, found in zip(self._channels, channels, strict=True)},
            pollers={name: _poller(found, now_ms) for name, found in zip(self._pollers, pollers, strict=True)},
        )


def _stamp(stream_id: bytes) -> int:
    return int(stream_id.partition(b"-")[0])


def _state(found: Sequence[bytes | None], now_ms: int) -> ChannelState:
    state, until_ms = found
    if state is None or (state == b"paused" and int(until_ms or 0) <= now_ms):
        return ChannelState.OPEN
    return ChannelState(state.decode())


def _poller(found: Sequence[bytes | None], now_ms: int) -> PollerReading:
    last_success_ms, orders, first_seen, last_error = found
    return PollerReading(
        gap_seconds=max(0.0, (now_ms - int(last_success_ms)) / 1000) if last_success_ms else math.inf,
        orders=int(orders or 0),
        first_seen=int(first_seen or 0),
        failing=bool(last_error),
    )
