"""Waiting for what comes true soon, without a fixed sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_LOOK_SECONDS = 0.005


async def eventually(look: Callable[[], Awaitable[T]], what: str, *, limit_seconds: float = 60.0) -> T:
    """Look again and again until something true is seen, and give it; the test fails with *what* otherwise."""
    try:
        async with asyncio.timeout(limit_seconds):
            while not (seen := await look()):
                await asyncio.sleep(_LOOK_SECONDS)
            return seen
    except TimeoutError:
        raise AssertionError(f"not within {limit_seconds:g} s: {what}") from None
