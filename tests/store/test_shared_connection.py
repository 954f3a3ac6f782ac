"""The connection that all commands of a process share: what one does or suffers is nothing to the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import BlockingConnectionPool
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import DataError, ResponseError
from redis.exceptions import TimeoutError as StoreTimeoutError

from shopbot.store.shared_connection import SharedConnection
from support.stores import OpenStore, on_real_stores, running_store


@asynccontextmanager
async def shared(url: str, **settings: float) -> AsyncIterator[SharedConnection]:
    pool = BlockingConnectionPool.from_url(url, socket_timeout=5.0, protocol=2)
    connection = SharedConnection(pool, **settings)
    try:
        yield connection
    finally:
        await connection.close()
        await pool.disconnect()


async def connections(store: OpenStore) -> int:
    return len(await store.client.client_list())


@on_real_stores
async def test_answers_come_in_the_order_of_the_commands_whatever_their_size(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, shared(store.url) as connection:
        texts = [b"%d" % n * (1 + n % 7 * 9_000) for n in range(300)]

        asked = [connection.ask("ECHO", text) for text in texts]
        await asyncio.sleep(0)
        later = connection.ask("ECHO", "later")

        assert await asyncio.gather(*asked) == texts
        assert await later == b"later"


@on_real_stores
async def test_all_commands_use_one_connection(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, shared(store.url) as connection:
        before = await connections(store)

        for _ in range(3):
            await asyncio.gather(*(connection.ask("INCR", "n") for _ in range(50)))

        assert await connections(store) - before == 1


@on_real_stores
async def test_arguments_of_every_kind_arrive_as_redis_py_would_write_them(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, shared(store.url) as connection:
        given = (7, 1.5, "ü", b"\xff\r\n", bytearray(b"array"), "", b"x" * 5_000, memoryview(b"y" * 5_000))

        await connection.ask("RPUSH", "list", *given)
        await connection.ask("RPUSH", "list", "1", b"z" * 5_000)

        assert await connection.ask("LRANGE", "list", 0, -1) == [
            *(b"7", b"1.5", "ü".encode(), b"\xff\r\n", b"array", b"", b"x" * 5_000, b"y" * 5_000, b"1", b"z" * 5_000)
        ]


@on_real_stores
async def test_an_argument_that_cannot_be_sent_is_refused_before_anything_is(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, shared(store.url) as connection:
        with pytest.raises(DataError, match="NoneType"):
            connection.ask("SET", "key", None)
        with pytest.raises(UnicodeEncodeError):
            connection.ask("SET", "key", "\ud800")

        assert await connection.ask("GET", "key") is None


@on_real_stores
async def test_an_error_is_the_answer_to_its_own_command_alone(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, shared(store.url) as connection:
        answers = await asyncio.gather(
            *(connection.ask(*words) for words in (("SET", "text", "1"), ("LPOP", "text"), ("GET", "text"))),
            return_exceptions=True,
        )

        assert (answers[0], answers[2]) == (b"OK", b"1")
        assert isinstance(answers[1], ResponseError)


@on_real_stores
async def test_who_waits_on_a_connection_that_is_lost_is_told_and_the_next_command_connects_anew(
    kind: str, tmp_path: Path
) -> None:
    async with running_store(kind, tmp_path) as store, shared(store.url) as connection:
        await connection.ask("PING")
        await store.client.client_pause(60_000, all=False)  # writes alone wait
        lost = [connection.ask("INCR", "n") for _ in range(5)]
        await asyncio.sleep(0)
        await store.client.client_kill_filter(_type="normal", skipme=True)

        errors = await asyncio.gather(*lost, return_exceptions=True)
        await store.client.client_unpause()

        assert all(isinstance(error, StoreConnectionError) for error in errors)
        assert len({id(error) for error in errors}) == 5
        assert await connection.ask("GET", "n") is None


@on_real_stores
async def test_a_store_that_does_not_answer_in_time_counts_as_lost(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, shared(store.url, time_limit_seconds=1.0) as connection:
        await connection.ask("PING")
        await store.client.client_pause(60_000, all=False)

        with pytest.raises(StoreTimeoutError, match="not answered in 1 s"):
            await connection.ask("INCR", "n")
        await store.client.client_unpause()

        assert await connection.ask("PING") == b"PONG"


@on_real_stores
async def test_the_time_limit_of_one_is_no_limit_for_those_who_come_later(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, shared(store.url, time_limit_seconds=5.0) as connection:
        for _ in range(3):
            await connection.ask("PING")
            await asyncio.sleep(0.01)

        assert await connection.ask("PING") == b"PONG"


@on_real_stores
async def test_a_store_that_is_away_is_said_to_all_who_ask_and_is_found_again(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store, shared(store.url) as connection:
        await store.go_away()
        errors = await asyncio.gather(*(connection.ask("PING") for _ in range(3)), return_exceptions=True)
        await store.come_back()

        assert all(isinstance(error, StoreConnectionError) for error in errors)
        assert await connection.ask("PING") == b"PONG"


@pytest.mark.parametrize("answer", [b"+PONG\r\n+PONG\r\n", b"+PONG\r\nhello\r\n"], ids=["too many", "no protocol"])
async def test_answers_that_nobody_asked_for_end_the_connection(answer: bytes, tmp_path: Path) -> None:
    """As of a proxy that mixes connections up: the next command must not get another's answer."""
    greeted = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal greeted
        greeted += 1
        while data := await reader.read(65_536):
            # What redis-py says when it connects, and then the one command.
            writer.write(answer if b"PING" in data else b"+OK\r\n" * data.count(b"*"))
        writer.close()

    socket = tmp_path / "s"
    async with await asyncio.start_unix_server(serve, socket), shared(f"unix://{socket}") as connection:
        for _ in range(3):
            assert await connection.ask("PING") == b"PONG"
            await asyncio.sleep(0.05)

    assert greeted == 3


@on_real_stores
async def test_closing_waits_for_the_answers_that_are_under_way(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        async with shared(store.url) as connection:
            unsent = [connection.ask("INCR", "n") for _ in range(3)]
        assert [answer.result() for answer in unsent] == [1, 2, 3]

        async with shared(store.url) as connection:
            await connection.ask("PING")
            unsent = [connection.ask("INCR", "n") for _ in range(3)]
        assert [answer.result() for answer in unsent] == [4, 5, 6]
