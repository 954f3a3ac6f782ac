"""The service that stands for whatever a plugin calls."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from shopbot.testing.http_service import Answer, Asked, HttpService


async def test_it_keeps_what_it_was_asked() -> None:
    service = HttpService()
    async with service.serve() as address, httpx.AsyncClient(base_url=address, timeout=30.0) as client:
        answer = await client.post("/a%2Fb/c?x=1&y=ä", json={"order": "#1"}, headers={"X-Key": "k"})
        await client.get("/")

    assert (answer.status_code, answer.json()) == (200, {})
    assert [(asked.method, asked.path) for asked in service.asked] == [("POST", "/a%2Fb/c"), ("GET", "/")]
    assert service.asked[0].json() == {"order": "#1"}
    assert service.asked[0].parameters == {"x": "1", "y": "ä"}
    assert service.asked[0].headers["x-key"] == "k"


async def test_it_gives_the_answers_that_it_was_told_and_then_its_own() -> None:
    def respond(asked: Asked) -> Answer:
        return Answer(201, {"path": asked.path})

    service = HttpService(respond)
    service.answers += [Answer(503, headers={"Retry-After": "90"}), Answer(418, "short and stout")]
    async with service.serve() as address, httpx.AsyncClient(base_url=address, timeout=30.0) as client:
        first, second, third = [await client.delete("/pot") for _ in range(3)]

    assert (first.status_code, first.headers["Retry-After"], first.content) == (503, "90", b"")
    assert (second.status_code, second.text) == (418, "short and stout")
    assert (third.status_code, third.json()) == (201, {"path": "/pot"})


async def test_a_test_can_wait_until_it_was_asked() -> None:
    service = HttpService()
    async with service.serve() as address, httpx.AsyncClient(base_url=address, timeout=30.0) as client:
        waiting = asyncio.create_task(service.wait_for(1))
        await client.get("/here")

        assert [asked.path for asked in await waiting] == ["/here"]
        with pytest.raises(TimeoutError, match="asked 1 of 2 times"):
            await service.wait_for(2, timeout_seconds=0.01)
