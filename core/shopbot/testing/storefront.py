"""A shop's Storefront API, and the shoppers who open its checkout links.

    storefront = StorefrontSimulator(variants={51_204_337_615_187: Variant("Stoneware mug", "19.25", stock=5)})
    async with storefront.serve() as address:
        ...  # let the host make a link there
        checkout = storefront.open(link)
        webhook = checkout.webhook_body()
        order = checkout.order_body(created_at=now)

Links of both kinds can be opened: a cart's checkout URL, and a cart permalink, which needs no API.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shopbot.testing.clock import Clock
from shopbot.testing.graphql_document import Operation
from shopbot.testing.order_lines import Line
from shopbot.testing.orders import paid_order
from shopbot.testing.serving import serving
from shopbot.testing.storefront_carts import CartLine, StorefrontCart, Variant
from shopbot.testing.storefront_http import build_app

__all__ = ["CartLine", "OpenedCheckout", "StorefrontCart", "StorefrontSimulator", "Variant"]

DEFAULT_VARIANTS: Mapping[int, Variant] = {
    51_204_337_615_187: Variant("Stoneware mug", "19.25"),
    51_204_337_713_491: Variant("Linen tea towel", "12.00"),
}
"""The articles of `order_body`'s default lines."""


class StorefrontSimulator:
    """One shop's carts.

    shop: its `….myshopify.com` domain.
    public_token, private_token: what the two headers must carry; a wrong one is answered 401.
    tokenless: whether a request without a token is answered.
    variants: the articles, by their number.
    lifetime_seconds: of a cart since its last change; Shopify's own has been measured as 10 to 30 days.
    clock: gives the time in seconds since 1970 UTC.
    latency_seconds: before each answer.

    `carts` holds all carts by their token, `operations` every GraphQL operation that was understood.
    """

    def __init__(
        self,
        *,
        shop: str = "acme.myshopify.com",
        public_token: str | None = "public-storefront-token",  # noqa: S107 - accepted by this simulator alone
        private_token: str | None = "private-storefront-token",  # noqa: S107 - likewise
        tokenless: bool = True,
        variants: Mapping[int, Variant] = DEFAULT_VARIANTS,
        lifetime_seconds: float = 10 * 86_400,
        clock: Clock = time.time,
        latency_seconds: float = 0.0,
    ) -> None:
        self.shop = shop
        self.variants = dict(variants)
        self.latency_seconds = latency_seconds
        self.carts: dict[str, StorefrontCart] = {}
        self.operations: list[Operation] = []
        self.failures: list[tuple[int, float | None]] = []
        self._tokens = (public_token, private_token)
        self._tokenless = tokenless
        self._lifetime = timedelta(seconds=lifetime_seconds)
        self._clock = clock

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Answer until the block ends; gives the address, such as `http://127.0.0.1:54321`.

        The API is at `{address}/api/2026-10/graphql.json`. *port* 0 takes a free one.
        """
        async with serving(build_app(self), host, port) as address:
            yield address

    def fail_next(self, status: int, times: int = 1, *, retry_after_seconds: float | None = None) -> None:
        """Answer the next *times* requests with HTTP *status* and no GraphQL."""
        self.failures.extend([(status, retry_after_seconds)] * times)

    def accepts(self, public: str | None, private: str | None) -> bool:
        """Tell whether the two headers, None for one that is missing, let a request in."""
        if public is None and private is None:
            return self._tokenless
        return all(
            given is None or given == known for given, known in zip((public, private), self._tokens, strict=True)
        )

    def now(self) -> datetime:
        """Give the time."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def new_cart(self) -> StorefrontCart:
        """Make an empty cart."""
        cart = StorefrontCart(self.shop, self.now(), self.now())
        self.carts[cart.token] = cart
        return cart

    def find(self, cart_id: str) -> StorefrontCart | None:
        """Find a cart by its id, with or without key; None for one that is unknown, too old or paid for."""
        token = cart_id.removeprefix("gid://shopify/Cart/").partition("?")[0]
        cart = self.carts.get(token)
        if cart is None or cart.completed or cart.updated_at + self._lifetime < self.now():
            return None
        return cart

    def open(self, link: str) -> OpenedCheckout:
        """Open a link as a shopper does.

        Raises LookupError for one that leads nowhere.
        """
        parts = urlsplit(link)
        if parts.path.startswith("/cart/c/"):
            cart = self.find("gid://shopify/Cart/" + parts.path.removeprefix("/cart/c/"))
            if cart is None or cart.checkout_url != link:
                raise LookupError("there is no such cart")
            return OpenedCheckout(self, cart, landing_site=None)
        cart = self.new_cart()
        for line in parts.path.removeprefix("/cart/").split(","):
            variant, _, quantity = line.partition(":")
            if int(variant) not in self.variants:
                raise LookupError(f"there is no variant {variant}")
            cart.lines.append(CartLine(int(variant), int(quantity)))
        for name, value in parse_qsl(parts.query):
            if name.startswith("attributes["):
                cart.attributes[name.removeprefix("attributes[").removesuffix("]")] = value
        return OpenedCheckout(self, cart, landing_site=f"{parts.path}?{parts.query}")


@dataclass
class OpenedCheckout:
    """A checkout as Shopify tells of it: in `checkouts/*` webhooks, then in the order.

    landing_site: where the shopper came in; None for carts of the API, which have none.
    """

    simulator: StorefrontSimulator
    cart: StorefrontCart
    landing_site: str | None
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    def webhook_body(self, **overrides: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of the checkout
        """Give the body of `checkouts/create` and `checkouts/update`.

        https://shopify.dev/docs/api/webhooks/latest (since 2026-04 without a numeric id)
        """
        body: dict[str, Any] = {
            "token": self.token,
            "cart_token": self.cart.token,
            "email": None,
            "gateway": None,
            "created_at": self.simulator.now().isoformat(timespec="seconds"),
            "updated_at": self.simulator.now().isoformat(timespec="seconds"),
            "landing_site": self.landing_site,
            "note": self.cart.note or None,
            "note_attributes": self._note_attributes(),
            "referring_site": None,
            "currency": "EUR",
            "completed_at": None,
            "closed_at": None,
            "customer_locale": "en",
            "line_items": [
                {
                    "variant_id": line.variant_id,
                    "quantity": line.quantity,
                    "title": self.simulator.variants[line.variant_id].title,
                    "price": self.simulator.variants[line.variant_id].price,
                    "properties": None,
                }
                for line in self.cart.lines
            ],
            "abandoned_checkout_url": None,
        }
        return body | overrides

    def order_body(self, **overrides: Any) -> dict[str, Any]:  # noqa: ANN401 - as for `order_body`
        """Pay, and give the order's body; the cart is gone then. Arguments as for `orders.order_body`."""
        self.cart.completed = True
        defaults: dict[str, Any] = {
            "lines": [
                Line(
                    self.simulator.variants[line.variant_id].title,
                    self.simulator.variants[line.variant_id].price,
                    line.quantity,
                    variant_id=line.variant_id,
                )
                for line in self.cart.lines
            ],
            "note_attributes": dict(self.cart.attributes),
            "created_at": self.simulator.now(),
            "cart_token": self.cart.token,
            "checkout_token": self.token,
            "landing_site": self.landing_site,
            "landing_site_ref": None,
        }
        return paid_order(**{**defaults, **overrides})

    def _note_attributes(self) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in self.cart.attributes.items()]
