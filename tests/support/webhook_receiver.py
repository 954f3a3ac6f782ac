"""A bot's webhook endpoint that keeps what it gets and answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sanic import Request
from sanic.response import HTTPResponse

from shopbot.testing.serving import new_app, serving


@dataclass(frozen=True)
class Received:
    """One webhook request, as it came over the wire."""

    body: bytes
    headers: dict[str, str]

    @property
    def payload(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value

    @property
    def events(self) -> list[dict[str, Any]]:
        """Give the Messenger events of all entries, standby ones too."""
        return [
            event
            for entry in self.payload["entry"]
            for channel in ("messaging", "standby")
            for event in entry.get(channel, [])
        ]


class WebhookReceiver:
    """Answers 200, or first each of *statuses* once."""

    def __init__(self, statuses: Sequence[int] = ()) -> None:
        self.received: list[Received] = []
        self.statuses = list(statuses)
        self.url = ""
        self._arrived = asyncio.Event()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for request in self.received for event in request.events]

    async def wait_for(self, count: int) -> list[Received]:
        """Wait until *count* requests came."""
        async with asyncio.timeout(60):
            while len(self.received) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.received

    async def wait_for_events(self, count: int) -> list[dict[str, Any]]:
        """Wait until *count* Messenger events came, in however many requests."""
        async with asyncio.timeout(60):
            while len(self.events) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.events

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = new_app("webhook-receiver")
        app.add_route(self._take, "/webhooks", methods=["POST"])
        app.add_route(self._verify, "/webhooks", methods=["GET"])
        async with serving(app, "127.0.0.1", 0) as address:
            self.url = f"{address}/webhooks"
            yield self.url

    async def _take(self, request: Request) -> HTTPResponse:
        self.received.append(Received(request.body, dict(request.headers)))
        self._arrived.set()
        return HTTPResponse("", self.statuses.pop(0) if self.statuses else 200)

    async def _verify(self, request: Request) -> HTTPResponse:
        known = request.args.get("hub.verify_token") == "verify-me"
        return HTTPResponse(request.args.get("hub.challenge") if known else "", 200 if known else 403)
