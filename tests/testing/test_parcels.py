"""Built news of an order is read as Shopify's is."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from shopbot.model.money import Money
from shopbot.model.parcel import ParcelStatus
from shopbot.rules.news import read_news
from shopbot.testing.orders import DEFAULT_ORDER_ID, fulfilled_order
from shopbot.testing.parcels import fulfillment_body, fulfillment_event_body, refund_body

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def test_a_parcel_is_about_its_order_and_can_be_followed() -> None:
    news = read_news("fulfillments/create", fulfillment_body(at=AT))

    assert (news.order_id, news.order_name) == (DEFAULT_ORDER_ID, "#1234")
    assert news.parcel is not None
    assert (news.parcel.status, news.parcel.company) == (ParcelStatus.SHIPPED, "DHL")
    assert news.parcel.number
    assert news.parcel.url == f"https://track.example.com/{news.parcel.number}"


def test_it_is_the_parcel_that_a_fulfilled_order_carries() -> None:
    [carried] = fulfilled_order()["fulfillments"]
    body = fulfillment_body(at=AT)

    assert {key: body[key] for key in ("id", "tracking_number", "tracking_url")} == {
        key: carried[key] for key in ("id", "tracking_number", "tracking_url")
    }


@pytest.mark.parametrize("parcel", [1, 2])
def test_what_the_carrier_says_is_about_the_same_parcel(parcel: int) -> None:
    told = read_news("fulfillment_events/create", fulfillment_event_body(parcel=parcel, status="delivered", at=AT))

    assert told.order_id == DEFAULT_ORDER_ID
    assert told.parcel is not None
    assert told.parcel.fulfillment_id == fulfillment_body(parcel=parcel, at=AT)["id"]
    assert told.parcel.status is ParcelStatus.DELIVERED


def test_a_refund_says_how_much_goes_back() -> None:
    news = read_news("refunds/create", refund_body(amount="10.5", currency="EUR", at=AT))

    assert news.order_id == DEFAULT_ORDER_ID
    assert news.refund is not None
    assert news.refund.amount == Money(amount=Decimal("10.50"), currency="EUR")


def test_any_field_can_be_another() -> None:
    assert fulfillment_body(at=AT, status="pending")["status"] == "pending"
    assert fulfillment_event_body(at=AT, city=None)["city"] is None
    assert refund_body(at=AT, transactions=[])["transactions"] == []


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="UTC offset"):
        fulfillment_body(at=datetime(2026, 11, 24))  # noqa: DTZ001 - the mistake that is refused
