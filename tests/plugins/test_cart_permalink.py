"""Cart permalinks: no token, no call, everything in the link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from shopbot.plugin import Checkout, CheckoutLine
from shopbot.testing.contracts import CheckoutContract
from shopbot.testing.storefront import StorefrontSimulator
from shopbot_plugins import cart_permalink

MUG, TOWEL = 51_204_337_615_187, 51_204_337_713_491


class TestCartPermalink(CheckoutContract):
    module = cart_permalink
    settings: ClassVar = {}

    async def attributes(self, checkout: Checkout) -> Mapping[str, str]:
        return StorefrontSimulator().open(checkout.url).cart.attributes

    async def test_the_link_has_shopify_s_documented_form(self) -> None:
        lines = (CheckoutLine(variant_id=MUG, quantity=2), CheckoutLine(variant_id=TOWEL, quantity=1))
        async with self.running() as running:
            checkout = await self.create(running, lines=lines, attributes={"psid": "sb1.a.b_c-d"})

        assert checkout is not None
        expected = f"https://acme.myshopify.com/cart/{MUG}:2,{TOWEL}:1?attributes[psid]=sb1.a.b_c-d&ref="
        assert checkout.url == expected + checkout.checkout_token

    async def test_an_order_without_its_attributes_can_be_found_by_its_landing_site(self) -> None:
        async with self.running() as running:
            checkout = await self.create(running)

        assert checkout is not None
        assert parse_qs(urlsplit(checkout.url).query)["ref"] == [checkout.checkout_token]
        assert checkout.cart_token is None
        assert checkout.cart_id is None

    async def test_the_shop_s_own_host_name_can_stand_in_the_links(self) -> None:
        async with self.running(domain="www.acme.example") as running:
            checkout = await self.create(running)

        assert checkout is not None
        assert checkout.url.startswith("https://www.acme.example/cart/")

    @pytest.mark.parametrize(
        "domain", ["https://acme.example", "acme.example/shop", "acme", "ACME.example", "a b.example", ""]
    )
    def test_what_is_no_host_name_is_refused(self, domain: str) -> None:
        with pytest.raises(ValidationError):
            self.config(domain=domain)
