"""The cart in the store: cleared once paid, kept when the shopper is already filling the next one."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shopbot.plugin import CartResult, Order, Retry, Store
from shopbot.testing.contracts import ORDERED_AT, PSID, CartContract, Running
from shopbot.testing.orders import paid_order
from shopbot_plugins import redis_cart
from support.stores import KINDS, open_store

BEFORE, AFTER = ORDERED_AT - timedelta(minutes=5), ORDERED_AT + timedelta(seconds=1)
CHECKOUT = "b1946ac92492d2347c6235b4d2611184"


def a_cart(updated_at: object = None, **fields: object) -> str:
    return json.dumps({"items": [{"variant_id": 1, "quantity": 2}], "updated_at": updated_at, **fields})


class TestRedisCart(CartContract):
    module = redis_cart

    kind: str
    directory: Path

    @pytest.fixture(autouse=True, params=KINDS)
    def _each_store(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        self.kind, self.directory = request.param, tmp_path

    def open_store(self) -> AbstractAsyncContextManager[Store]:
        self.directory /= "next"
        return open_store(self.kind, self.directory)

    async def fill(self, running: Running, psid: str, changed_at: datetime) -> None:
        await running.store.set(running.keys.cart(psid), a_cart(changed_at.isoformat()))
        await running.store.set(running.keys.checkout_token(psid), CHECKOUT)

    async def is_empty(self, running: Running, psid: str) -> bool:
        return not await running.store.exists(running.keys.cart(psid))

    async def has_checkout(self, running: Running) -> bool:
        return bool(await running.store.exists(running.keys.checkout_token(PSID)))

    async def test_the_checkout_token_goes_with_the_cart(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)
            await self.clear(running)

            assert not await self.has_checkout(running)

    async def test_the_checkout_token_of_a_kept_cart_is_kept(self) -> None:
        """It is the next order's."""
        async with self.running() as running:
            await self.fill(running, PSID, AFTER)

            assert await self.clear(running) is CartResult.KEPT
            assert await self.has_checkout(running)

    async def test_a_checkout_token_without_a_cart_goes_too(self) -> None:
        """As after a crash between the two deletions."""
        async with self.running() as running:
            await running.store.set(running.keys.checkout_token(PSID), CHECKOUT)

            assert await self.clear(running) is CartResult.ALREADY_EMPTY
            assert not await self.has_checkout(running)

    @pytest.mark.parametrize(
        "updated_at",
        [
            "2026-11-23T09:15:01Z",
            "2026-11-23T09:15:00.001+00:00",
            "2026-11-23T09:15:01",
            "2026-11-23T10:15:01+01:00",
            "2026-11-23T04:15:01-05:00",
            "20261123T091501Z",
        ],
    )
    async def test_a_later_time_in_any_iso_8601_form_keeps_the_cart(self, updated_at: str) -> None:
        async with self.running() as running:
            await running.store.set(running.keys.cart(PSID), a_cart(updated_at))

            assert await self.clear(running) is CartResult.KEPT

    @pytest.mark.parametrize(
        "cart",
        [
            a_cart("2026-11-23T09:15:00Z"),
            a_cart("2026-11-23T10:14:59+01:00"),
            a_cart(None),
            a_cart(1_795_425_400),
            a_cart("tomorrow"),
            a_cart(["2027-01-01"]),
            "{}",
            "[]",
            "null",
            "",
            "no JSON",
            "[" * 100_000,
            b"\xff\x00",
        ],
        ids=range(13),
    )
    async def test_a_cart_that_does_not_say_it_was_changed_later_is_cleared(self, cart: str | bytes) -> None:
        async with self.running() as running:
            await running.store.set(running.keys.cart(PSID), cart)

            assert await self.clear(running) is CartResult.CLEARED
            assert await self.is_empty(running, PSID)

    async def test_an_order_that_does_not_say_when_it_was_made_clears_the_cart(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, AFTER)

            assert await self.clear(running, created_at=None) is CartResult.CLEARED

    async def test_every_call_leaves_an_audit_line(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)
            for _ in range(2):
                await self.clear(running)
            await self.fill(running, PSID, AFTER)
            await self.clear(running)
            lines = running.log.of("cart_cleared")

        assert [line["result"] for line in lines] == ["cleared", "already_empty", "kept"]
        for line in lines:
            assert line["psid"] == "…1234"
            assert line["order_id"] == paid_order()["id"]
            assert datetime.fromisoformat(str(line["at"])).utcoffset() == timedelta(0)

    async def test_calls_at_the_same_time_clear_it_once(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)
            results = await asyncio.gather(*(self.clear(running) for _ in range(10)))

        assert results.count(CartResult.CLEARED) == 1
        assert results.count(CartResult.ALREADY_EMPTY) == 9

    async def test_a_cart_changed_between_the_look_and_the_deletion_is_judged_again(self) -> None:
        async def fill_again(running: Running) -> None:
            await running.store.set(running.keys.cart(PSID), a_cart(AFTER.isoformat()))

        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)

            assert await self.clear_while(running, fill_again) is CartResult.KEPT
            assert not await self.is_empty(running, PSID)
            assert await self.has_checkout(running)

    async def test_a_checkout_begun_between_the_look_and_the_deletion_is_kept(self) -> None:
        async def check_out(running: Running) -> None:
            await running.store.set(running.keys.checkout_token(PSID), "0" * 32)

        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)

            assert await self.clear_while(running, check_out) is CartResult.CLEARED
            assert await self.is_empty(running, PSID)
            assert await running.store.get(running.keys.checkout_token(PSID)) == b"0" * 32

    async def test_a_cart_that_never_stands_still_is_tried_again_later(self) -> None:
        count = iter(range(100))

        async def touch(running: Running) -> None:
            await running.store.set(running.keys.cart(PSID), a_cart(BEFORE.isoformat(), change=next(count)))

        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)
            with pytest.raises(Retry):
                await self.clear_while(running, touch)

            assert not await self.is_empty(running, PSID)
            assert await self.has_checkout(running)

    async def clear_while(self, running: Running, change: Callable[[Running], Awaitable[None]]) -> CartResult:
        """Clear with a store in which *change* happens right before every script."""
        plugin = self.make()
        store: Any = _ChangingStore(running.store, lambda: change(running))
        await plugin.start(dataclasses.replace(running.context, store=store))
        order = Order.from_payload(paid_order(created_at=ORDERED_AT))
        result: CartResult = await plugin.clear_cart(psid=PSID, order=order)
        return result


class _ChangingStore:
    """The real store, in which somebody else writes at the worst moment."""

    def __init__(self, store: Store, change: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._change = change

    async def get(self, name: str) -> object:
        return await self._store.get(name)

    async def eval(self, script: str, numkeys: int, *keys_and_args: str | bytes) -> object:
        await self._change()
        return await self._store.eval(script, numkeys, *keys_and_args)


def test_there_are_no_settings() -> None:
    assert redis_cart.Config.model_fields == {}
