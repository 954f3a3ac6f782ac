"""Bodies as Shopify really sends them, through the whole host."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from shopbot.testing.host import SECRET, SHOP, ShopUnderTest, shop_under_test
from shopbot.testing.orders import (
    authorized_order,
    cancelled_order,
    draft_order,
    fulfilled_order,
    paid_order,
    partially_paid_order,
    pending_order,
    refunded_order,
)
from shopbot.testing.webhooks import shopify_headers
from support.orders import ending, order_ids, shoppers

PAYLOADS = Path(__file__).parents[2].parent / "shared" / "reference" / "payloads"
needs_payloads = pytest.mark.skipif(
    not PAYLOADS.is_dir(), reason="the recorded bodies are not part of the project, and not beside it here"
)

ORDER_TOPICS = ("orders/create", "orders/paid", "orders/updated", "orders/cancelled", "orders/fulfilled")
OTHER_TOPICS = (
    "app/uninstalled",
    "carts/update",
    "checkouts/create",
    "customers/data_request",
    "customers/redact",
    "fulfillment_events/create",
    "fulfillments/create",
    "orders/delete",
    "orders/edited",
    "refunds/create",
    "shop/redact",
)
"""What the files `other_docs_<version>_<topic>.json` are named after."""


def topics_of(file: Path) -> tuple[str, ...]:
    """Give the topics under which a body may come."""
    if file.name.startswith("order_"):
        return ORDER_TOPICS
    named = tuple(topic for topic in OTHER_TOPICS if file.stem.endswith("_" + topic.replace("/", "_")))
    # What is no webhook at all must do no harm either, whatever it is called.
    return named or ("refunds/create", "orders/updated")


async def deliver(shop: ShopUnderTest, topic: str, body: bytes) -> tuple[httpx.Response, str]:
    headers = shopify_headers(topic, body, SECRET, SHOP)
    response = await shop.http.post("/webhooks/shopify", content=body, headers=headers)
    return response, f"webhook:{headers['X-Shopify-Webhook-Id']}"


def is_due(order: dict[str, Any]) -> bool:
    """Say whether the example rule confirms an order in this state."""
    return order.get("financial_status") == "paid" and not order.get("cancelled_at") and order.get("test") is not True


@needs_payloads
async def test_every_recorded_body_is_taken_and_has_a_journalled_outcome(tmp_path: Path) -> None:
    deliveries = [(file, topic) for file in sorted(PAYLOADS.glob("*.json")) for topic in topics_of(file)]
    ends: dict[str, set[str]] = {}
    async with shop_under_test(tmp_path) as shop:
        answers = await asyncio.gather(*(deliver(shop, topic, file.read_bytes()) for file, topic in deliveries))
        for (file, topic), (response, event_id) in zip(deliveries, answers, strict=True):
            assert response.status_code == 200, (file.name, topic)
            record = await shop.finished(event_id)
            assert record.journal, (file.name, topic)
            ends.setdefault(file.name, set()).add(ending(record))
        logged = {line["event"] for line in shop.logs.entries}

    assert len(ends) > 30
    for name, seen in ends.items():
        if name.startswith("order_"):
            due = is_due(json.loads((PAYLOADS / name).read_bytes()))
            # Nobody knows their shoppers; the two topics that no rule names are noted as such.
            assert ("PSID_NOT_FOUND" in seen) == due, name
            assert seen <= {"PSID_NOT_FOUND", "NOT_PAID", "CANCELLED", "TEST_ORDER", "NO_RULE"}, name
        elif name.startswith("other_docs"):
            if name.endswith(("customers_data_request.json", "customers_redact.json", "shop_redact.json")):
                assert seen == {"WEBHOOK_PROCESSING_ERROR"}, name  # another shop's: see the next test
            else:
                assert seen == ({"done"} if name.endswith("app_uninstalled.json") else {"NO_RULE"}), name
    assert "event_processing_failed" not in logged
    assert shop.messenger.requests == []


@needs_payloads
async def test_what_shopify_asks_for_by_law_is_done_for_the_shop_that_it_names(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        for topic in ("customers/data_request", "customers/redact", "shop/redact"):
            (file,) = PAYLOADS.glob(f"other_docs_*_{topic.replace('/', '_')}.json")
            body = file.read_bytes().replace(b"{shop}.myshopify.com", SHOP.encode())

            response, event_id = await deliver(shop, topic, body)

            assert response.status_code == 200, topic
            assert ending(await shop.finished(event_id)) == "done", topic


@needs_payloads
async def test_every_recorded_order_once_it_is_paid_and_has_a_shopper_is_confirmed(tmp_path: Path) -> None:
    psids, ids = shoppers(), order_ids()
    async with shop_under_test(tmp_path) as shop:
        for file in sorted(PAYLOADS.glob("order_*.json")):
            psid = next(psids)
            order = json.loads(file.read_bytes())
            attributes = [*(order.get("note_attributes") or []), {"name": "psid", "value": psid}]
            order |= {"id": next(ids), "financial_status": "paid", "cancelled_at": None, "test": False}
            order |= {"note_attributes": attributes}
            record = await shop.finished(await shop.post("orders/paid", json.dumps(order).encode()))

            assert record.status == "done", file.name
            (message,) = shop.messenger.sent_to(psid)
            assert message.text.startswith("Order confirmed!"), file.name
            assert str(order["name"]) in message.text, file.name


async def test_orders_in_every_state_are_confirmed_if_paid_and_else_left_with_a_reason(tmp_path: Path) -> None:
    states = {
        paid_order: "done",
        fulfilled_order: "done",
        draft_order: "done",
        pending_order: "NOT_PAID",
        authorized_order: "NOT_PAID",
        partially_paid_order: "NOT_PAID",
        refunded_order: "NOT_PAID",
        cancelled_order: "CANCELLED",
    }
    psids, ids = shoppers(), order_ids()
    async with shop_under_test(tmp_path) as shop:
        for make, end in states.items():
            body = make(order_id=next(ids), psid=next(psids))
            record = await shop.finished(await shop.post("orders/updated", body))

            assert ending(record) == end, make.__name__
        assert len(shop.messenger.sent) == list(states.values()).count("done")
