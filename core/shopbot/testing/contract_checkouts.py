"""The contract of plugins that make checkout links."""

# ruff: noqa: S101, D102 - tests for integrators to inherit: made of assert, and their names are sentences
from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlsplit

from shopbot.plugin import Checkout, CheckoutLine, CheckoutRequest
from shopbot.testing.contract_base import PSID, PluginContract, Running
from shopbot.testing.storefront import DEFAULT_VARIANTS

SIGNED = "sb1.a.Dwh_3pdTKUMQBxdlx1jKtAA"
"""Stands for the signed token that the host hands over."""


class CheckoutContract(PluginContract):
    """What every plugin under `checkouts:` must pass."""

    section = "checkouts"
    hook = "create_checkout"
    variants: ClassVar[tuple[int, ...]] = tuple(DEFAULT_VARIANTS)
    """Articles of which the shop has plenty."""

    async def attributes(self, checkout: Checkout) -> Mapping[str, str]:
        """Say which cart attributes an order of this checkout will carry."""
        raise NotImplementedError("look into the cart that the link leads to")

    async def create(self, running: Running, **changes: object) -> Checkout | None:
        """Ask the plugin for a link; by default for one piece of each article."""
        lines = tuple(CheckoutLine(variant_id=variant, quantity=1) for variant in self.variants)
        wish: dict[str, object] = {"psid": PSID, "lines": lines, "attributes": {"psid": SIGNED}, **changes}
        return await running.hooks.checkouts[0](CheckoutRequest.model_validate(wish))

    async def test_it_makes_a_link(self) -> None:
        async with self.running() as running:
            checkout = await self.create(running)

        assert checkout is not None
        assert urlsplit(checkout.url).scheme == "https"

    async def test_the_order_will_carry_every_attribute_as_it_is(self) -> None:
        wanted = {"psid": SIGNED, "utm source": "Messenger & friends = 100 %", "größe": "ö/[2]"}
        async with self.running() as running:
            checkout = await self.create(running, attributes=wanted)
            assert checkout is not None

            assert dict(await self.attributes(checkout)) == wanted

    async def test_the_shopper_is_not_named_in_the_link(self) -> None:
        """The link can be read by whoever it is passed on to."""
        async with self.running() as running:
            checkout = await self.create(running)

        assert checkout is not None
        assert PSID not in checkout.url

    async def test_every_link_has_a_token_of_its_own(self) -> None:
        """By which its order can be found, and which nobody can guess."""
        async with self.running() as running:
            checkouts = await asyncio.gather(*(self.create(running) for _ in range(20)))

        assert len({checkout.checkout_token for checkout in checkouts if checkout is not None}) == len(checkouts)

    async def test_links_and_secrets_stay_out_of_the_log(self) -> None:
        async with self.running() as running:
            checkout = await self.create(running)
            lines = repr(running.log.lines)

        assert checkout is not None
        assert checkout.url not in lines
        if checkout.cart_id is not None:
            assert checkout.cart_id.get_secret_value() not in lines
