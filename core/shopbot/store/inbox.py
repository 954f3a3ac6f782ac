"""Takes events in, durably and once: arrivals of the same moment share one round trip and one fsync."""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shopbot.metrics import Metrics, ShopMetrics
from shopbot.model.event import Arrival
from shopbot.store.connection import script
from shopbot.store.entry import identified_head
from shopbot.store.errors import StoreError
from shopbot.store.keys import Keys

BATCH_EVENTS = 64
BATCH_BYTES = 2 * 1024 * 1024
"""A batch ends here, so that one flood cannot hold up the server or fill its input buffer."""
MOST_WAITING_BYTES = 128 * 1024 * 1024
"""While the store hangs, so much waits in memory; who comes then is told to come again."""
_IN_FLIGHT = 2
"""So many batches are on their way at once at most, so that neither the server nor this process waits for the other."""
_SECOND_EVENTS = 16
"""A second batch leaves from this size on. A smaller one costs nearly as much and waits for the first one's answer."""
_FSYNC_BATCHES = 8
"""So many times larger a batch may be where each waits for an fsync that the server makes at its own pace."""


_Waiting = tuple[Arrival, asyncio.Future[bool], bytes]
"""An arrival, who waits for it, and the first of its two arguments for the script."""


class Inbox:
    """The door to the event stream of one shop.

    `add` queues an arrival; tasks of this object's own write what is queued, batch after batch, in its order: while one
    batch is on its way to disk and another one to the server, the next one gathers. A caller that goes away does not
    take its arrival with it.
    """

    def __init__(
        self, client: Redis, keys: Keys, *, seen_ttl_seconds: float, metrics: ShopMetrics | None = None
    ) -> None:
        """Prepare the inbox; `start` must run before `add`.

        seen_ttl_seconds: how long the same arrival counts as a duplicate.
        metrics: counts the arrivals; None counts for nobody.
        """
        self.fsync_wait_seconds = 0.0
        """How long an arrival may wait for the fsync that a server makes later; 0: it is on disk when it is written."""
        self._metrics = metrics or ShopMetrics(Metrics(), keys.shop)
        self._keys = keys
        self._constants: list[str | bytes | int] = [int(seen_ttl_seconds * 1000), keys.seen(""), keys.event("")]
        self._client = client
        self._script = script(client, "add")
        self._queue: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._on_their_way = 0
        self._wakeup = asyncio.Event()
        self._closing = False
        self._writers: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._log = structlog.get_logger("shopbot.store")

    def start(self) -> None:
        """Start the writing tasks on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._writers = [asyncio.create_task(self._write(), name="inbox-writer") for _ in range(_IN_FLIGHT)]

    async def stop(self) -> None:
        """Write what is queued, then end the writers."""
        self._closing = True
        self._wakeup.set()
        await asyncio.gather(*self._writers)

    def add(self, arrival: Arrival) -> asyncio.Future[bool]:
        """Take an arrival in.

        Await the answer: True when it is new and on disk, False when it was taken in before. Cancelling
        the wait does not cancel the writing.

        Raises (from the future):
            StoreError: it could not be stored, or the inbox is stopped; the sender must be told to come again.
        """
        # Not the running loop each time: to be sure of it, Python 3.11 asks the kernel for the process's id.
        loop = self._loop or asyncio.get_running_loop()
        accepted: asyncio.Future[bool] = loop.create_future()
        if self._closing or not self._writers:
            accepted.set_exception(StoreError("the inbox is stopped"))
            return accepted
        try:
            head = identified_head(arrival)
        except ValueError:
            # Not to be found out in a batch with others.
            accepted.set_exception(StoreError("the event's id or topic is no text"))
            return accepted
        if self._waiting_bytes > MOST_WAITING_BYTES:
            accepted.set_exception(StoreError("too much waits for the store already"))
            return accepted
        self._waiting_bytes += len(arrival.body)
        self._queue.append((arrival, accepted, head))
        if self._may_leave():
            self._wakeup.set()
        return accepted

    def _may_leave(self) -> bool:
        return not self._on_their_way or len(self._queue) >= _SECOND_EVENTS

    async def _write(self) -> None:
        while True:
            await self._wakeup.wait()
            if not self._closing:
                self._wakeup.clear()
            # What stays behind is taken by whoever has a batch on its way, once that has arrived.
            while self._queue and self._may_leave():
                self._on_their_way += 1
                await self._flush(self._next_batch())
                self._on_their_way -= 1
            if self._closing:
                return

    def _next_batch(self) -> Sequence[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        batches = _FSYNC_BATCHES if self.fsync_wait_seconds else 1
        while self._queue and len(batch) < BATCH_EVENTS * batches and size < BATCH_BYTES * batches:
            batch.append(self._queue.popleft())
            size += len(batch[-1][0].body)
        self._waiting_bytes -= size
        return batch

    async def _flush(self, batch: Sequence[_Waiting]) -> None:
        args = [*self._constants]
        for arrival, _, head in batch:
            args += (head, arrival.body)
        try:
            news = await self._store(args)
        except Exception as error:  # noqa: BLE001 - every caller is told, and what is no fault of the store is logged
            if not isinstance(error, RedisError | OSError | StoreError):
                # A fault of the host itself, which must not end the writer and with it all later arrivals.
                self._log.exception("inbox_failed", events=[arrival.id for arrival, *_ in batch])
            for _, accepted, _ in batch:
                if not accepted.done():
                    accepted.set_exception(StoreError(f"the event could not be stored: {error}"))
            return
        for (_, accepted, _), new in zip(batch, news, strict=True):
            if not accepted.done():
                accepted.set_result(new == 1)
        self._metrics.arrived([arrival for arrival, *_ in batch], [new == 1 for new in news])

    async def _store(self, args: list[str | bytes | int]) -> Sequence[int]:
        """Write a batch; returns when it is on disk: for each event 1 where it is new, else 0."""
        keys = [self._keys.inbox]
        if not self.fsync_wait_seconds:
            news: Sequence[int] = await self._script(keys, args)
            return news
        # WAITAOF waits for the writes of its own connection alone. https://valkey.io/commands/waitaof/
        async with self._client.pipeline(transaction=False) as pipeline:
            await self._script(keys, args, client=pipeline)
            pipeline.waitaof(1, 0, int(self.fsync_wait_seconds * 1000))
            news, (synced, _) = await pipeline.execute()
        if not synced:
            raise StoreError(f"it is not on the store's disk after {self.fsync_wait_seconds:g} s")
        return news
