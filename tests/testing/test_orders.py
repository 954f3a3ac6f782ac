"""Built orders look like Shopify's, and say what was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shopbot.model.order import Order
from shopbot.testing.order_lines import Line
from shopbot.testing.orders import (
    DEFAULT_ORDER_ID,
    authorized_order,
    cancelled_order,
    draft_order,
    fulfilled_order,
    order_body,
    order_bytes,
    paid_order,
    partially_paid_order,
    pending_order,
    refunded_order,
    updated_order,
)

Builder = Callable[..., dict[str, Any]]
ALL_BUILDERS: list[Builder] = [
    order_body,
    paid_order,
    pending_order,
    authorized_order,
    partially_paid_order,
    cancelled_order,
    refunded_order,
    fulfilled_order,
    draft_order,
]

builders = pytest.mark.parametrize("build", ALL_BUILDERS, ids=lambda build: build.__name__)


@builders
def test_equal_calls_give_equal_bodies(build: Builder) -> None:
    assert build(psid="1") == build(psid="1")


@builders
def test_bodies_have_the_size_and_the_keys_of_real_ones(build: Builder) -> None:
    body = build()

    assert 4_000 <= len(order_bytes(body)) <= 15_000
    assert set(body) == set(order_body())
    assert body["id"] > 2**53
    assert body["admin_graphql_api_id"] == f"gid://shopify/Order/{body['id']}"
    assert (body["name"], body["order_number"]) == ("#1234", 1234)
    assert "checkout_id" not in body  # removed at API 2026-04
    assert "attributes" not in body  # a name of carts, never of orders


@builders
def test_the_framework_reads_them(build: Builder) -> None:
    order = Order.from_payload(build(psid="7312345678901234"))

    assert order.id == DEFAULT_ORDER_ID
    assert order.note_attributes[0].value == "7312345678901234"
    assert order.ordered_at == datetime(2026, 11, 23, 9, 15, tzinfo=UTC)


@builders
def test_the_bytes_parse_back_to_the_body(build: Builder) -> None:
    assert json.loads(order_bytes(build())) == build()


def test_bytes_are_escaped_as_shopify_does() -> None:
    raw = order_bytes(paid_order(note="<b>Fish & Chips</b> für Zoë"))

    assert rb'"note":"\u003cb\u003eFish \u0026 Chips\u003c\/b\u003e f' in raw
    assert "Zoë".encode() in raw
    assert rb"gid:\/\/shopify\/Order\/" in raw


@pytest.mark.parametrize(
    ("build", "status", "outstanding"),
    [
        (paid_order, "paid", "0.00"),
        (pending_order, "pending", "55.40"),
        (authorized_order, "authorized", "55.40"),
        (partially_paid_order, "partially_paid", "55.40"),
        (refunded_order, "refunded", "0.00"),
    ],
)
def test_each_builder_has_its_financial_status(build: Builder, status: str, outstanding: str) -> None:
    assert build()["financial_status"] == status
    assert build()["total_outstanding"] == outstanding


def test_a_cancelled_order_says_when_and_why() -> None:
    body = cancelled_order()

    assert body["cancelled_at"] == body["updated_at"] == "2026-11-23T11:15:00+01:00"
    assert body["cancel_reason"] == "customer"


def test_a_fulfilled_order_can_be_tracked() -> None:
    body = fulfilled_order()

    assert body["fulfillment_status"] == "fulfilled"
    assert body["fulfillments"][0]["tracking_url"].endswith(body["fulfillments"][0]["tracking_number"])


def test_a_draft_order_has_no_trace_of_a_shopper() -> None:
    body = draft_order()

    assert body["source_name"] == "shopify_draft_order"
    assert body["email"] == ""
    assert {body[key] for key in ("cart_token", "checkout_token", "customer", "customer_locale")} == {None}


def test_the_psid_stands_among_the_note_attributes() -> None:
    body = paid_order(psid="7312345678901234", psid_key="messenger_psid", note_attributes={"gift": "yes"})

    assert body["note_attributes"] == [
        {"name": "gift", "value": "yes"},
        {"name": "messenger_psid", "value": "7312345678901234"},
    ]
    assert paid_order()["note_attributes"] == []


def test_totals_add_up() -> None:
    body = paid_order(lines=[("Mug", "10.00", 3), ("Spoon", "2.50")], shipping="5")

    assert body["subtotal_price"] == "32.50"
    assert body["total_price"] == "37.50"
    assert Decimal(body["total_tax"]) == Decimal("5.99")  # 19 % of the net amount, included
    assert [line["quantity"] for line in body["line_items"]] == [3, 1]
    assert sum(Decimal(line["price"]) * line["quantity"] for line in body["line_items"]) == Decimal("32.50")


def test_a_custom_item_has_no_variant() -> None:
    line = paid_order(lines=[Line("Repair", "20", variant_id=None, product_id=None)])["line_items"][0]

    assert (line["variant_id"], line["product_id"], line["product_exists"]) == (None, None, False)


def test_the_buyer_may_pay_in_another_currency() -> None:
    body = paid_order(currency="EUR", presentment_currency="JPY", exchange_rate="160", locale="ja")

    assert body["total_price_set"]["shop_money"] == {"amount": "55.40", "currency_code": "EUR"}
    assert body["total_price_set"]["presentment_money"] == {"amount": "8864", "currency_code": "JPY"}
    assert (body["currency"], body["presentment_currency"], body["customer_locale"]) == ("EUR", "JPY", "ja")


def test_other_orders_have_other_ids_and_tokens() -> None:
    one, two = paid_order(order_id=2**53 + 1), paid_order(order_id=2**53 + 2)

    for key in ("id", "token", "cart_token", "checkout_token", "order_status_url", "confirmation_number"):
        assert one[key] != two[key]


def test_any_field_can_be_replaced() -> None:
    assert paid_order(customer=None, test=True)["customer"] is None
    assert paid_order(customer=None, test=True)["test"] is True


def test_an_update_changes_the_copy_only() -> None:
    before = pending_order()
    after = updated_order(before, datetime(2026, 11, 24, 8, tzinfo=UTC), financial_status="paid")
    after["line_items"][0]["title"] = "changed"

    assert after["updated_at"] == "2026-11-24T08:00:00+00:00"
    assert after["financial_status"] == "paid"
    assert before == pending_order()


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="UTC offset"):
        paid_order(created_at=datetime(2026, 11, 24, 8))  # noqa: DTZ001 - that is the point
