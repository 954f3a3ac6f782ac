"""A server on the level of bytes, for answers that no web framework would give."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class RawServer:
    """A server on the level of bytes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[bytes] = []
        self.connections = 0


Respond = Callable[[Callable[[bytes], Awaitable[None]]], bytes | Awaitable[None] | None]


@asynccontextmanager
async def raw_server(respond: Respond) -> AsyncIterator[RawServer]:
    """Serve until the block ends: *respond* gives an answer's bytes, writes them itself, or gives None: silence."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1

        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        try:
            while data := await reader.read(65_536):
                while data.startswith(b"POST") and not _is_whole(data):
                    data += await reader.read(65_536)
                server.requests.append(data)
                answer = respond(write)
                if isinstance(answer, bytes):
                    await write(answer)
                elif answer is not None:
                    await answer
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server = RawServer(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v25.0")
    try:
        yield server
    finally:
        listener.close()
        handlers = [t for t in asyncio.all_tasks() if getattr(t.get_coro(), "__name__", "") == "serve"]
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


def _is_whole(request: bytes) -> bool:
    head, found, body = request.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(found) and len(body) >= int(lengths[0].partition(b":")[2])
