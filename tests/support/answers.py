"""A server that gives one answer to every request, whatever is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sanic import Request
from sanic.response import HTTPResponse

from shopbot.testing.serving import new_app, serving


@asynccontextmanager
async def answering(body: bytes, status: int = 200) -> AsyncIterator[str]:
    """Serve until the block ends; gives the address."""

    async def handler(_request: Request, path: str) -> HTTPResponse:
        del path
        return HTTPResponse(body, status=status, content_type="application/json")

    app = new_app("answering")
    app.add_route(handler, "/<path:path>", methods=["GET", "POST"])
    async with serving(app, "127.0.0.1", 0) as address:
        yield address
