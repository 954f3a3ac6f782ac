"""A service that a plugin calls, such as a gateway or a warehouse: keeps what it is asked, and answers as it is told.

    service = HttpService()
    service.answers.append(Answer(503, headers={"Retry-After": "90"}))
    async with service.serve() as address:
        ...  # let the plugin call f"{address}/orders"
    assert service.asked[0].json() == {"order": "#1234"}

It takes every path and method. Answers that depend on the request come from a function.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sanic import Request
from sanic.response import HTTPResponse

from shopbot.testing.serving import new_app, serving

__all__ = ["Answer", "Asked", "HttpService"]


@dataclass(frozen=True)
class Asked:
    """One request that the service got."""

    method: str
    path: str
    """As it was sent, percent-encoded."""
    query: str
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes
    client_port: int
    """Of the connection that it came on."""

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Read the body."""
        return json.loads(self.body)

    @property
    def parameters(self) -> Mapping[str, str]:
        """The query's parameters, each with its last value."""
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True)
class Answer:
    """What the service says."""

    status: int = 200
    body: object = b""
    """Bytes and text as they are; anything else as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpService:
    """Answers with *answers* first, each once, then with what *respond* makes of a request.

    respond: None answers every request with 200 and an empty JSON object. May be changed while it runs.
    """

    def __init__(self, respond: Callable[[Asked], Answer] | None = None) -> None:
        self.respond = respond or (lambda _: Answer(body={}))
        self.answers: list[Answer] = []
        self.asked: list[Asked] = []
        self.silent_seconds = 0.0
        """How long it says nothing before it answers."""
        self._arrived = asyncio.Event()

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Answer on every path until the block ends; gives the address, such as `http://127.0.0.1:54321`.

        port: 0 takes a free one.
        """
        app = new_app("service")
        methods = ["DELETE", "GET", "PATCH", "POST", "PUT"]
        app.add_route(self._answer, "/<path:path>", methods=methods)
        app.add_route(self._answer, "/", methods=methods, name="root")
        async with serving(app, host, port) as address:
            yield address

    async def wait_for(self, count: int, timeout_seconds: float = 30.0) -> Sequence[Asked]:
        """Wait until it was asked *count* times in all, and give what it was asked.

        Raises TimeoutError, which says how often it was.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while len(self.asked) < count:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise TimeoutError(f"asked {len(self.asked)} of {count} times after {timeout_seconds} s") from None
        return self.asked

    async def _answer(self, request: Request, path: str = "") -> HTTPResponse:
        del path  # it is decoded, and `request.path` is not
        asked = Asked(
            method=request.method,
            path=request.path,
            query=request.query_string,
            headers=dict(request.headers),
            body=request.body,
            client_port=request.port,
        )
        self.asked.append(asked)
        self._arrived.set()
        if self.silent_seconds:
            await asyncio.sleep(self.silent_seconds)
        answer = self.answers.pop(0) if self.answers else self.respond(asked)
        plain = isinstance(answer.body, bytes | str)
        body = answer.body if plain else json.dumps(answer.body, separators=(",", ":"))
        return HTTPResponse(
            body,
            status=answer.status,
            headers=dict(answer.headers),
            content_type="text/plain; charset=utf-8" if plain else "application/json",
        )
