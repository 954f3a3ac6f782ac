"""The lines of an order: what was bought, and what it cost to ship."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from shopbot.testing.order_money import Currencies


@dataclass(frozen=True)
class Line:
    """One thing that a shopper bought.

    price: of one piece, in the shop's currency, tax included.
    variant_id: None for a custom item, as in draft orders.
    properties: what the shop's page attached to this line.
    """

    title: str
    price: Decimal | str
    quantity: int = 1
    variant_title: str | None = None
    variant_id: int | None = 51_204_337_615_187
    product_id: int | None = 10_117_842_305_299
    sku: str | None = None
    grams: int = 350
    vendor: str = "Acme Ceramics"
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """Give the price of all pieces."""
        return Decimal(self.price) * self.quantity


LineLike = Line | tuple[str, str] | tuple[str, str, int]
"""A line, or its title and price, or its title, price and quantity."""

DEFAULT_LINES: tuple[Line, ...] = (
    Line("Stoneware mug", "19.25", 2, variant_title="Sea blue", sku="MUG-SEA-350"),
    Line(
        "Linen tea towel",
        "12.00",
        variant_title="Natural / 50 x 70",
        variant_id=51_204_337_713_491,
        product_id=10_117_842_370_835,
        sku="TOWEL-NAT-50",
        grams=120,
        vendor="Acme Textiles",
    ),
)


def as_lines(lines: Sequence[LineLike]) -> list[Line]:
    """Turn short forms into lines."""
    return [line if isinstance(line, Line) else Line(*line) for line in lines]


def line_items(
    lines: Sequence[Line], order_id: int, currencies: Currencies, tax_rate: Decimal, *, fulfilled: bool
) -> list[dict[str, Any]]:
    """Give the `line_items` of an order."""
    return [
        _line_item(line, order_id + 1 + position, currencies, tax_rate, fulfilled=fulfilled)
        for position, line in enumerate(lines)
    ]


def _line_item(
    line: Line, line_id: int, currencies: Currencies, tax_rate: Decimal, *, fulfilled: bool
) -> dict[str, Any]:
    name = line.title if line.variant_title is None else f"{line.title} - {line.variant_title}"
    price = Decimal(line.price)
    return {
        "id": line_id,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{line_id}",
        "attributed_staffs": [],
        "current_quantity": line.quantity,
        "fulfillable_quantity": 0 if fulfilled else line.quantity,
        "fulfillment_service": "manual",
        "fulfillment_status": "fulfilled" if fulfilled else None,
        "gift_card": False,
        "grams": line.grams,
        "name": name,
        "price": currencies.text(price),
        "price_set": currencies.money_set(price),
        "product_exists": line.product_id is not None,
        "product_id": line.product_id,
        "properties": [{"name": key, "value": value} for key, value in line.properties.items()],
        "quantity": line.quantity,
        "requires_shipping": True,
        "sales_line_item_group_id": None,
        "selling_plan_id": None,
        "sku": line.sku,
        "taxable": True,
        "title": line.title,
        "total_discount": currencies.text(Decimal(0)),
        "total_discount_set": currencies.money_set(Decimal(0)),
        "variant_id": line.variant_id,
        "variant_inventory_management": "shopify" if line.variant_id else None,
        "variant_title": line.variant_title,
        "vendor": line.vendor,
        "tax_lines": tax_lines(line.total, currencies, tax_rate),
        "duties": [],
        "discount_allocations": [],
    }


def shipping_line(price: Decimal, order_id: int, currencies: Currencies, tax_rate: Decimal) -> dict[str, Any]:
    """Give the one entry of `shipping_lines`."""
    return {
        "id": order_id + 900,
        "carrier_identifier": None,
        "code": "Standard",
        "current_discounted_price_set": currencies.money_set(price),
        "discounted_price": currencies.text(price),
        "discounted_price_set": currencies.money_set(price),
        "is_removed": False,
        "phone": None,
        "price": currencies.text(price),
        "price_set": currencies.money_set(price),
        "requested_fulfillment_service_id": None,
        "source": "shopify",
        "title": "Standard",
        "tax_lines": tax_lines(price, currencies, tax_rate),
        "discount_allocations": [],
    }


def tax_lines(amount: Decimal, currencies: Currencies, tax_rate: Decimal) -> list[dict[str, Any]]:
    """Give the tax that *amount* already includes, as `tax_lines`; none for a rate of zero."""
    if not tax_rate:
        return []
    tax = included_tax(amount, tax_rate)
    return [
        {
            "channel_liable": False,
            "price": currencies.text(tax),
            "price_set": currencies.money_set(tax),
            "rate": float(tax_rate),
            "title": "VAT",
        }
    ]


def included_tax(amount: Decimal, tax_rate: Decimal) -> Decimal:
    """Give the part of the gross *amount* that is tax."""
    return amount * tax_rate / (1 + tax_rate)
