"""The carts of the Storefront simulator, and the checkouts that shoppers open from them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from shopbot.testing.graphql_select import connection_of

OUT_OF_STOCK = "MERCHANDISE_OUT_OF_STOCK"
NOT_ENOUGH_STOCK = "MERCHANDISE_NOT_ENOUGH_STOCK"


@dataclass(frozen=True)
class Variant:
    """An article of the shop.

    stock: pieces that can be sold; None: as many as are wanted.
    """

    title: str
    price: str
    stock: int | None = None
    currency: str = "EUR"


@dataclass
class CartLine:
    """One line of a cart; *quantity* is what the cart holds, which may be less than was asked for."""

    variant_id: int
    quantity: int
    attributes: dict[str, str] = field(default_factory=dict)
    line_id: str = field(default_factory=lambda: str(uuid4()))


@dataclass
class StorefrontCart:
    """A cart. *token* is the order's `cart_token` later; *key* makes the id and the checkout's address secrets."""

    shop: str
    created_at: datetime
    updated_at: datetime
    lines: list[CartLine] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    note: str = ""
    token: str = field(default_factory=lambda: "hWN" + secrets.token_urlsafe(18).replace("-", "a").replace("_", "b"))
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    completed: bool = False

    @property
    def cart_id(self) -> str:
        """The whole id."""
        return f"gid://shopify/Cart/{self.token}?key={self.key}"

    @property
    def checkout_url(self) -> str:
        """Where it can be paid."""
        return f"https://{self.shop}/cart/c/{self.token}?key={self.key}"

    def gid(self, line: CartLine) -> str:
        """Give a line's id, which is the cart's own."""
        return f"gid://shopify/CartLine/{line.line_id}?cart={self.token}"


def fit_to_stock(cart: StorefrontCart, lines: Sequence[CartLine], variants: Mapping[int, Variant]) -> list[Any]:
    """Lower the quantities of *lines* to what there is, down to zero, and give the warnings: it is no error."""
    warnings = []
    for line in lines:
        variant = variants[line.variant_id]
        if variant.stock is None or line.quantity <= variant.stock:
            continue
        code, what = (
            (OUT_OF_STOCK, f"The product '{variant.title}' is already sold out.")
            if variant.stock == 0
            else (NOT_ENOUGH_STOCK, f"Only {variant.stock} items were added to your cart due to availability.")
        )
        line.quantity = variant.stock
        warnings.append({"__typename": "CartWarning", "code": code, "message": what, "target": cart.gid(line)})
    return warnings


def cart_node(cart: StorefrontCart, variants: Mapping[int, Variant], *, with_key: bool = True) -> dict[str, Any]:
    """Give the GraphQL object. with_key: False for an id without its key, which hides the secret address."""
    lines = [_line_node(cart, line, variants[line.variant_id]) for line in cart.lines]
    total = sum((Decimal(variants[line.variant_id].price) * line.quantity for line in cart.lines), Decimal(0))
    currency = next((variant.currency for variant in variants.values()), "EUR")
    amount = _money(total, currency)
    return {
        "__typename": "Cart",
        "id": cart.cart_id,
        "createdAt": _written(cart.created_at),
        "updatedAt": _written(cart.updated_at),
        "checkoutUrl": cart.checkout_url if with_key else cart.checkout_url.partition("?")[0],
        "totalQuantity": sum(line.quantity for line in cart.lines),
        "note": cart.note,
        "attributes": _attributes(cart.attributes),
        "lines": connection_of("BaseCartLine", lines),
        "cost": {"__typename": "CartCost", "subtotalAmount": amount, "totalAmount": amount, "totalTaxAmount": None},
    }


def _line_node(cart: StorefrontCart, line: CartLine, variant: Variant) -> dict[str, Any]:
    price = _money(Decimal(variant.price), variant.currency)
    total = _money(Decimal(variant.price) * line.quantity, variant.currency)
    return {
        "__typename": "CartLine",
        "id": cart.gid(line),
        "quantity": line.quantity,
        "attributes": _attributes(line.attributes),
        "merchandise": {
            "__typename": "ProductVariant",
            "id": f"gid://shopify/ProductVariant/{line.variant_id}",
            "title": variant.title,
            "availableForSale": variant.stock is None or variant.stock > 0,
            "quantityAvailable": variant.stock,
            "price": price,
        },
        "cost": {
            "__typename": "CartLineCost",
            "amountPerQuantity": price,
            "subtotalAmount": total,
            "totalAmount": total,
        },
    }


def _attributes(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"__typename": "Attribute", "key": key, "value": value} for key, value in values.items()]


def _money(amount: Decimal, currency: str) -> dict[str, str]:
    text = format(amount.normalize(), "f")
    return {
        "__typename": "MoneyV2",
        "amount": text if "." in text else f"{text}.0",
        "currencyCode": currency,
    }


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
