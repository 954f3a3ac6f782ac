"""A search leaves a large store, and the process that it runs in, to others as well: by what it does, not how long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from shopbot.privacy.sweep import BATCH_KEYS, Pace
from support.observed_client import Commands, ObservedClient
from support.shoppers import Shop, Shopper, until_done
from support.stores import running_store
from support.whole_store import traces

KEYS = 6_000
MOST_COMMANDS_AT_ONCE = 500
WHOLE_STORE = {"KEYS", "FLUSHALL", "FLUSHDB", "SORT", "DEBUG"}


@dataclass
class Notes:
    """What was asked of the store, and how far another task of the same process had got meanwhile."""

    commands: list[tuple[Any, ...]] = field(default_factory=list)
    at_once: list[int] = field(default_factory=list)
    ticked: int = 0
    at_batches: list[int] = field(default_factory=list)
    """How far the other task was at each batch of keys."""

    def take(self, commands: Commands) -> None:
        self.commands += commands
        self.at_once.append(len(commands))
        if commands[0][0] == "SCAN":
            self.at_batches.append(self.ticked)

    async def tick(self) -> None:
        while True:
            self.ticked += 1
            await asyncio.sleep(0)


async def fill(client: Redis, shop: Shop) -> None:
    """Keep orders of thousands of others."""
    async with client.pipeline(transaction=False) as pipeline:
        for number in range(KEYS // 4):
            psid, order_id = str(10_000_000 + number), 200_000 + number
            pipeline.set(shop.shared.order_reference(psid, order_id), "{}")
            pipeline.set(shop.shared.order_confirmation(psid, order_id), "{}")
            pipeline.set(shop.keys.shopper(order_id), psid)
            pipeline.hset(shop.keys.event(f"webhook:{number}"), mapping={"topic": "orders/paid", "status": "done"})
        await pipeline.execute()


async def test_every_command_is_a_small_one_and_others_get_their_turn_between_them(tmp_path: Path) -> None:
    notes = Notes()
    async with running_store("embedded", tmp_path) as store:
        shop = Shop(store.client, store.another(blocking=True))
        await shop.queue.open()
        await shop.queue.sign_of_life()
        shop.inbox.start()
        await shop.keep(Shopper(1))
        await shop.inbox.stop()
        await fill(store.client, shop)
        watched = ObservedClient.of(store.url, notes.take)
        searching = Shop(watched, shop.blocking)
        ticking = asyncio.create_task(notes.tick())

        await until_done(
            lambda: searching.erasure().person("webhook:r", Shopper(1).person(), Pace(stretch_seconds=3600.0))
        )
        ticking.cancel()
        await watched.aclose()

        assert await traces(store.client, Shopper(1).secrets) == []
        assert await store.client.dbsize() > KEYS
    scans = [command for command in notes.commands if command[0] == "SCAN"]
    assert len(scans) > 2 * KEYS / BATCH_KEYS / 2  # two passes, of batches that may be a little larger
    assert {command[command.index(b"COUNT") + 1] for command in scans} == {BATCH_KEYS}
    assert {str(command[0]) for command in notes.commands}.isdisjoint(WHOLE_STORE)
    assert max(notes.at_once) <= MOST_COMMANDS_AT_ONCE
    assert all(earlier < later for earlier, later in zip(notes.at_batches, notes.at_batches[1:], strict=False))


async def test_a_stretch_ends_after_the_batch_at_which_its_time_is_up(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        shop = Shop(store.client, store.another(blocking=True))
        await fill(store.client, shop)
        calls = 0

        async def stretch() -> object:
            nonlocal calls
            calls += 1
            return await shop.export().find("webhook:r", Shopper(1).person(), Pace(stretch_seconds=0.0))

        assert await until_done(stretch) == []

    assert calls > KEYS / BATCH_KEYS / 2
