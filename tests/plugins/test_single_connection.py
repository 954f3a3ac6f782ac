"""A transport that is one connection: what it keeps, what it gives up, how it fails; on asyncio's loop and uvloop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohappyeyeballs
import httpx
import pytest
import uvloop

from shopbot_plugins._single_connection import MOST_ANSWER_BYTES, SingleConnection
from support.eventually import eventually

CERTIFICATE = Path(__file__).parents[1] / "support" / "tls" / "self_signed.pem"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
UNASKED = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nlate"

Run = Callable[[Coroutine[Any, Any, None]], None]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a scenario on a loop of its own."""

    def run_on_loop(scenario: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(scenario)

    return run_on_loop


class Server:
    """A server on the level of bytes, and the connections that it has had."""

    def __init__(self, port: int, scheme: str) -> None:
        self.url = f"{scheme}://localhost:{port}/v25.0/me/messages"
        self.connections = 0


@asynccontextmanager
async def served(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Let *serve* have each connection until the block ends."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        tasks.append(asyncio.current_task())
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    tasks: list[asyncio.Task[None] | None] = []
    listener = await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls)
    server = Server(listener.sockets[0].getsockname()[1], "http" if tls is None else "https")
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)


async def answer_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await whole_request(reader)
        writer.write(ANSWER)
        await writer.drain()


async def whole_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return await reader.readexactly(int(length.partition(b":")[2]))


@asynccontextmanager
async def connection(
    *, keep_alive_seconds: float = 60.0, trusts: Path | None = None
) -> AsyncIterator[SingleConnection]:
    single = SingleConnection(ssl.create_default_context(cafile=trusts), keep_alive_seconds=keep_alive_seconds)
    try:
        yield single
    finally:
        await single.aclose()


async def post(
    single: SingleConnection,
    url: str,
    content: bytes = b"{}",
    *,
    limits: httpx.Timeout | None = None,
    meant_for: str | None = None,
) -> httpx.Response:
    extensions: dict[str, Any] = {"timeout": (limits or httpx.Timeout(10.0)).as_dict()}
    if meant_for is not None:
        extensions["sni_hostname"] = meant_for
    return await single.handle_async_request(httpx.Request("POST", url, content=content, extensions=extensions))


def test_one_request_after_the_other_takes_the_same_connection(run: Run) -> None:
    async def scenario() -> None:
        async with served(answer_each) as server, connection() as single:
            answers = [await post(single, server.url) for _ in range(5)]
            assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"ok")] * 5
            assert server.connections == 1

    run(scenario())


def test_a_connection_that_was_idle_for_too_long_is_given_up(run: Run) -> None:
    async def scenario() -> None:
        async with served(answer_each) as server, connection(keep_alive_seconds=0.0) as single:
            for _ in range(3):
                assert (await post(single, server.url)).content == b"ok"
            assert server.connections == 3

    run(scenario())


def test_a_connection_that_the_server_closed_meanwhile_is_given_up(run: Run) -> None:
    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        writer.write(ANSWER)
        await writer.drain()
        writer.write_eof()

    run(a_connection_for_each_request(answer_once))


def test_what_a_server_says_unasked_is_not_taken_for_the_next_answer(run: Run) -> None:
    async def say_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        writer.write(ANSWER)
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(UNASKED)
        await writer.drain()
        await reader.read()

    run(a_connection_for_each_request(say_more))


def test_nor_is_what_comes_together_with_the_answer(run: Run) -> None:
    async def say_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await whole_request(reader)
            writer.write(ANSWER + UNASKED)
            await writer.drain()

    run(a_connection_for_each_request(say_more))


async def a_connection_for_each_request(serve: Serve) -> None:
    async with served(serve) as server, connection() as single:
        for _ in range(3):
            assert (await post(single, server.url)).content == b"ok"
            await eventually(lambda: has_expired(single), "what the server did has come")
        assert server.connections == 3


async def has_expired(single: SingleConnection) -> bool:
    return not single.is_ready()


def test_a_server_that_is_trusted_is_talked_to_in_tls(run: Run) -> None:
    async def scenario() -> None:
        async with served(answer_each, a_certificate()) as server, connection(trusts=CERTIFICATE) as single:
            for _ in range(3):
                assert (await post(single, server.url)).content == b"ok"
            assert server.connections == 1

    run(scenario())


def test_a_server_that_is_not_trusted_is_told_nothing(run: Run) -> None:
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    async def scenario() -> None:
        async with served(hear, a_certificate()) as server, connection() as single:
            for _ in range(2):
                with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                    await post(single, server.url)
        async with served(hear, a_certificate()) as server, connection(trusts=CERTIFICATE) as single:
            with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
                await post(single, server.url, meant_for="graph.facebook.com")

    run(scenario())
    assert not any(heard)


def a_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context


def test_nobody_there_is_said(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]

    async def scenario() -> None:
        async with connection() as single:
            for _ in range(2):
                with pytest.raises(httpx.ConnectError):
                    await post(single, f"http://localhost:{port}/")

    run(scenario())


def test_a_server_that_never_secures_the_connection_is_too_late(run: Run) -> None:
    async def scenario() -> None:
        async with served(silent) as server, connection() as single:
            with pytest.raises(httpx.ConnectTimeout):
                await post(single, server.url.replace("http:", "https:"), limits=httpx.Timeout(5.0, connect=0.05))

    run(scenario())


def test_a_server_that_does_not_answer_is_too_late_and_the_connection_is_not_used_again(run: Run) -> None:
    async def scenario() -> None:
        async with served(silent) as server, connection() as single:
            for _ in range(2):
                with pytest.raises(httpx.ReadTimeout):
                    await post(single, server.url, limits=httpx.Timeout(5.0, read=0.05))
            assert server.connections == 2

    run(scenario())


def test_a_server_that_does_not_read_is_too_late(run: Run) -> None:
    async def scenario() -> None:
        async with served(deaf) as server, connection() as single:
            with pytest.raises(httpx.WriteTimeout):
                await post(single, server.url, b"x" * 50_000_000, limits=httpx.Timeout(5.0, write=0.05))

    run(scenario())


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(65_536):
        pass


async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined] # it reads and writes, whatever its stated type
    await asyncio.Event().wait()


def test_large_requests_and_answers_arrive_whole(run: Run) -> None:
    large = bytes(range(256)) * 20_000

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            body = await whole_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()

    async def scenario() -> None:
        async with served(repeat, a_certificate()) as server, connection(trusts=CERTIFICATE) as single:
            for _ in range(2):
                assert (await post(single, server.url, large)).content == large
        async with served(repeat) as server, connection() as single:
            for _ in range(2):
                assert (await post(single, server.url, large)).content == large
            assert server.connections == 1

    run(scenario())


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
@pytest.mark.parametrize("secured", [False, True])
def test_an_answer_that_breaks_off_is_an_error(run: Run, begun: bytes, *, secured: bool) -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        writer.write(begun)
        await writer.drain()

    async def scenario() -> None:
        async with (
            served(break_off, a_certificate() if secured else None) as server,
            connection(trusts=CERTIFICATE) as single,
        ):
            for _ in range(2):
                with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                    await post(single, server.url)
            assert server.connections == 2

    run(scenario())


def test_a_request_that_is_cancelled_closes_its_connection(run: Run) -> None:
    async def scenario() -> None:
        async with served(silent) as server, connection() as single:
            for number in range(2):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await post(single, server.url)
                assert server.connections == number + 1

    run(scenario())


@contextmanager
def nobody_accepts() -> Iterator[tuple[str, int]]:
    """Give an address whose queue is full, so that connecting to it neither works nor fails."""
    with ExitStack() as stack:
        address = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0)).getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(address)
        yield address


def test_an_address_that_does_not_answer_is_passed_over_for_the_next(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a network offers IPv6 that leads nowhere; the names that resolve to such pairs are not ours to make."""
    connect = aiohappyeyeballs.start_connection

    async def scenario() -> None:
        async with served(answer_each) as server, connection() as single:
            with nobody_accepts() as address:
                nowhere = (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
                monkeypatch.setattr(
                    aiohappyeyeballs, "start_connection", lambda found, **how: connect([nowhere, *found], **how)
                )
                assert (await post(single, server.url)).content == b"ok"

    run(scenario())


def test_another_server_is_not_talked_to_over_the_connection_to_the_first(run: Run) -> None:
    async def scenario() -> None:
        async with served(answer_each) as one, served(answer_each) as other, connection() as single:
            for server in (one, other, one):
                assert (await post(single, server.url)).content == b"ok"
            assert (one.connections, other.connections) == (2, 1)

    run(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
    ],
)
def test_a_server_that_wants_to_close_is_let_go(run: Run, answer: bytes) -> None:
    async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        writer.write(answer)
        await writer.drain()

    async def scenario() -> None:
        async with served(answer_and_close) as server, connection() as single:
            for _ in range(2):
                assert (await post(single, server.url)).content == b"ok"
                assert not single.is_ready()
            assert server.connections == 2

    run(scenario())


def test_what_comes_before_the_answer_is_passed_over_and_the_answer_put_together(run: Run) -> None:
    async def hesitate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await whole_request(reader)
            for piece in (
                b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-",
                b"Encoding: chunked\r\nX-Usage: 3\r\n\r\n1\r\no\r\n1\r",
                b"\nk\r\n0\r\n\r\n",
            ):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)

    async def scenario() -> None:
        async with served(hesitate) as server, connection() as single:
            for _ in range(2):
                answer = await post(single, server.url)
                assert (answer.status_code, answer.headers["x-usage"], answer.content) == (200, "3", b"ok")
            assert server.connections == 1

    run(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * (MOST_ANSWER_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"220 smtp.example.com ready\r\n\r\n",
    ],
    ids=["too large", "too large a head", "another protocol", "no HTTP"],
)
def test_what_is_no_answer_is_an_error_and_the_connection_is_given_up(run: Run, answer: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        writer.write(answer)
        await writer.drain()
        await reader.read()

    async def scenario() -> None:
        async with served(say) as server, connection() as single:
            for _ in range(2):
                with pytest.raises(httpx.RemoteProtocolError) as told:
                    await post(single, server.url)
                assert str(told.value.request.url) == server.url
            assert server.connections == 2

    run(scenario())


def test_a_request_that_cannot_be_written_is_an_error_of_our_own(run: Run) -> None:
    async def scenario() -> None:
        async with served(answer_each) as server, connection() as single:
            request = httpx.Request("POST", server.url, headers={"X-Name": "a\r\nb"}, content=b"{}")
            with pytest.raises(httpx.LocalProtocolError):
                await single.handle_async_request(request)

    run(scenario())
