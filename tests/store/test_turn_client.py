"""The store's client, whose commands of one moment share round trips: nobody may notice but by the speed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.exceptions import RedisError, ResponseError

from shopbot.store.connection import connect
from support.eventually import eventually
from support.stores import OpenStore, on_real_stores, running_store


async def reads(store: OpenStore) -> int:
    """Say how often the server has read from a connection."""
    return int((await store.client.info("stats"))["total_reads_processed"])


@on_real_stores
async def test_commands_of_one_moment_share_round_trips_and_each_has_its_own_answer(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        before = await reads(store)

        answers = await asyncio.gather(*(store.client.incrby(f"n:{n}", n) for n in range(100)))

        assert answers == list(range(100))
        # The commands, the two questions, and perhaps a new connection that introduces itself.
        assert await reads(store) - before < 10


@on_real_stores
async def test_however_many_commands_there_are_each_has_its_own_answer(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        count = 5_000

        answers = await asyncio.gather(*(store.client.echo(str(n)) for n in range(count)))

        assert [int(answer) for answer in answers] == list(range(count))


@on_real_stores
async def test_a_command_that_fails_fails_alone_and_its_error_quotes_no_other(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await store.client.set("text", "some text")

        first, failed, last = await asyncio.gather(
            store.client.set("a", "the secret"),
            store.client.lpush("text", "another secret"),
            store.client.get("text"),
            return_exceptions=True,
        )

        assert (first, last) == (True, b"some text")
        assert isinstance(failed, ResponseError)
        assert "WRONGTYPE" in str(failed)
        assert "secret" not in str(failed)


@on_real_stores
async def test_whoever_leaves_takes_no_answer_from_the_others(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        asked = [asyncio.ensure_future(store.client.echo(str(n))) for n in range(10)]
        await asyncio.sleep(0)
        for leaving in asked[::2]:
            leaving.cancel()

        answers = await asyncio.gather(*asked, return_exceptions=True)

        assert answers[1::2] == [b"1", b"3", b"5", b"7", b"9"]
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])


@on_real_stores
async def test_a_script_that_the_server_has_forgotten_is_sent_again(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        double = store.client.register_script("return 2 * ARGV[1]")
        assert await double([], [1]) == 2
        await store.client.script_flush()

        assert await asyncio.gather(*(double([], [n]) for n in range(20))) == [2 * n for n in range(20)]


@on_real_stores
async def test_nobody_waits_with_a_command_that_waits_on_the_server(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await store.client.xgroup_create("stream", "group", mkstream=True)
        waiting = asyncio.ensure_future(store.client.xreadgroup("group", "me", {"stream": ">"}, block=30_000))

        assert await asyncio.wait_for(store.client.echo("here"), 10) == b"here"
        assert not waiting.done()
        await store.client.xadd("stream", {"a": "b"})
        assert await waiting


@on_real_stores
async def test_when_the_store_goes_away_each_is_told_and_later_commands_are_answered(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        await store.client.set("a", "1")
        await store.go_away()

        failed = await asyncio.gather(*(store.client.get("a") for _ in range(20)), return_exceptions=True)
        assert all(isinstance(error, RedisError | OSError) for error in failed)
        assert len({id(error) for error in failed}) == 20
        await store.come_back()

        async def answers() -> bool:
            try:
                return bool(await store.client.ping())
            except (RedisError, OSError):
                return False

        await eventually(answers, "the store answers again")


@on_real_stores
async def test_closing_waits_for_what_was_asked(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        client = connect(store.url)
        asked = [asyncio.ensure_future(client.incr("n")) for _ in range(10)]
        await asyncio.sleep(0)

        await client.aclose()

        assert sorted(await asyncio.gather(*asked)) == list(range(1, 11))


def test_a_client_can_be_made_and_closed_unused() -> None:
    async def make() -> None:
        await connect("redis://127.0.0.1:1/0").aclose()

    asyncio.run(make())


@pytest.mark.parametrize("gone", [1, 5])
@on_real_stores
async def test_whoever_gives_up_at_once_disturbs_nobody(kind: str, tmp_path: Path, gone: int) -> None:
    """As when a request runs into its time limit while others are under way."""
    async with running_store(kind, tmp_path) as store:
        for _ in range(gone):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await store.client.incr("left")

        assert await store.client.incr("stayed") == 1
