"""What Shopify asks for in the name of its customers and shops, as the shop under test gets it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from shopbot.store.records import EventRecord
from shopbot.testing.host import SHOP, ShopUnderTest

CUSTOMER_ID = 7_141_592_653_589
EMAIL = "jane.featherstone@example.com"


def customer(customer_id: int | None = CUSTOMER_ID, email: str | None = EMAIL) -> dict[str, object]:
    return {"id": customer_id, "email": email, "phone": None}


def data_request(order_ids: Sequence[int], request_id: int = 9_265, **changes: object) -> bytes:
    body = {
        "shop_id": 548_380_009,
        "shop_domain": SHOP,
        "customer": customer(),
        "orders_requested": [*order_ids],
        "data_request": {"id": request_id},
    }
    return json.dumps(body | changes).encode()


def customer_redact(order_ids: Sequence[int], **changes: object) -> bytes:
    body = {
        "shop_id": 548_380_009,
        "shop_domain": SHOP,
        "customer": customer(),
        "orders_to_redact": [*order_ids],
    }
    return json.dumps(body | changes).encode()


def shop_redact(**changes: object) -> bytes:
    return json.dumps({"shop_id": 548_380_009, "shop_domain": SHOP} | changes).encode()


def uninstalled(**changes: object) -> bytes:
    return json.dumps({"id": 548_380_009, "name": "Acme", "myshopify_domain": SHOP, "domain": None} | changes).encode()


async def ask(shop: ShopUnderTest, topic: str, body: bytes) -> EventRecord:
    """Deliver a request and wait until it is dealt with."""
    return await shop.finished(await shop.post(topic, body))
