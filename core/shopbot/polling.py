"""The loop that finds orders whose webhook was lost: one leader, an overlapping window, the same inbox as webhooks.

A poll asks for everything that was changed since the window's start and puts it into the inbox. The window then begins
at the start of that poll, less the overlap: a platform's search may show a change late, but not later than that. It is
kept in the store, so that a host that was away for hours catches up from where it was.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from redis.exceptions import RedisError

from shopbot.hook_call import PluginFailedError, StreamHook
from shopbot.model.event import Arrival, Source
from shopbot.model.failures import ChannelDown, Retry
from shopbot.model.polled import PolledOrder
from shopbot.store.errors import StoreError
from shopbot.store.inbox import Inbox
from shopbot.store.lease import Lease, LeaseLostError
from shopbot.store.milliseconds import milliseconds
from shopbot.store.pollers import Novelty, PollerState, Tally

POLLED_TOPIC = "orders/updated"
"""What a polled order counts as: rules that should make good for lost webhooks listen to it."""

_BATCH_ORDERS = 100
"""Taken in at a time: what waits for the store is bounded, and the window moves on with each."""
_LONGEST_WAIT_SECONDS = 300.0
"""A platform that asks for a longer pause is asked again all the same: lost webhooks must not wait longer."""
_JITTER = 0.1
_CANCEL_AGAIN_SECONDS = 1.0

Watch = Callable[[PolledOrder, Tally], None]
"""Told of each order, with the count of what was taken in before it."""


@dataclass(frozen=True, slots=True)
class PollReport:
    """What one complete poll did."""

    since: datetime
    pages: int
    """That had orders on them."""
    tally: Tally


class Poll:
    """Asks one poller and takes in what it gives."""

    def __init__(
        self,
        *,
        hook: StreamHook[[datetime], PolledOrder],
        inbox: Inbox,
        state: PollerState,
        overlap: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._hook = hook
        self._inbox = inbox
        self._state = state
        self._overlap = overlap
        self._clock = clock

    async def run(self, token: str | None, *, since: datetime | None = None, watch: Watch | None = None) -> PollReport:
        """Poll once.

        token: of the poller's lease: the next poll's window then begins where this one got to. None leaves the window.
        since: where to begin; None begins at the window, the very first time at the overlap.

        Raises:
            Retry, ChannelDown, PluginFailedError: from the poller; what it gave before is taken in.
            StoreError, RedisError: the store did not take it.
            LeaseLostError: another process leads now.
        """
        started = self._clock()
        safe = started - self._overlap
        if since is None:
            kept = (await self._state.read()).window_from
            # A window that begins later was written when the clock was ahead.
            since = safe if kept is None else min(kept, safe)
        window = _Window(token, since, safe)
        taken, pages = Tally(), 0
        batch: list[PolledOrder] = []
        async with contextlib.aclosing(self._hook(since)) as stream:
            try:
                async for order in stream:
                    pages = max(pages, order.page)
                    if watch is not None:
                        watch(order, taken)
                    batch.append(order)
                    if len(batch) == _BATCH_ORDERS:
                        full, batch = batch, []
                        taken += await self._take_in(full, window)
            except (Retry, ChannelDown, PluginFailedError):
                await self._take_in(batch, window)
                raise
        taken += await self._take_in(batch, window, completed=True)
        return PollReport(since, pages, taken)

    async def _take_in(self, batch: Sequence[PolledOrder], window: "_Window", *, completed: bool = False) -> Tally:
        """Put orders into the inbox, and only then move the window past them."""
        novelty = await self._state.novelty(batch) if batch else ()
        left = (Novelty.SEEN, Novelty.ERASED)
        fresh = [(order, known) for order, known in zip(batch, novelty, strict=True) if known not in left]
        now = self._clock()
        added = await asyncio.gather(*(self._inbox.add(arrival_of_poll(order, now)) for order, _ in fresh))
        news = [known for (_, known), new in zip(fresh, added, strict=True) if new]
        tally = Tally(len(batch), len(news), news.count(Novelty.NEW_ORDER))
        for order in batch:
            window.passed(order.updated_at)
        if batch or completed:
            kept = await self._state.progress(
                window.token,
                tally,
                window_from=window.safe if completed else window.reached,
                completed=self._clock() if completed else None,
            )
            if not kept:
                raise LeaseLostError
        return tally


class _Window:
    """How far a poll that is under way has got, in the time of the changes."""

    def __init__(self, token: str | None, since: datetime, safe: datetime) -> None:
        """Begin.

        safe: what was changed before this is where the platform's search will find it, in its place.
        """
        self.token = token
        self.safe = safe
        self.reached: datetime | None = None
        """Everything changed before has passed; None while no more is certain than before the poll."""
        self._since = since
        self._in_order = True

    def passed(self, moment: datetime) -> None:
        """Take note of an order that was taken in.

        One that was changed a moment ago may stand in the place of its earlier state, and says nothing about those that
        follow. And a poller that does not keep to the order has to give everything before anything is certain.
        """
        if moment >= self.safe or moment < self._since or not self._in_order:
            return
        if self.reached is not None and moment < self.reached:
            self._in_order = False
            self.reached = self._since
        else:
            self.reached = moment


class Poller:
    """One entry of `pollers:` in one process: polls while it leads, else stands by."""

    def __init__(
        self,
        *,
        poll: Poll,
        state: PollerState,
        lease: Lease,
        every: timedelta,
        clock: Callable[[], datetime],
        chance: random.Random,
    ) -> None:
        """Prepare the poller; `run` does the work.

        every: from the start of one poll to that of the next, at most.
        """
        self._poll = poll
        self._state = state
        self._lease = lease
        self._every_seconds = every.total_seconds()
        self._clock = clock
        self._chance = chance
        self._stopping = asyncio.Event()
        self._failures = 0
        self._log = structlog.get_logger("shopbot.polling").bind(poller=state.name)

    def stop(self) -> None:
        """Poll no more; `run` breaks off a poll that is under way, which loses nothing, and returns."""
        self._stopping.set()

    async def run(self) -> None:
        """Stand by, lead and poll until `stop` is called."""
        while not self._stopping.is_set():
            try:
                leads = await self._lease.take()
            except (RedisError, OSError) as error:
                self._log.warning("store_away", error=str(error))
                leads = False
            if leads:
                await self._lead()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), timeout=self._lease.seconds / 3)

    async def _lead(self) -> None:
        """Poll on schedule until the lease is lost, or `stop` is called."""
        self._log.info("poller_leads")
        tasks = [
            asyncio.create_task(self._lease.keep(), name=f"lease {self._state.name}"),
            asyncio.create_task(self._poll_on(), name=f"poll {self._state.name}"),
            asyncio.create_task(self._stopping.wait(), name=f"stop {self._state.name}"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(tasks)
            with contextlib.suppress(RedisError, OSError):  # then it runs out by itself
                await self._lease.give_back()
        if not self._stopping.is_set():
            self._log.warning("poller_lease_lost")
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def _poll_on(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            started = now()
            try:
                pause_seconds = await self._attempt()
            except LeaseLostError:
                return
            spread = _JITTER * self._chance.random()
            if pause_seconds is None:
                pause_seconds = started + self._every_seconds * (1 - spread) - now()
            else:
                pause_seconds *= 1 + spread
            await asyncio.sleep(max(0.0, pause_seconds))

    async def _attempt(self) -> float | None:
        """Poll once; gives None when that worked, else how long to wait before the next attempt, in seconds."""
        try:
            report = await self._poll.run(self._lease.token)
        except Retry as error:
            return await self._failed(error.reason, after_seconds=error.after_seconds)
        except ChannelDown as error:
            return await self._failed(error.reason, needs_a_person=True)
        except PluginFailedError as error:
            return await self._failed(error.what)
        except (StoreError, RedisError, OSError) as error:
            return await self._failed(f"the store: {error}")
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - the isolation of a poller from the rest of the host
            # A fault of the host itself: webhooks and messages must not stop for it.
            self._log.exception("poll_broke")
            return await self._failed(f"{type(error).__name__} in the host: see its log")
        if self._failures:
            self._log.info("poller_recovered", failures=self._failures)
        self._failures = 0
        level = self._log.info if report.tally.new else self._log.debug
        level(
            "poll_finished",
            since=report.since.isoformat(),
            pages=report.pages,
            orders=report.tally.orders,
            new=report.tally.new,
            first_seen=report.tally.first_seen,
        )
        return None

    async def _failed(self, reason: str, *, after_seconds: float | None = None, needs_a_person: bool = False) -> float:
        self._failures += 1
        loud = needs_a_person and self._failures == 1
        (self._log.error if loud else self._log.warning)("poll_failed", reason=reason, failures=self._failures)
        with contextlib.suppress(RedisError, OSError):  # the log has it, and the next failure tries again
            await self._state.failed(reason, self._clock())
        if needs_a_person:
            return self._every_seconds
        backoff = min(self._every_seconds, 2.0 ** min(self._failures, 30))
        return max(backoff, min(after_seconds or 0.0, _LONGEST_WAIT_SECONDS))


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended.

    Once may not do: before Python 3.12 `asyncio.wait_for` swallows a cancellation that comes just when it is done, and
    the store's client uses it for each command. https://github.com/python/cpython/issues/86296
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)


def arrival_of_poll(order: PolledOrder, now: datetime) -> Arrival:
    """Say what the inbox takes in for an order that a poll has found."""
    return Arrival(
        id=order.event_id,
        topic=POLLED_TOPIC,
        source=Source.POLL,
        received_ms=milliseconds(now),
        triggered_at=order.updated_at.astimezone(UTC).isoformat(),
        body=order.body,
    )
