"""What may stand between the internet and the host, and do harm there."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from sanic import Request
from sanic.response import HTTPResponse

from shopbot.testing.serving import new_app, serving

Rewrite = Callable[[bytes], bytes]
Answer = Callable[[Request], HTTPResponse | None]

_HOP_BY_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding"})


def rewritten_json(body: bytes) -> bytes:
    """Read JSON and write it again, as proxies with filters do: it says the same in other bytes."""
    return json.dumps(json.loads(body)).encode()


@asynccontextmanager
async def proxy(
    target: str,
    *,
    rewrite: Rewrite = bytes,
    drops: tuple[str, ...] = (),
    answer: Answer = lambda _: None,
    stalls: bool = False,
    tls: Path | None = None,
) -> AsyncIterator[str]:
    """Pass requests on to *target* until the block ends; gives the proxy's address.

    rewrite: what becomes of bodies. drops: beginnings of the names of headers that do not get through.
    answer: what the proxy answers by itself; None passes the request on. stalls: it never answers.
    tls: a file with a key and its certificate; None speaks plain HTTP.
    """
    context = None
    if tls is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls)

    async def handle(request: Request, path: str) -> HTTPResponse:
        if stalls:
            await asyncio.Event().wait()
        own = answer(request)
        if own is not None:
            return own
        headers: Mapping[str, str] = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _HOP_BY_HOP and not name.lower().startswith(drops or ("\0",))
        }
        response = await client.request(request.method, f"/{path}", content=rewrite(request.body), headers=headers)
        kind = response.headers.get("content-type", "")
        return HTTPResponse(response.content, response.status_code, content_type=kind)

    app = new_app("proxy")
    app.config.REQUEST_MAX_SIZE = 10_000_000
    app.add_route(handle, "/<path:path>", methods=["GET", "POST"])
    async with (
        httpx.AsyncClient(base_url=target, timeout=30.0, trust_env=False) as client,
        serving(app, "127.0.0.1", 0, tls=context) as address,
    ):
        yield address
