"""The store's scripts: known to a server by a digest, and sent whole to one that does not know them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from shopbot.store.connection import Script, script
from support.stores import on_every_store, on_real_stores, running_store


@on_every_store
async def test_a_script_works_on_its_keys_with_its_arguments(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        replace = script(store.client, "replace")

        assert await replace(["key"], ["", "one", 60_000]) == 1
        assert await replace(["key"], ["", "two", 60_000]) == 0
        assert await store.client.get("key") == b"one"


@on_real_stores
async def test_a_server_that_does_not_know_a_script_is_sent_it_whole_once(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        double = Script(store.client, "return 2 * ARGV[1]")
        for _ in range(2):  # at first, and after a restart
            before = await store.calls("eval")

            assert await double([], [1]) == 2
            assert await asyncio.gather(*(double([], [n]) for n in range(20))) == [2 * n for n in range(20)]

            assert await store.calls("eval") - before == 1
            await store.client.script_flush()


@on_real_stores
async def test_a_script_in_a_pipeline_answers_with_it(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        double = Script(store.client, "return 2 * ARGV[1]")
        async with store.client.pipeline(transaction=False) as pipeline:
            pipeline.set("key", "value")
            await double([], [21], pipeline)

            assert await pipeline.execute() == [True, 42]


@on_real_stores
async def test_the_error_of_a_script_is_told(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        with pytest.raises(ResponseError, match="went wrong"):
            await Script(store.client, "return redis.error_reply('ERR went wrong')")([], [])
