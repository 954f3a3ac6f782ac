"""HTTP by hand: for requests that no well-behaved client would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

_ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What came back: the head as text, without a judgement about it."""

    status: int
    head: str
    body: bytes


def request_bytes(
    headers: Mapping[str, str | bytes],
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = "/webhooks/shopify",
    content_length: int | None = None,
) -> bytes:
    """Write a request; *content_length* may announce another length than the body's."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: shop.test"]
    lines.append(f"Content-Length: {len(body) if content_length is None else content_length}".encode())
    lines += [name.encode() + b": " + (v if isinstance(v, bytes) else v.encode()) for name, v in headers.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection of one's own to a server."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Read one answer with a Content-Length."""
    async with asyncio.timeout(_ANSWER_SECONDS):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(line for line in head.splitlines() if line.lower().startswith("content-length:"))
        return Answer(int(head.split()[1]), head, await reader.readexactly(int(length.split(":")[1])))


async def exchange(url: str, request: bytes) -> Answer:
    """Send bytes on a new connection and read the answer."""
    async with connection(url) as (reader, writer):
        writer.write(request)
        return await read_answer(reader)
