"""Checkout links by the Storefront API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from shopbot.hooks import PluginFailedError
from shopbot.plugin import ChannelDown, Checkout, CheckoutLine, Level, OutOfStock, Reason, Refused, Retry, ShortLine
from shopbot.testing.contracts import PSID, CheckoutContract, DiagnosisContract, Running
from shopbot.testing.storefront import StorefrontSimulator, Variant
from shopbot_plugins import storefront_cart
from support.answers import answering

MUG, TOWEL = 51_204_337_615_187, 51_204_337_713_491
PRIVATE, PUBLIC = "private-storefront-token", "public-storefront-token"


class TestStorefrontCart(DiagnosisContract, CheckoutContract):
    module = storefront_cart
    unreachable: ClassVar = {"api_url": "http://127.0.0.1:9"}
    settings: ClassVar = {"private_token": PRIVATE}
    simulator: StorefrontSimulator

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[Mapping[str, Any]]:
        self.simulator = StorefrontSimulator()
        async with self.simulator.serve() as address:
            yield {"api_url": address}

    async def attributes(self, checkout: Checkout) -> Mapping[str, str]:
        return self.simulator.open(checkout.url).cart.attributes

    async def made(self, running: Running, **changes: object) -> Checkout:
        checkout = await self.create(running, **changes)
        assert checkout is not None
        return checkout

    async def test_the_doctor_is_told_what_is_looked_at(self) -> None:
        async with self.running() as running:
            found = await self.examine(running)

        assert [finding.what for finding in found] == [
            "version 2026-10 of the Storefront API is good until 2027-10-01",
            "carts can be read with a private token",
        ]
        assert self.simulator.carts == {}

    async def test_a_token_that_shopify_refuses_is_a_problem_for_the_doctor(self) -> None:
        async with self.running(private_token="another-token") as running:
            found = await self.examine(running)

        (problem,) = [finding for finding in found if finding.level is not Level.OK]
        assert problem.level is Level.PROBLEM
        assert "the token was revoked" in problem.what
        assert "unauthenticated_read_checkouts" in problem.to_do

    async def test_an_outage_is_a_warning_for_the_doctor(self) -> None:
        async with self.running() as running:
            self.simulator.failures.append((503, None))
            found = await self.examine(running)

        assert [finding.what for finding in found if finding.level is Level.WARNING] == ["Shopify answered HTTP 503"]

    async def test_the_whole_cart_id_is_kept_and_the_cart_token_is_the_part_that_the_order_carries(self) -> None:
        async with self.running() as running:
            checkout = await self.made(running)
            order = self.simulator.open(checkout.url).order_body()

        assert checkout.cart_id is not None
        assert checkout.cart_id.get_secret_value() == next(iter(self.simulator.carts.values())).cart_id
        assert "?key=" in checkout.cart_id.get_secret_value()
        assert checkout.cart_token == checkout.checkout_token == order["cart_token"]

    async def test_the_cart_holds_what_was_asked_for(self) -> None:
        lines = (CheckoutLine(variant_id=MUG, quantity=3), CheckoutLine(variant_id=TOWEL, quantity=1))
        async with self.running() as running:
            checkout = await self.made(running, lines=lines)
            cart = self.simulator.open(checkout.url).cart

        assert [(line.variant_id, line.quantity) for line in cart.lines] == [(MUG, 3), (TOWEL, 1)]

    @pytest.mark.parametrize(
        "tokens",
        [
            {"private_token": PRIVATE, "public_token": None},
            {"private_token": None, "public_token": PUBLIC},
            {"private_token": None, "public_token": None},
        ],
        ids=["private", "public", "tokenless"],
    )
    async def test_each_kind_of_access_works(self, tokens: dict[str, str | None]) -> None:
        async with self.running(**tokens) as running:
            assert await self.create(running) is not None

    async def test_the_two_kinds_of_token_are_not_interchangeable(self) -> None:
        async with self.running(private_token=PUBLIC) as running:
            with pytest.raises(ChannelDown, match="401"):
                await self.create(running)

    def test_two_tokens_are_one_too_many(self) -> None:
        with pytest.raises(ValidationError, match="either public_token or private_token"):
            self.config(private_token=PRIVATE, public_token=PUBLIC)

    @pytest.mark.parametrize(("stock", "wanted"), [(0, 1), (2, 5)])
    async def test_too_little_stock_is_refused_with_what_there_is(self, stock: int, wanted: int) -> None:
        """To Shopify it is a cart with a warning, in which the shopper finds less than was agreed."""
        lines = (CheckoutLine(variant_id=MUG, quantity=wanted), CheckoutLine(variant_id=TOWEL, quantity=1))
        async with self.running() as running:
            self.simulator.variants[MUG] = Variant("Stoneware mug", "19.25", stock=stock)
            with pytest.raises(OutOfStock) as refused:
                await self.create(running, lines=lines)

        assert refused.value.lines == (ShortLine(variant_id=MUG, requested=wanted, available=stock),)
        assert refused.value.code is Reason.OUT_OF_STOCK
        assert str(MUG) in refused.value.reason

    async def test_an_unknown_article_is_refused_in_shopify_s_words(self) -> None:
        async with self.running() as running:
            with pytest.raises(Refused, match=r"gid://shopify/ProductVariant/7 does not exist") as refused:
                await self.create(running, lines=(CheckoutLine(variant_id=7, quantity=1),))

        assert refused.value.code is Reason.CHECKOUT_REFUSED

    async def test_more_lines_than_shopify_takes_are_refused(self) -> None:
        lines = tuple(CheckoutLine(variant_id=number, quantity=1) for number in range(1, 252))
        async with self.running() as running:
            with pytest.raises(Refused, match="250"):
                await self.create(running, lines=lines)

            assert not self.simulator.operations

    async def test_more_attributes_than_shopify_takes_are_refused(self) -> None:
        async with self.running() as running:
            with pytest.raises(Refused, match="251"):
                await self.create(running, attributes={f"key-{number}": "x" for number in range(251)})

    @pytest.mark.parametrize("status", [408, 425, 429, 430, 500, 502, 503, 504])
    async def test_a_fault_that_may_pass_is_one_to_try_again(self, status: int) -> None:
        async with self.running() as running:
            self.simulator.fail_next(status, retry_after_seconds=7)
            with pytest.raises(Retry, match=f"HTTP {status}") as failure:
                await self.create(running)

            assert failure.value.after_seconds == 7
            assert await self.create(running) is not None

    @pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 404, 423])
    async def test_a_fault_that_does_not_pass_by_itself_is_said_to_be_one(self, status: int) -> None:
        async with self.running() as running:
            self.simulator.fail_next(status)
            with pytest.raises(ChannelDown, match=f"HTTP {status}"):
                await self.create(running)

    async def test_an_answer_that_does_not_come_is_not_waited_for(self) -> None:
        async with self.running(timeout="50ms") as running:
            self.simulator.latency_seconds = 10
            with pytest.raises(Retry, match="TimeoutError"):
                await self.create(running)

    async def test_a_shop_that_cannot_be_reached_may_be_later(self) -> None:
        async with self.running(api_url="http://127.0.0.1:9") as running:
            with pytest.raises(Retry, match="could not be reached"):
                await self.create(running)

    @pytest.mark.parametrize(
        ("body", "raised"),
        [
            (b'{"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}', Retry),
            (b'{"errors": [{"message": "Internal error. Looks like something went wrong on our end."}]}', Retry),
            (b'{"errors": [{"message": "", "extensions": {"code": "UNAUTHORIZED"}}]}', ChannelDown),
            (b'{"errors": [{"message": "no", "extensions": {"code": "ACCESS_DENIED"}}]}', ChannelDown),
            (b'{"errors": [{"message": "Field \'x\' doesn\'t exist"}]}', ChannelDown),
            (b'{"data": null}', Retry),
            (b'{"data": {"cartCreate": null}}', Retry),
            (b'{"data": {"cartCreate": {"cart": null, "userErrors": [], "warnings": []}}}', Retry),
            (b'{"data": {"cartCreate": {"cart": {"id": 7, "checkoutUrl": "https://x.example"}}}}', Retry),
            (b'{"data": {"cartCreate": {"cart": {"id": "gid://shopify/Cart/x?key=y"}}}}', Retry),
            (b"[]", Retry),
            (b"<html>", Retry),
            (b"", Retry),
            (b"[" * 100_000, Retry),
        ],
        ids=range(14),
    )
    async def test_every_answer_has_a_meaning(self, body: bytes, raised: type[Exception]) -> None:
        async with answering(body) as address, self.running(api_url=address) as running:
            with pytest.raises(raised):
                await self.create(running)

    async def test_a_cart_id_in_an_error_of_shopify_s_is_not_repeated(self) -> None:
        body = (
            b'{"data": {"cartCreate": {"cart": null, "warnings": [], "userErrors": [{"field": null, "code": "INVALID",'
            b' "message": "gid://shopify/Cart/hWN123?key=5ecre7 is\\nbroken"}]}}}'
        )
        async with answering(body) as address, self.running(api_url=address) as running:
            with pytest.raises(Refused) as refused:
                await self.create(running)

        assert refused.value.reason == "gid://shopify/Cart/… is broken"

    async def test_a_cart_token_that_could_be_guessed_is_not_used(self) -> None:
        body = b'{"data": {"cartCreate": {"cart": {"id": "gid://shopify/Cart/1?key=y", "checkoutUrl": "https://x.example"}}}}'
        async with answering(body) as address, self.running(api_url=address) as running:
            with pytest.raises((PluginFailedError, OutOfStock)):
                await self.create(running)

    async def test_only_codes_of_warnings_are_logged(self) -> None:
        async with self.running() as running:
            self.simulator.variants[MUG] = Variant("Stoneware mug", "19.25", stock=0)
            with pytest.raises(OutOfStock):
                await self.create(running)

            assert running.log.of("storefront_warnings") == [{"codes": ["MERCHANDISE_OUT_OF_STOCK"]}]

    async def test_the_shopper_s_id_is_not_sent_to_shopify(self) -> None:
        async with self.running() as running:
            await self.create(running)

            assert PSID not in repr(self.simulator.operations)
