"""A merchant's own service: carts behind HTTP, and an endpoint that takes posts and answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from sanic import Request
from sanic.response import HTTPResponse

from shopbot.testing.serving import new_app, serving


@dataclass(frozen=True)
class Asked:
    """One request that the service got."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    client_port: int
    """Of the connection that it came on."""


class MerchantService:
    """Keeps carts by PSID, and answers with *answers* first, each once."""

    def __init__(self) -> None:
        self.carts: dict[str, datetime] = {}
        self.answers: list[HTTPResponse] = []
        self.asked: list[Asked] = []
        self.silent_seconds = 0.0

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = new_app("merchant")
        app.add_route(self._cart, "/carts/<psid:str>", methods=["DELETE", "POST"])
        app.add_route(self._hook, "/hooks", methods=["POST"])
        async with serving(app, "127.0.0.1", 0) as address:
            yield address

    async def _cart(self, request: Request, psid: str) -> HTTPResponse:
        told = await self._told(request)
        if told is not None:
            return told
        changed_at = self.carts.get(psid)
        if changed_at is None:
            return HTTPResponse(status=404)
        since = request.headers.get("if-unmodified-since")
        if since is not None and changed_at > parsedate_to_datetime(since):
            return HTTPResponse("changed", status=412)
        del self.carts[psid]
        return HTTPResponse(status=204)

    async def _hook(self, request: Request) -> HTTPResponse:
        return await self._told(request) or HTTPResponse("thanks", status=202)

    async def _told(self, request: Request) -> HTTPResponse | None:
        self.asked.append(
            Asked(
                method=request.method,
                path=request.path,
                query=request.query_string,
                headers=dict(request.headers),
                body=request.body,
                client_port=request.port,
            )
        )
        if self.silent_seconds:
            await asyncio.sleep(self.silent_seconds)
        return self.answers.pop(0) if self.answers else None
