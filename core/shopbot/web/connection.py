"""A client's connection as Sanic serves it, with a lighter way to wait for what the client sends next."""

import asyncio
from typing import Any

from sanic.exceptions import BadURL
from sanic.http import Http
from sanic.server import HttpProtocol


class _Requests(Http):
    """Answers 400 to a request for what is no address: `CONNECT shop.example:443`, as whoever looks for proxies sends.

    Sanic fails over its own answer to it, closes the connection without one, and logs a traceback.
    """

    __slots__ = ()

    def create_empty_request(self) -> None:
        """Make up the request that an error is the answer to, where none could be read."""
        try:
            super().create_empty_request()
        except BadURL:
            self.url = None
            super().create_empty_request()


class Connection(HttpProtocol):
    """Waits by a future of its own where Sanic waits by an `asyncio.Event`, which every webhook does once.

    With the event, a webhook takes three hundredths more of a core's time. But for what `_Requests` says, nothing else
    is different: reading requests, answering them and all time limits are Sanic's.
    """

    __slots__ = ("_more",)
    HTTP_CLASS = _Requests

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - Sanic's own, handed on
        """Prepare, as Sanic asks for each client."""
        super().__init__(**settings)
        self._more: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Keep what came, and wake whoever waits for it."""
        super().data_received(data)
        if self._more is not None:
            more, self._more = self._more, None
            if not more.done():  # else the wait was cancelled
                more.set_result(None)

    async def receive_more(self) -> None:
        """Wait until more has come than what is unread now."""
        if self.transport is not None:
            self.transport.resume_reading()
        self._more = more = self.loop.create_future()
        await more
