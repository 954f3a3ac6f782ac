"""The Storefront API's cart behind a link, emptied once it is paid."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from shopbot.plugin import CartResult, Order, Retry
from shopbot.testing.clock import ManualClock
from shopbot.testing.contracts import ORDERED_AT, PSID, CartContract, DiagnosisContract, Running
from shopbot.testing.orders import paid_order
from shopbot.testing.storefront import CartLine, StorefrontCart, StorefrontSimulator
from shopbot_plugins import shopify_cart
from support.answers import answering

MUG, TOWEL = 51_204_337_615_187, 51_204_337_713_491
BEFORE = ORDERED_AT - timedelta(minutes=5)


class TestShopifyCart(DiagnosisContract, CartContract):
    module = shopify_cart
    unreachable: ClassVar = {"api_url": "http://127.0.0.1:9"}
    settings: ClassVar = {"private_token": "private-storefront-token"}
    simulator: StorefrontSimulator

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[Mapping[str, Any]]:
        self.simulator = StorefrontSimulator(clock=ManualClock((ORDERED_AT + timedelta(minutes=10)).timestamp()))
        async with self.simulator.serve() as address:
            yield {"api_url": address}

    async def fill(self, running: Running, psid: str, changed_at: datetime) -> None:
        cart = self.a_cart(changed_at)
        await running.store.set(running.keys.storefront_cart(psid), cart.cart_id)

    def a_cart(self, changed_at: datetime = BEFORE) -> StorefrontCart:
        cart = self.simulator.new_cart()
        cart.lines = [CartLine(MUG, 2), CartLine(TOWEL, 1)]
        cart.created_at = cart.updated_at = changed_at
        return cart

    async def is_empty(self, running: Running, psid: str) -> bool:
        cart_id = await running.store.get(running.keys.storefront_cart(psid))
        if cart_id is None:
            return True
        cart = self.simulator.find(cart_id.decode())
        return cart is None or not cart.lines

    async def is_forgotten(self, running: Running) -> bool:
        return not await running.store.exists(running.keys.storefront_cart(PSID))

    async def test_all_lines_are_removed_and_the_cart_is_forgotten(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)
            await self.clear(running)

            assert [cart.lines for cart in self.simulator.carts.values()] == [[]]
            assert await self.is_forgotten(running)

    async def test_a_cart_that_ended_with_its_checkout_is_empty(self) -> None:
        """The everyday case: Shopify then answers null."""
        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)
            next(iter(self.simulator.carts.values())).completed = True

            assert await self.clear(running) is CartResult.ALREADY_EMPTY
            assert await self.is_forgotten(running)

    async def test_a_cart_that_the_shopper_goes_on_filling_is_not_forgotten(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, ORDERED_AT + timedelta(minutes=1))
            await self.clear(running)

            assert not await self.is_forgotten(running)

    async def test_the_link_of_a_later_cart_is_not_forgotten(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)
            later = self.a_cart()
            ask, key = running.hooks.carts[0].instance.plugin._ask, running.keys.storefront_cart(PSID)  # type: ignore[attr-defined]

            async def meanwhile(name: str, query: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
                await running.store.set(key, later.cart_id)
                answer: Mapping[str, Any] = await ask(name, query, variables)
                return answer

            running.hooks.carts[0].instance.plugin._ask = meanwhile  # type: ignore[attr-defined]
            assert await self.clear(running) is CartResult.CLEARED
            assert await running.store.get(key) == later.cart_id.encode()

    @pytest.mark.parametrize("lines", [250, 251, 500])
    async def test_a_cart_of_many_lines_is_emptied(self, lines: int) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)
            cart = next(iter(self.simulator.carts.values()))
            cart.lines = [CartLine(MUG, 1, {"engraving": str(number)}) for number in range(lines)]

            assert await self.clear(running) is CartResult.CLEARED
            assert cart.lines == []

    @pytest.mark.parametrize("status", [401, 402, 404, 429, 500, 503])
    async def test_whatever_goes_wrong_is_tried_again(self, status: int) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)
            self.simulator.fail_next(status)
            with pytest.raises(Retry):
                await self.clear(running)

            assert await self.clear(running) is CartResult.CLEARED

    async def test_a_removal_whose_answer_is_lost_is_not_taken_for_a_change_by_the_shopper(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)
            cart = next(iter(self.simulator.carts.values()))
            cart.lines, cart.updated_at = [], self.simulator.now()

            assert await self.clear(running) is CartResult.ALREADY_EMPTY

    async def test_lines_that_shopify_does_not_remove_are_tried_again(self) -> None:
        body = (
            b'{"data": {"cart": {"id": "x", "updatedAt": "2026-11-23T09:00:00Z", "lines": {"nodes": [{"id": "l"}]}},'
            b' "cartLinesRemove": {"cart": null, "userErrors": [{"field": ["lineIds"], "message": "no"}]}}}'
        )
        async with answering(body) as address, self.running(api_url=address) as running:
            await running.store.set(running.keys.storefront_cart(PSID), "gid://shopify/Cart/x?key=y")
            with pytest.raises(Retry, match="did not remove"):
                await self.clear(running)

    async def test_an_order_that_does_not_say_when_it_was_made_clears_the_cart(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, ORDERED_AT + timedelta(minutes=5))
            order = Order.from_payload({**paid_order(), "created_at": None})

            assert await running.hooks.carts[0](PSID, order) is CartResult.CLEARED

    async def test_the_cart_s_id_stays_out_of_the_log(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, BEFORE)
            cart = next(iter(self.simulator.carts.values()))
            await self.clear(running)

            assert cart.key not in repr(running.log.lines)
            assert cart.token not in repr(running.log.lines)
