"""Bodies about parcels and refunds: read leniently, whatever is missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot.model.fulfillment import Fulfillment, FulfillmentEvent
from shopbot.model.money import Money
from shopbot.model.parcel import Parcel, ParcelStatus
from shopbot.model.refund import Refund

PAYLOADS = Path(__file__).parents[2].parent / "shared" / "reference" / "payloads"
needs_payloads = pytest.mark.skipif(
    not PAYLOADS.is_dir(), reason="the recorded bodies are not part of the project, and not beside it here"
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(
    [
        *("id", "order_id", "fulfillment_id", "status", "shipment_status", "tracking_number", "tracking_urls"),
        *("updated_at", "happened_at", "estimated_delivery_at"),
        *("transactions", "refund", "refund_line_items", "total_duties_set"),
    ]
)


def recorded(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_bytes())
    return body


@given(st.dictionaries(names, json_values))
def test_no_body_makes_reading_fail(body: dict[str, object]) -> None:
    for kind in (Fulfillment, FulfillmentEvent, Refund):
        kind.from_payload(body)


@needs_payloads
def test_a_recorded_fulfilment_says_where_its_parcel_can_be_followed() -> None:
    fulfillment = Fulfillment.from_payload(recorded("other_docs_2026-04_fulfillments_create"))

    assert (fulfillment.id, fulfillment.order_id, fulfillment.name) == (123456, 820982911946154500, "#9999.1")
    assert (fulfillment.tracking_company, fulfillment.tracking_number) == ("UPS", "1z827wk74630")
    assert fulfillment.tracking_url is not None
    assert fulfillment.tracking_url.startswith("https://www.ups.com/")
    assert fulfillment.updated_at == datetime(2022, 1, 1, tzinfo=UTC)


@needs_payloads
def test_a_recorded_event_says_what_happened_to_which_parcel() -> None:
    event = FulfillmentEvent.from_payload(recorded("other_docs_2026-04_fulfillment_events_create"))

    assert (event.fulfillment_id, event.order_id, event.status) == (123456, 820982911946154500, "in_transit")
    assert event.estimated_delivery_at is None


@needs_payloads
@pytest.mark.parametrize("name", ["other_docs_2026-04_refunds_create", "other_rest_refund"])
def test_a_recorded_refund_says_how_much_is_paid_back(name: str) -> None:
    refund = Refund.from_payload(recorded(name))

    assert refund.order_id is not None
    if name == "other_docs_2026-04_refunds_create":
        assert refund.amount == Money(amount=Decimal("85.00"), currency="USD")


@needs_payloads
@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("other_*.json")), ids=lambda path: path.stem)
def test_every_other_recorded_body_is_read_as_nothing(path: Path) -> None:
    body = json.loads(path.read_bytes())

    for kind in (Fulfillment, FulfillmentEvent, Refund):
        kind.from_payload(body)


@pytest.mark.parametrize(
    ("status", "shipment_status", "expected"),
    [
        ("pending", None, ParcelStatus.PREPARING),
        ("open", None, ParcelStatus.PREPARING),
        ("success", None, ParcelStatus.SHIPPED),
        ("success", "label_printed", ParcelStatus.SHIPPED),
        ("success", "something_new", ParcelStatus.SHIPPED),
        ("success", "in_transit", ParcelStatus.IN_TRANSIT),
        ("success", "delivered", ParcelStatus.DELIVERED),
        ("success", "failure", ParcelStatus.FAILED),
        ("pending", "in_transit", ParcelStatus.IN_TRANSIT),
        ("cancelled", "in_transit", ParcelStatus.CANCELLED),
        ("failure", None, ParcelStatus.CANCELLED),
        (None, None, ParcelStatus.SHIPPED),
    ],
)
def test_a_parcel_is_where_shop_and_carrier_say(
    status: str | None, shipment_status: str | None, expected: ParcelStatus
) -> None:
    parcel = Parcel.of_fulfillment(Fulfillment(id=1, status=status, shipment_status=shipment_status))

    assert parcel is not None
    assert parcel.status is expected


def test_what_names_no_parcel_is_none() -> None:
    assert Parcel.of_fulfillment(Fulfillment(status="success")) is None
    assert Parcel.of_event(FulfillmentEvent(status="delivered")) is None


def test_the_first_of_several_tracking_numbers_is_taken() -> None:
    body = {"tracking_number": None, "tracking_numbers": ["1", "2"], "tracking_urls": ["https://a", "https://b"]}

    fulfillment = Fulfillment.from_payload(body)

    assert (fulfillment.tracking_number, fulfillment.tracking_url) == ("1", "https://a")


@pytest.mark.parametrize(
    ("transactions", "amount"),
    [
        ([{"kind": "refund", "status": "success", "amount": "10.50", "currency": "EUR"}], "10.50"),
        ([{"kind": "refund", "status": "success", "amount": "1", "currency": "EUR"}] * 2, "2"),
        ([{"kind": "refund", "status": "failure", "amount": "1", "currency": "EUR"}], None),
        ([{"kind": "void", "status": "success", "amount": "1", "currency": "EUR"}], None),
        ([{"kind": "refund", "status": "success", "amount": "0.00", "currency": "EUR"}], None),
        ([{"kind": "refund", "status": "success", "amount": "1"}], None),
        ([], None),
    ],
)
def test_a_refund_is_the_sum_of_what_is_paid_back(transactions: list[dict[str, str]], amount: str | None) -> None:
    refund = Refund.from_payload({"id": 1, "order_id": 2, "transactions": transactions})

    assert (str(refund.amount.amount) if refund.amount else None) == amount
