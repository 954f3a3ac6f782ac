"""A webhook of the shop under test as Shopify signs it."""

from __future__ import annotations

from shopbot.testing.host import SECRET, SHOP
from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.webhooks import HeaderFamily, shopify_headers

ROUTE = "/webhooks/shopify"
PSID = "7312345678901234"
BODY = order_bytes(paid_order(psid=PSID))


def signed(
    topic: str = "orders/paid",
    body: bytes = BODY,
    *,
    webhook_id: str | None = None,
    family: HeaderFamily = "X-Shopify",
) -> dict[str, str]:
    """Give the headers of one delivery of *body*."""
    return shopify_headers(topic, body, SECRET, SHOP, webhook_id=webhook_id, family=family)
