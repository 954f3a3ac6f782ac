"""The store's log on disk is written anew when somebody has asked for it, by whoever looks."""

from __future__ import annotations

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
