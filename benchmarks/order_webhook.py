"""The request that every contestant is loaded with: a paid order, signed as Shopify signs it."""

from __future__ import annotations

from typing import Any

from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.webhooks import shopify_headers

SHOP = "bench.myshopify.com"
SECRET = "benchmark-secret"  # noqa: S105 - signs nothing but made-up orders
ID_PLACE = "{webhook-id}"
"""Stands in the request where the client puts an id of its own for each one; headers are not signed."""

_SPARSE: dict[str, Any] = {
    "shipping_lines": [],
    "customer": None,
    "billing_address": None,
    "shipping_address": None,
    "client_details": None,
    "tax_lines": [],
    # Amounts in two currencies, which orders of older API versions are without.
    **dict.fromkeys(
        (
            *(f"current_{what}_set" for what in ("subtotal_price", "total_discounts", "total_price", "total_tax")),
            *(f"{what}_set" for what in ("subtotal_price", "total_discounts", "total_price", "total_tax")),
            "current_shipping_price_set",
            "total_line_items_price_set",
            "total_shipping_price_set",
        )
    ),
}


def order_of(size: int) -> bytes:
    """Give the body of a paid order of exactly *size* bytes: as many lines as fit, the rest a note.

    Raises:
        ValueError: no order is that small.
    """
    body = _order(1)
    if len(body) > size:
        body = _order(1, **_SPARSE)
        if len(body) > size:
            raise ValueError(f"an order has at least {len(body)} bytes")
        return _order(1, **_SPARSE, note="x" * (size - len(body)))
    lines = 1
    while len(more := _order(lines + 1)) <= size:
        body, lines = more, lines + 1
    return _order(lines, note="x" * (size - len(body)))


def request_of(body: bytes) -> bytes:
    """Give the whole HTTP request that delivers *body*, with `ID_PLACE` for the webhook's id."""
    headers = shopify_headers("orders/paid", body, SECRET, SHOP, webhook_id=ID_PLACE)
    head = ["POST /webhooks/shopify HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def _order(lines: int, *, note: str = "", **overrides: Any) -> bytes:  # noqa: ANN401 - any field of an order
    bought = [(f"Mug no. {number}", "19.25", 2) for number in range(1, lines + 1)]
    return order_bytes(paid_order(shop=SHOP, psid="7312345678901234", lines=bought, note=note, **overrides))
