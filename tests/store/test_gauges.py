"""What metrics read from the store, in one round trip."""

from __future__ import annotations

import math
from pathlib import Path

from shopbot.store.channels import ChannelState
from shopbot.store.gauges import Gauges, PollerReading
from support.store_parts import KEYS, an_event, fill
from support.stores import on_every_store, running_store


@on_every_store
async def test_an_empty_store_reads_as_nothing_waiting(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        readings = await Gauges(store.client, KEYS, channels=["messenger:1"], pollers=["shopify_orders"]).read()

    assert (readings.inbox, readings.oldest_seconds) == (0, 0)
    assert (readings.retries, readings.held, readings.parked, readings.dead) == (0, 0, 0, 0)
    assert readings.channels == {"messenger:1": ChannelState.OPEN}
    assert readings.pollers == {"shopify_orders": PollerReading(math.inf, 0, 0, failing=False)}


@on_every_store
async def test_every_place_where_events_wait_is_counted(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await fill(store, an_event(1), an_event(2))
        for count, key in enumerate((KEYS.retries, KEYS.held, KEYS.parked, KEYS.dead), start=3):
            await store.client.zadd(key, {str(number): number for number in range(count)})
        readings = await Gauges(store.client, KEYS, channels=[]).read()

    assert readings.inbox == 2
    assert 0 <= readings.oldest_seconds < 60
    assert (readings.retries, readings.held, readings.parked, readings.dead) == (3, 4, 5, 6)


@on_every_store
async def test_channels_and_pollers_keep_to_their_names(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        now_ms = (await store.client.time())[0] * 1000
        await store.client.hset(KEYS.channel("b"), mapping={"state": "down", "reason": "revoked"})
        await store.client.hset(KEYS.channel("c"), mapping={"state": "paused", "until_ms": now_ms + 60_000})
        await store.client.hset(KEYS.channel("d"), mapping={"state": "paused", "until_ms": now_ms - 60_000})
        await store.client.hset(KEYS.channel("e"), mapping={"usage": "17"})
        await store.client.hset(KEYS.poller("two"), mapping={"last_success_ms": now_ms - 5_000, "orders": 8})
        gauges = Gauges(store.client, KEYS, channels=["a", "b", "c", "d", "e"], pollers=["one", "two"])
        readings = await gauges.read()

    assert "".join(state.value[0] for state in readings.channels.values()) == "odpoo"
    assert readings.pollers["one"].gap_seconds == math.inf
    assert 4 <= readings.pollers["two"].gap_seconds < 60
    assert readings.pollers["two"].orders == 8
