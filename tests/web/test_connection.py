"""How requests come over one connection: in pieces, one behind the other, faster than they can be kept."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from shopbot.store.embedded import EmbeddedServer
from shopbot.testing.host import CONFIG, shop_under_test
from support.eventually import eventually
from support.raw_http import connection, read_answer, request_bytes
from support.signed_webhook import BODY, signed

PATIENT = CONFIG + "web: {request_time_limit: 5m}\n"
"""However long the store stands still, its requests are not given up."""


@pytest.mark.parametrize("piece_bytes", [1, 7, 1_000])
async def test_a_request_may_come_in_pieces_of_any_size(tmp_path: Path, piece_bytes: int) -> None:
    request = request_bytes(signed(webhook_id="wh-1"), BODY)
    async with shop_under_test(tmp_path) as shop, connection(shop.url) as (reader, writer):
        for start in range(0, len(request), piece_bytes):
            writer.write(request[start : start + piece_bytes])
            await asyncio.sleep(0)  # the server reads this piece before the next one is sent

        assert (await read_answer(reader)).status == 200
        assert (await shop.finished("webhook:wh-1")).status == "done"


async def test_requests_that_come_one_behind_the_other_are_answered_in_their_order(tmp_path: Path) -> None:
    known, unknown = request_bytes(signed(), BODY), request_bytes(signed(), BODY + b" ")
    async with shop_under_test(tmp_path) as shop, connection(shop.url) as (reader, writer):
        writer.write(known + unknown + known + known[:100])
        answers = [(await read_answer(reader)).status for _ in range(3)]
        writer.write(known[100:])
        answers.append((await read_answer(reader)).status)

        assert answers == [200, 403, 200, 200]


async def test_a_client_that_sends_faster_than_is_kept_has_to_wait(tmp_path: Path) -> None:
    """What it sends stays in its own memory, not in the server's."""
    count, body = 300, BODY.ljust(100_000)
    server = EmbeddedServer(tmp_path / "data")
    await asyncio.to_thread(server.start)
    try:
        async with (
            shop_under_test(tmp_path, config=PATIENT, store_url=server.url) as shop,
            connection(shop.url) as (reader, writer),
        ):
            assert server.pid is not None
            os.kill(server.pid, signal.SIGSTOP)
            for number in range(count):
                writer.write(request_bytes(signed(body=body, webhook_id=f"wh-{number}"), body))
            unsent = writer.transport.get_write_buffer_size()

            async def stands_still() -> bool:
                nonlocal unsent
                await asyncio.sleep(0.3)
                before, unsent = unsent, writer.transport.get_write_buffer_size()
                return before == unsent

            await eventually(stands_still, "no more is taken, or everything is")
            assert unsent > count * len(body) / 2
            os.kill(server.pid, signal.SIGCONT)
            assert {(await read_answer(reader)).status for _ in range(count)} == {200}
    finally:
        await asyncio.to_thread(server.stop)
