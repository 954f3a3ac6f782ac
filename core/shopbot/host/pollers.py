"""The pollers of one shop in one process: made from `pollers:`, started, stopped, and looked after."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shopbot.host.blueprint import Blueprint
from shopbot.polling import Poll, Poller
from shopbot.store.inbox import Inbox
from shopbot.store.keys import Keys
from shopbot.store.lease import Lease
from shopbot.store.pollers import PollerState

LEASE_SECONDS = 30.0
"""So long after a leader's death the next process takes over, at most a third later."""

LONGEST_GAP = timedelta(minutes=5)
"""So long ago the last successful poll may be: the promise is that a lost webhook is made good within 5 minutes."""


@dataclass(frozen=True, slots=True)
class PollerParts:
    """One entry of `pollers:`, ready to poll."""

    poll: Poll
    state: PollerState
    lease: Lease
    every: timedelta

    @property
    def longest_gap(self) -> timedelta:
        """So long ago the last successful poll may be before something is wrong."""
        return max(LONGEST_GAP, 3 * self.every)


def poller_parts(
    blueprint: Blueprint, client: Redis, inbox: Inbox, clock: Callable[[], datetime]
) -> Sequence[PollerParts]:
    """Put the parts of all pollers together, in the order of shopbot.yaml."""
    keys = Keys(blueprint.shop.domain)
    parts: list[PollerParts] = []
    names: Counter[str] = Counter()
    for hook in blueprint.hooks.pollers:
        entry = blueprint.settings.pollers[hook.instance.index]
        # The plugin's name and not its place: the window must survive a change of the list.
        names[hook.instance.name] += 1
        count = names[hook.instance.name]
        state = PollerState(client, keys, hook.instance.name if count == 1 else f"{hook.instance.name}#{count}")
        parts.append(
            PollerParts(
                poll=Poll(hook=hook, inbox=inbox, state=state, overlap=entry.overlap, clock=clock),
                state=state,
                lease=Lease(client, keys.poller_lease(state.name), seconds=LEASE_SECONDS),
                every=entry.every,
            )
        )
    return parts


class Pollers:
    """All pollers of one host."""

    def __init__(
        self,
        parts: Sequence[PollerParts],
        clock: Callable[[], datetime],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.parts = parts
        self._monotonic = monotonic
        self._clock = clock
        self._pollers = [
            Poller(
                poll=part.poll,
                state=part.state,
                lease=part.lease,
                every=part.every,
                clock=clock,
                chance=random.Random(),  # noqa: S311 - spreads polls, guards nothing
            )
            for part in parts
        ]
        self._started: float | None = None

    def watch(self) -> None:
        """Begin to look after the pollers, whether this process runs them or another one does."""
        self._started = self._monotonic()

    def start(self) -> list[asyncio.Task[None]]:
        """Run all pollers, each in a task of its own, until `stop`."""
        return [asyncio.create_task(poller.run(), name="poller") for poller in self._pollers]

    def stop(self) -> None:
        """Let the tasks end."""
        for poller in self._pollers:
            poller.stop()

    async def problem(self) -> str | None:
        """Say which poller has not succeeded for too long, and why; None when all have, or just had no time yet.

        A host that was away has as long to catch up as a running one may have gaps.
        """
        if self._started is None:
            return None
        running = timedelta(seconds=self._monotonic() - self._started)
        now = self._clock()
        for part in self.parts:
            try:
                record = await part.state.read()
            except (RedisError, OSError) as error:
                return f"the store does not answer: {error}"
            gap = running
            # One that lies ahead was written before the clock was put back: it says nothing.
            if record.last_success is not None and record.last_success <= now:
                gap = min(gap, now - record.last_success)
            if gap > part.longest_gap:
                last = record.last_success.isoformat(timespec="seconds") if record.last_success else "never"
                why = f": {record.last_error}" if record.last_error else ""
                return (
                    f"{part.state.name} has not polled successfully for {gap.total_seconds():.0f} s (last: {last}){why}"
                )
        return None
