"""What has no time to live in the store is kept within the limits of `ttl:` all the same."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from structlog.testing import capture_logs

from shopbot.host.retention import Retention
from shopbot.privacy.files import ExportFiles
from shopbot.store.dead_letters import DeadLetters, Selection
from shopbot.store.log_rewrite import LogRewrite
from shopbot.store.queue import Disposition
from support.eventually import eventually
from support.store_parts import JOURNAL_TTL_SECONDS, KEYS, NOW, a_queue, a_settlement, an_event, fill
from support.stores import OpenStore, on_every_store, running_store


async def die(store: OpenStore, count: int) -> DeadLetters:
    """Make dead letters, one a minute."""
    await fill(store, *(an_event(n) for n in range(count)))
    queue = await a_queue(store)
    for number, delivery in enumerate(await queue.read(count, wait_seconds=1.0)):
        await queue.settle(delivery, a_settlement(Disposition.DEAD), NOW + timedelta(minutes=number))
    return DeadLetters(store.client, KEYS, journal_ttl_seconds=JOURNAL_TTL_SECONDS)


def a_retention(
    letters: DeadLetters,
    directory: Path,
    *,
    dead_letter: timedelta | None,
    log_rewrite: LogRewrite | None = None,
    now: datetime = NOW,
) -> Retention:
    files = ExportFiles(directory, "acme.myshopify.com", ttl=timedelta(days=30))
    return Retention(files, letters, dead_letter=dead_letter, log_rewrite=log_rewrite, clock=lambda: now)


@on_every_store
async def test_dead_letters_are_purged_when_their_time_is_over(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        letters = await die(store, 250)
        now = NOW + timedelta(days=90, minutes=240)
        with capture_logs() as logs:
            await a_retention(letters, tmp_path, dead_letter=timedelta(days=90), now=now).enforce()

        left = await letters.select(Selection(), NOW)
        assert [letter.event_id for letter in left] == [f"webhook:{n}" for n in range(240, 250)]
        assert await store.client.hget(KEYS.event("webhook:0"), "body") is None
        assert [(entry["event"], entry["count"]) for entry in logs] == [("dead_letters_purged", 240)]


async def test_without_a_limit_they_wait_for_ever(tmp_path: Path) -> None:
    async with running_store("fakeredis", tmp_path) as store:
        letters = await die(store, 3)
        await a_retention(letters, tmp_path, dead_letter=None, now=NOW + timedelta(days=9_000)).enforce()

        assert len(await letters.select(Selection(), NOW)) == 3


async def test_a_store_that_is_away_is_no_reason_to_stop_looking(tmp_path: Path) -> None:
    async with running_store("fakeredis", tmp_path) as store:
        letters = await die(store, 1)
        now = datetime(2100, 1, 1, tzinfo=UTC)
        retention = a_retention(letters, tmp_path, dead_letter=timedelta(days=1), now=now)
        await store.go_away()
        with capture_logs() as logs:
            running = asyncio.create_task(retention.run())

            async def has_failed() -> bool:
                return "retention_not_enforced" in [entry["event"] for entry in logs]

            await eventually(has_failed, "it says so")
            assert not running.done()
        retention.stop()
        await running


async def test_the_embedded_store_s_log_is_written_anew_when_it_is_worth_it(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        letters = await die(store, 1)
        unlimited = 1e9
        log_rewrite = LogRewrite(store.client, KEYS, large_bytes=1, quiet_kilobytes_per_second=unlimited)
        await a_retention(letters, tmp_path, dead_letter=None, log_rewrite=log_rewrite).enforce()

        assert await store.calls("bgrewriteaof") == 1
