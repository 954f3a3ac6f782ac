"""The store's log on disk is written anew when somebody has asked for it, or it is worth it, by whoever looks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from shopbot.store.log_rewrite import LogRewrite
from support.eventually import eventually
from support.store_parts import KEYS
from support.stores import running_store


async def test_nothing_is_done_unasked(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        assert not await LogRewrite(store.client, KEYS).go_on()
        assert await store.calls("bgrewriteaof") == 0


async def test_it_is_done_once_however_many_ask_and_look(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        rewrites = [LogRewrite(store.another(), KEYS) for _ in range(3)]
        for rewrite in rewrites:
            await rewrite.ask()

        async def is_over() -> bool:
            return not any([await rewrite.go_on() for rewrite in rewrites])

        await eventually(is_over, "it ends")
        assert await store.calls("bgrewriteaof") == 1
        assert not await store.client.exists(KEYS.log_rewrite)


async def test_what_is_asked_for_while_one_is_under_way_is_done_afterwards(tmp_path: Path) -> None:
    """The one that is under way writes down what was there when it began."""
    async with running_store("embedded", tmp_path) as store:
        rewrite = LogRewrite(store.client, KEYS)
        await rewrite.ask()
        assert await rewrite.go_on()
        await rewrite.ask()

        async def is_over() -> bool:
            return not await rewrite.go_on()

        await eventually(is_over, "it ends")
        assert await store.calls("bgrewriteaof") == 2


async def test_one_that_the_server_s_death_has_cut_off_is_begun_anew(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        rewrite = LogRewrite(store.client, KEYS)
        await rewrite.ask()
        await rewrite.go_on()
        await store.go_away()
        await store.come_back()

        async def is_over() -> bool:
            return not await rewrite.go_on()

        await eventually(is_over, "it ends")
        assert await store.calls("bgrewriteaof") == 1  # since the server was started again


async def test_a_failure_is_logged_and_it_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_store("embedded", tmp_path) as store:
        client = store.another()
        rewrite, info = LogRewrite(client, KEYS), client.info

        async def failing(section: str) -> dict[str, Any]:
            return {**await info(section), "aof_last_bgrewrite_status": "err"}

        monkeypatch.setattr(client, "info", failing)
        await rewrite.ask()
        with capture_logs() as logs:

            async def was_tried_again() -> bool:
                await rewrite.go_on()
                return await store.calls("bgrewriteaof") > 1

            await eventually(was_tried_again, "it is tried again")

    assert {(entry["event"], entry["log_level"]) for entry in logs} == {("log_not_rewritten", "error")}


async def test_a_log_that_has_grown_large_is_written_anew_once_few_write(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        rewrite = LogRewrite(store.client, KEYS, large_bytes=4_000_000, quiet_kilobytes_per_second=500)

        async def is_flooded() -> bool:
            await store.client.set("shopper", b"x" * 1_000_000)
            grown = (await store.client.info("persistence"))["aof_current_size"] > 4_000_000
            return bool(grown and (await store.client.info("stats"))["instantaneous_input_kbps"] > 5000)

        await eventually(is_flooded, "the server has noticed")
        await rewrite.when_quiet()
        assert await store.calls("bgrewriteaof") == 0, "in the middle of a flood"

        async def was_begun() -> bool:
            await rewrite.when_quiet()
            return await store.calls("bgrewriteaof") > 0

        await eventually(was_begun, "the store has time for it")

        async def is_small() -> bool:
            return int((await store.client.info("persistence"))["aof_current_size"]) < 2_000_000

        await eventually(is_small, "it ends")
        await rewrite.when_quiet()
        assert await store.calls("bgrewriteaof") == 1, "it is small now"


async def test_a_log_that_has_not_grown_since_it_was_written_stays(tmp_path: Path) -> None:
    """What is in it takes that room, so that nothing would be gained; noise, because texts are compressed."""
    async with running_store("embedded", tmp_path) as store:
        rewrite = LogRewrite(store.client, KEYS, large_bytes=1, quiet_kilobytes_per_second=1e9)
        for each in range(50):
            await store.client.set(f"shopper {each}", os.urandom(100_000))
        await rewrite.ask()

        async def is_over() -> bool:
            return not await rewrite.go_on()

        await eventually(is_over, "it ends")
        await store.client.set("shopper 50", os.urandom(4_000_000))
        await rewrite.when_quiet()
        assert await store.calls("bgrewriteaof") == 1

        await store.client.set("shopper 50", os.urandom(4_000_000))
        await rewrite.when_quiet()
        assert await store.calls("bgrewriteaof") == 2, "twice what it was"


async def test_one_that_is_under_way_is_left_to_end(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        await store.client.config_set("rdb-key-save-delay", 1_000_000)  # a second for each key
        await store.client.set("shopper", b"1")
        rewrite = LogRewrite(store.client, KEYS, large_bytes=1, quiet_kilobytes_per_second=1e9)
        with capture_logs() as logs:
            for _ in range(3):
                await rewrite.when_quiet()
        assert await store.calls("bgrewriteaof") == 1
        assert logs == []


async def test_of_several_that_look_in_the_same_moment_one_begins_and_nobody_complains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_store("embedded", tmp_path) as store:
        await store.client.config_set("rdb-key-save-delay", 1_000_000)  # a second for each key
        await store.client.set("shopper", b"1")
        client = store.another()
        seen = {section: await client.info(section) for section in ("persistence", "stats", "server")}

        async def info_before(section: str) -> dict[str, Any]:
            return seen[section]

        monkeypatch.setattr(client, "info", info_before)
        first, second = (
            LogRewrite(each, KEYS, large_bytes=1, quiet_kilobytes_per_second=1e9) for each in (store.client, client)
        )
        with capture_logs() as logs:
            await first.when_quiet()
            await second.when_quiet()
            await second.ask()
            assert await second.go_on(), "what was asked for now is still to be done"

        assert (await store.client.info("persistence"))["aof_rewrite_in_progress"]
        assert await store.client.get(KEYS.log_rewrite) == b"due"
        assert logs == []
