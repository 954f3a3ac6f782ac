"""A running shop that is sent anything, and watched for faults of its own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from shopbot.testing.host import SECRET, SHOP, ShopUnderTest
from shopbot.testing.webhooks import shopify_headers
from support.attacked_shop import everything_ended
from support.eventually import eventually

_FIRST_ID = 830_517_264_905_000_000

FAULTS = frozenset({"event_processing_failed", "request_failed", "inbox_failed", "plugin_failed"})
"""What the host logs of its own faults, and of those of bundled plugins."""


class FuzzedShop:
    """One shop for all examples, whose event loop runs while it is asked something."""

    def __init__(self, runner: asyncio.Runner, shop: AbstractAsyncContextManager[ShopUnderTest]) -> None:
        self._runner = runner
        self._context = shop
        self._numbers = itertools.count(_FIRST_ID)
        self._unhandled: list[Mapping[str, Any]] = []
        self._shop = runner.run(self._begin())

    async def _begin(self) -> ShopUnderTest:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self._unhandled.append(context))
        return await self._context.__aenter__()

    def number(self) -> int:
        """Give a number that no example had before: ids that come again would be known, and left at the door."""
        return next(self._numbers)

    def close(self) -> None:
        """Stop the shop."""
        self._runner.run(self._context.__aexit__(None, None, None))

    def shopify_headers(self, topic: str, body: bytes) -> dict[str, str]:
        """Sign a webhook."""
        return shopify_headers(topic, body, SECRET, SHOP)

    def takes(self, path: str, body: bytes, headers: Mapping[str, str | bytes], *, or_refuses: bool = False) -> None:
        """Post a webhook and wait until the host has dealt with it; fails on anything but a 200, and on any fault.

        or_refuses: a refusal (4xx) will do, too.
        """
        status = self._runner.run(self._post(path, body, headers))
        assert status == 200 or (or_refuses and 400 <= status < 500), status
        faults = [line for line in self._shop.logs.entries if line["event"] in FAULTS]
        assert faults == []
        assert self._unhandled == []

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str | bytes]) -> int:
        # httpx's types have either texts or bytes.
        answer = await self._shop.http.post(path, content=body, headers=headers)  # type: ignore[arg-type]
        await eventually(lambda: everything_ended(self._shop), f"{path} {body!r} is dealt with")
        return answer.status_code
