"""A running shop whose bot makes checkout links, with the shop's Storefront API and its shoppers simulated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from shopbot.model.psid_token import PsidTokens, TokenKey
from shopbot.store.records import EventRecord
from shopbot.testing.host import CONFIG, ShopUnderTest, shop_under_test
from shopbot.testing.storefront import OpenedCheckout, StorefrontSimulator

PAGE = "102290129340398"
PSID = "7312345678901234"
MUG, TOWEL = 51_204_337_615_187, 51_204_337_713_491
API_KEY = "key-of-the-bot-0123456789"
AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
TOKEN_SECRET = "0123456789abcdef0123456789abcdef"
CODEC = PsidTokens([TokenKey("a", TOKEN_SECRET.encode())])
STOREFRONT_TOKEN = "private-storefront-token"

STOREFRONT = f"""\
checkouts:
  - {{use: storefront_cart, private_token: {STOREFRONT_TOKEN}, api_url: "${{STOREFRONT_URL}}"}}
"""
PERMALINK = """\
checkouts:
  - {use: cart_permalink}
"""


def checkout_config(checkouts: str = STOREFRONT, *, trust: str = "known_shopper", more: str = "") -> str:
    """Give the test shop's configuration with checkout links: *trust* is what both attribute resolvers ask for."""
    return (
        CONFIG.replace("trust: any", f"trust: {trust}")
        .replace(
            "  - {use: redis_cart}\n",
            "  - {use: redis_cart}\n"
            f'  - {{use: shopify_cart, private_token: {STOREFRONT_TOKEN}, api_url: "${{STOREFRONT_URL}}"}}\n',
        )
        .replace(
            "messages:\n",
            "  - {name: checkout_seen, on: [checkouts/create, checkouts/update], steps: [note_checkout]}\nmessages:\n",
        )
        + checkouts
        + f"checkout_tokens: {{keys: [{{id: a, secret: {TOKEN_SECRET}}}]}}\n"
        + f"web: {{api_keys: [{API_KEY}]}}\n"
        + more
    )


@dataclass(frozen=True)
class CheckoutShop:
    """The shop, and everything around it."""

    shop: ShopUnderTest
    storefront: StorefrontSimulator
    bot: httpx.AsyncClient
    """The bot's client of the API, with its key."""

    async def link(self, psid: str = PSID, *, variants: Mapping[int, int] | None = None) -> dict[str, str]:
        """Let the bot make a link; gives the API's answer."""
        lines = [{"variant_id": variant, "quantity": n} for variant, n in (variants or {MUG: 1}).items()]
        response = await self.bot.post("/checkouts", json={"psid": psid, "lines": lines})
        assert response.status_code == 200, response.text
        found: dict[str, str] = response.json()
        return found

    async def opened(self, psid: str = PSID, *, variants: Mapping[int, int] | None = None) -> OpenedCheckout:
        """Let the bot make a link and the shopper open it."""
        return self.storefront.open((await self.link(psid, variants=variants))["checkout_url"])

    async def order(self, checkout: OpenedCheckout, topic: str = "orders/paid", **overrides: Any) -> EventRecord:  # noqa: ANN401 - as `order_body`
        """Let a shopper pay, and wait until the webhook is worked off."""
        # Nobody pays in the second in which the cart was filled.
        body = checkout.order_body(**{"created_at": datetime.now(UTC) + timedelta(seconds=2), **overrides})
        return await self.shop.finished(await self.shop.post(topic, body))

    async def seen(self, checkout: OpenedCheckout, topic: str = "checkouts/create", **changes: Any) -> EventRecord:  # noqa: ANN401 - as `webhook_body`
        """Let Shopify tell of an opened checkout."""
        return await self.shop.finished(await self.shop.post(topic, checkout.webhook_body(**changes)))

    @property
    def recipients(self) -> list[str]:
        """Who has got a message, in order."""
        return [message.psid for message in self.shop.messenger.sent]


@asynccontextmanager
async def checkout_shop(directory: Path, *, config: str | None = None, **more: Any) -> AsyncIterator[CheckoutShop]:  # noqa: ANN401 - as `shop_under_test`
    """Run the shop until the block ends."""
    storefront = StorefrontSimulator()
    async with storefront.serve() as address:
        environ = {"STOREFRONT_URL": address, **more.pop("environ", {})}
        config = config or checkout_config()
        async with (
            shop_under_test(directory, config=config, environ=environ, **more) as shop,
            httpx.AsyncClient(base_url=shop.url, headers=AUTHORIZED, timeout=30.0) as bot,
        ):
            yield CheckoutShop(shop, storefront, bot)
