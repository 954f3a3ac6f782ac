"""The loop that brings events to rules: bounded, supervised, and never ahead of what is durable."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import structlog
from redis.exceptions import RedisError

from shopbot.hooks import Hooks, PluginFailedError
from shopbot.metrics import Metrics, ShopMetrics
from shopbot.model.compliance import PRIVACY_TOPICS
from shopbot.model.outcome import Outcome, Status
from shopbot.model.reason import Reason
from shopbot.rules.attempt import Attempt
from shopbot.rules.engine import Engine
from shopbot.store.errors import StoreError, is_away
from shopbot.store.queue import Delivery, Disposition, Queue, Settlement

_READ_WAIT_SECONDS = 0.25
"""A host that stops waits no longer than this for its last read."""
_MOST_EVENTS_PER_SECOND = 3000
"""Several times what a process can work on. While events wait for room, reads are so far apart that they could bring so
many, and so each one brings several."""
_PROMOTE_EVERY_SECONDS = 0.5
_SHUTDOWN_LOOK_SECONDS = 0.1
_MOST_DEATHS = 6
"""An event that was in hand when so many processes ended is not tried again. At all but the first two it was alone."""
_SUSPECTS_SECONDS = 1.0
"""So long at a time nothing else is begun."""
_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Waits while the store is away, the last one over and over."""


class Worker:
    """Works off one shop's inbox in one process."""

    def __init__(
        self,
        *,
        queue: Queue,
        engine: Engine,
        hooks: Hooks,
        clock: Callable[[], datetime],
        concurrency: int,
        unpark: Callable[[Queue], Awaitable[None]],
        gone: Callable[[str], bool] = lambda _: False,
        metrics: ShopMetrics | None = None,
    ) -> None:
        """Prepare the worker; `run` does the work.

        unpark: brings events back that waited for a channel, if it is open.
        concurrency: how many events are worked on at a time.
        gone: says of another process's name whether it is known to have ended: its events need not wait for its lease.
        metrics: counts what becomes of events; None counts for nobody.
        """
        self._queue = queue
        self._engine = engine
        self._hooks = hooks
        self._clock = clock
        self._concurrency = concurrency
        self._unpark = unpark
        self._gone = gone
        self._metrics = metrics or ShopMetrics(Metrics(), "")
        self._free = asyncio.Semaphore(concurrency)
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._looked = False
        self._turn = asyncio.Lock()
        """Held by whoever may begin new work: the reading, or a suspect that must be alone."""
        self._let_go = asyncio.Event()
        self._stopping = asyncio.Event()
        self._reads_no_more = asyncio.Event()
        self._log = structlog.get_logger("shopbot.worker")

    def stop(self) -> None:
        """Take no more events; `run` returns once those in hand are settled."""
        self._stopping.set()
        self._let_go.set()

    async def retire(self) -> None:
        """Do as `stop`, and return once `run` takes no more events; those in hand it still works on."""
        self.stop()
        await self._reads_no_more.wait()

    async def run(self) -> None:
        """Work until `stop` is called."""
        await self._persist(self._queue.open)
        await self._persist(self._queue.sign_of_life)
        await self._persist(lambda: self._queue.bury(self._gone))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._every(self._queue.lease_seconds / 4, self._queue.sign_of_life))
            tasks.create_task(self._every(self._queue.lease_seconds / 4, lambda: self._take_over(tasks)))
            tasks.create_task(self._every(_PROMOTE_EVERY_SECONDS, self._promote))
            tasks.create_task(self._read(tasks))

    async def work_off(self) -> None:
        """Work on all that is due, one event after the other, in place of `run`; what becomes due later is left.

        Raises:
            StoreError: the store went away; what is not settled stays with this process.
            RedisError, OSError: likewise.
        """
        await self._queue.open()
        await self._promote()
        while deliveries := await self._queue.read(self._concurrency, wait_seconds=0):
            for delivery in deliveries:
                if not await self._attempt(delivery, 0):
                    raise StoreError("the store does not answer")

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        try:
            await self._read_on(tasks)
        finally:
            self._reads_no_more.set()

    async def _read_on(self, tasks: asyncio.TaskGroup) -> None:
        failures = 0
        while not self._stopping.is_set():
            room = await self._room()
            try:
                async with self._turn:
                    if self._stopping.is_set():
                        return
                    if failures:
                        # A store that lost its data has lost the group, too.
                        await self._queue.open()
                        # Entries whose delivery was lost with the connection are still ours.
                        self._begin(tasks, await self._queue.unsettled())
                        room = max(1, self._concurrency - len(self._in_hand))
                    deliveries = await self._queue.read(room, wait_seconds=_READ_WAIT_SECONDS)
                    self._begin(tasks, deliveries)
                if len(deliveries) == room:
                    await asyncio.sleep(self._concurrency / _MOST_EVENTS_PER_SECOND)
            except (RedisError, OSError) as error:
                await self._pause(failures, error)
                failures += 1
            else:
                failures = 0

    async def _room(self) -> int:
        """Wait until there is room for another event; gives for how many, at least one: nobody can read none.

        Does not wait, and may give less, once the worker is to stop.
        """
        while len(self._in_hand) >= self._concurrency and not self._stopping.is_set():
            self._let_go.clear()
            await self._let_go.wait()
        return self._concurrency - len(self._in_hand)

    def _begin(self, tasks: asyncio.TaskGroup, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.stream_id not in self._in_hand:
                name = f"event {delivery.event.id}"
                self._in_hand[delivery.stream_id] = tasks.create_task(self._work(delivery), name=name)

    async def _work(self, delivery: Delivery) -> None:
        """See one delivery through. Only a settled event, or the end of the process, gets out of here."""
        async with self._free:
            try:
                failures = 0
                while not await self._attempt(delivery, failures):
                    failures += 1
                    if self._stopping.is_set():
                        return  # the store is away and the host ends: the event stays pending, for the next run
            finally:
                del self._in_hand[delivery.stream_id]
                self._let_go.set()

    async def _attempt(self, delivery: Delivery, failures: int) -> bool:
        try:
            try:
                if delivery.deaths < _MOST_DEATHS:
                    attempt, settlement = await self._engine.process(delivery)
                else:
                    self._log.error("event_ends_processes", event_id=delivery.event.id, topic=delivery.event.topic)
                    attempt, settlement = self._give_up(delivery, f"{delivery.deaths} processes have ended over it")
                settled = await self._queue.settle(delivery, settlement, self._clock())
            except Exception as error:
                if is_away(error):
                    raise
                # A fault of the host itself. The event must neither vanish nor stop the others.
                self._log.exception("event_processing_failed", event_id=delivery.event.id, topic=delivery.event.topic)
                # Not the error's text: it may quote the order.
                what = f"{type(error).__name__} in shopbot itself; the log has the traceback"
                attempt, settlement = self._give_up(delivery, what)
                settled = await self._queue.settle(delivery, settlement, self._clock())
        except (RedisError, OSError) as error:
            await self._pause(failures, error)
            return False
        if settled:
            self._report(attempt, settlement)
            self._measure(attempt, settlement)
            if settlement.disposition in (Disposition.FINISHED, Disposition.DEAD):
                await self._observe(attempt, settlement)
        return True

    def _report(self, attempt: Attempt, settlement: Settlement) -> None:
        """Write the event's one log line."""
        level = self._log.info if settlement.disposition is Disposition.FINISHED else self._log.warning
        level(
            "event_" + settlement.disposition,
            event_id=attempt.event.id,
            topic=attempt.event.topic,
            order_id=settlement.order_id,
            status=settlement.status,
            reason=settlement.reason,
            attempt=attempt.number,
            milliseconds_since_receipt=round((self._clock() - attempt.event.received_at).total_seconds() * 1000),
        )

    def _measure(self, attempt: Attempt, settlement: Settlement) -> None:
        self._metrics.settled(settlement.status, settlement.reason)
        ended = settlement.disposition in (Disposition.FINISHED, Disposition.DEAD)
        if ended and attempt.event.topic in PRIVACY_TOPICS:
            self._metrics.privacy_request(attempt.event.topic, settlement.status)
        for entry in attempt.entries:
            if entry.status is Status.DONE and entry.step.endswith(":send_message"):
                seconds = (entry.at - attempt.event.received_at).total_seconds()
                self._metrics.sent(attempt.event.source, seconds, first_attempt=not attempt.earlier)

    async def _observe(self, attempt: Attempt, settlement: Settlement) -> None:
        if not self._hooks.observers:
            return
        view = attempt.view(status=settlement.status)
        for observer in self._hooks.observers:
            try:
                await observer(attempt.event, view)
            except PluginFailedError:
                continue  # it is logged; an observer decides nothing

    async def _take_over(self, tasks: asyncio.TaskGroup) -> None:
        room = self._concurrency - len(self._in_hand)
        if room > 0 and not self._stopping.is_set():
            deliveries = await self._queue.take_over(room)
            if deliveries:
                self._log.warning("events_taken_over", count=len(deliveries))
            self._begin(tasks, deliveries)
        self._begin(tasks, await self._queue.lost(self._in_hand.keys()))
        # Not at the first look: between two ends of a process all others get their turn.
        if self._queue.suspects_left and self._looked:
            await self._try_suspects(tasks)
        self._looked = True

    async def _try_suspects(self, tasks: asyncio.TaskGroup) -> None:
        """See events through that were in hand when processes ended, each alone: the culprit takes no others along."""
        clock = asyncio.get_running_loop().time
        patience = clock() + self._queue.lease_seconds
        async with self._turn:
            while self._in_hand and clock() < patience:
                await asyncio.wait(self._in_hand.values(), timeout=_SHUTDOWN_LOOK_SECONDS)
            until = clock() + _SUSPECTS_SECONDS
            while not self._in_hand and not self._stopping.is_set() and clock() < until:
                suspect = await self._queue.take_suspect()
                if suspect is None:
                    return
                self._log.warning("suspect_taken_over", event_id=suspect.event.id, deaths=suspect.deaths)
                self._begin(tasks, [suspect])
                await asyncio.wait(self._in_hand.values())

    async def _promote(self) -> None:
        """Bring back what is due, and what waited for a channel that is open again."""
        await self._queue.promote(self._clock())
        await self._unpark(self._queue)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do some upkeep at once and then again and again; the store may be away meanwhile.

        It goes on while events are in hand: a process that stops without a sign of life would lose them to others.
        """
        while not self._stopping.is_set() or self._in_hand:
            try:
                await work()
            except (RedisError, OSError) as error:
                self._log.warning("store_away", error=str(error))
            if self._stopping.is_set():
                await asyncio.sleep(_SHUTDOWN_LOOK_SECONDS)
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), timeout=seconds)

    async def _persist(self, work: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                await work()
            except (RedisError, OSError) as error:
                await self._pause(failures, error)
                failures += 1
            else:
                return

    async def _pause(self, failures: int, error: Exception) -> None:
        self._log.warning("store_away", error=str(error))
        await asyncio.sleep(_PAUSES_SECONDS[min(failures, len(_PAUSES_SECONDS) - 1)])

    def _give_up(self, delivery: Delivery, detail: str) -> tuple[Attempt, Settlement]:
        """Make a dead letter of an event that the host itself stumbles over."""
        attempt = Attempt(
            event=delivery.event, number=delivery.attempts + 1, earlier=delivery.journal, clock=self._clock
        )
        attempt.note("", "", Outcome.failed(Reason.WEBHOOK_PROCESSING_ERROR, detail))
        return attempt, Settlement(
            disposition=Disposition.DEAD,
            status=Status.FAILED,
            reason=Reason.WEBHOOK_PROCESSING_ERROR,
            attempts=attempt.number,
            journal=attempt.entries,
        )
