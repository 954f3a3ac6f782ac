"""How a worker reads: as much as it has room for, and not once for each event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

from shopbot.hooks import Hooks
from shopbot.rules.attempt import Attempt
from shopbot.rules.engine import Engine
from shopbot.store.queue import Delivery, Settlement
from shopbot.worker import Worker
from support.eventually import eventually
from support.store_parts import NOW, a_queue, a_settlement, an_event, fill
from support.stores import on_real_stores, running_store

WORK_SECONDS = 0.02


class Slow:
    """Takes a moment for each event, as a message does on its way; no two of them end at the same time."""

    def __init__(self) -> None:
        self.begun = 0

    async def process(self, delivery: Delivery) -> tuple[Attempt, Settlement]:
        self.begun += 1
        await asyncio.sleep(WORK_SECONDS * (1 + self.begun % 16 / 16))
        return Attempt(event=delivery.event, number=1, earlier=(), clock=lambda: NOW), a_settlement()

    def has_begun(self, count: int) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            return self.begun == count

        return look


async def _nothing(*_: object) -> None:
    """Stand for what brings parked events back."""


@on_real_stores
async def test_while_more_wait_than_there_is_room_for_a_read_brings_several(kind: str, tmp_path: Path) -> None:
    count = 400
    async with running_store(kind, tmp_path) as store:
        await fill(store, *(an_event(n) for n in range(count)))
        engine = Slow()
        worker = Worker(
            queue=await a_queue(store),
            engine=cast("Engine", engine),
            hooks=Hooks([]),
            clock=lambda: NOW + timedelta(seconds=1),
            concurrency=32,
            unpark=_nothing,
        )
        before = await store.calls("xreadgroup")

        working = asyncio.create_task(worker.run())
        await eventually(engine.has_begun(count), "all events in hand")
        worker.stop()
        await working

        assert await store.calls("xreadgroup") - before < count / 4
