"""Webhooks by name, one of each kind that a shop gets: for tests, previews and trials of a configuration.

sample = SAMPLES["paid_order"]
body = sample.body(Circumstances(at=now, attributes={"psid": "7312345678901234"}))
raw = order_bytes(body)  # deliver it with the topic `sample.topic`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shopbot.testing.orders import (
    DEFAULT_ORDER_ID,
    authorized_order,
    cancelled_order,
    draft_order,
    fulfilled_order,
    order_body,
    paid_order,
    partially_paid_order,
    pending_order,
    refunded_order,
)
from shopbot.testing.parcels import fulfillment_body, fulfillment_event_body, refund_body

__all__ = ["SAMPLES", "Circumstances", "Sample", "complete_order", "order_id_of"]

_FIRST_NUMBER = 1234
_LATELY = timedelta(seconds=10)

Body = dict[str, Any]
_Build = Callable[["Circumstances", Mapping[str, Any]], Body]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What differs from one use of a sample to the next."""

    at: datetime
    """When it is delivered; its offset is the one that times are written with. Must have one."""
    ordered_at: datetime | None = None
    """When the order was made; None: ten seconds before."""
    number: int = _FIRST_NUMBER
    """The order's number. Everything with the same number is about the same order."""
    shop: str = "acme.myshopify.com"
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The cart attributes that the order carries: the shopper's PSID, as a rule."""

    @property
    def made_at(self) -> datetime:
        """Give when the order was made."""
        return self.ordered_at or self.at - _LATELY


@dataclass(frozen=True, slots=True)
class Sample:
    """A webhook of Shopify's, or what a shopper does in Messenger."""

    name: str
    summary: str
    topic: str
    build: _Build | None = None
    """Makes the body of a webhook; None for a shopper's act."""
    says: str | None = None
    """What the shopper writes."""
    taps: str | None = None
    """The payload of the quick reply that the shopper taps; `says` is its title."""
    is_order: bool = False
    """Whether the body is an order: then it can be built with arguments of `order_body`."""

    def body(self, circumstances: Circumstances, **arguments: Any) -> Body:  # noqa: ANN401 - of the builder
        """Give the webhook's body.

        arguments: for `order_body`, where the sample is an order.

        Raises:
            ValueError: a shopper's act has none.
        """
        if self.build is None:
            raise ValueError(f"the sample '{self.name}' is no webhook")
        return self.build(circumstances, arguments)


def order_id_of(number: int) -> int:
    """Give the id of the order with this number."""
    return DEFAULT_ORDER_ID + number - _FIRST_NUMBER


def complete_order(circumstances: Circumstances) -> Body:
    """Give an order in which everything is filled in that Shopify may fill in: what keys and kinds of values it has."""
    body = _order(order_body, fulfilled=True)(circumstances, {})
    written = body["created_at"]
    times = dict.fromkeys(("cancelled_at", "closed_at"), written)
    texts = ("cancel_reason", "note", "phone", "po_number", "reference", "source_identifier", "source_url")
    numbers = ("device_id", "location_id", "merchant_of_record_app_id", "user_id")
    return body | times | dict.fromkeys(texts, "text") | dict.fromkeys(numbers, 1)


def _order(builder: Callable[..., Body], *, with_attributes: bool = True, **fixed: Any) -> _Build:  # noqa: ANN401
    def build(about: Circumstances, arguments: Mapping[str, Any]) -> Body:
        facts: Mapping[str, Any] = {
            "order_id": order_id_of(about.number),
            "number": about.number,
            "created_at": about.made_at,
            "updated_at": about.at,
            "shop": about.shop,
            "note_attributes": about.attributes if with_attributes else {},
        }
        return builder(**{**facts, **fixed, **arguments})

    return build


def _cancelled(about: Circumstances, arguments: Mapping[str, Any]) -> Body:
    written = about.at.isoformat(timespec="seconds")
    return _order(cancelled_order)(about, {"cancelled_at": written, "closed_at": written, **arguments})


def _parcel(**fixed: Any) -> _Build:  # noqa: ANN401 - of the builder
    def build(about: Circumstances, _arguments: Mapping[str, Any]) -> Body:
        return fulfillment_body(order_id=order_id_of(about.number), number=about.number, at=about.at, **fixed)

    return build


def _news_of_parcel(status: str) -> _Build:
    def build(about: Circumstances, _arguments: Mapping[str, Any]) -> Body:
        return fulfillment_event_body(order_id=order_id_of(about.number), status=status, at=about.at)

    return build


def _refund(about: Circumstances, _arguments: Mapping[str, Any]) -> Body:
    return refund_body(order_id=order_id_of(about.number), at=about.at)


def _checkout(about: Circumstances, _arguments: Mapping[str, Any]) -> Body:
    """Give the checkout that the order comes from: by its tokens the two belong together.

    https://shopify.dev/docs/api/webhooks/latest (since 2026-04 without a numeric id)
    """
    order = _order(paid_order)(about, {})
    same = ("token", "email", "landing_site", "note", "note_attributes", "referring_site", "currency")
    kept = ("cart_token", "customer_locale", "line_items", "shipping_lines", "taxes_included", "total_weight", "phone")
    body = {key: order[key] for key in (*same, *kept, "created_at", "updated_at", "source_name")}
    return body | {"token": order["checkout_token"], "gateway": None, "completed_at": None, "closed_at": None}


_GERMAN: Mapping[str, Any] = {
    "locale": "de",
    "first_name": "Jürgen",
    "last_name": "Groß",
    "email": "juergen.gross@example.com",
    "lines": [("Steinzeugtasse", "19.25", 2), ("Geschirrtuch aus Leinen", "12.00")],
}
_ARABIC: Mapping[str, Any] = {
    "locale": "ar",
    "first_name": "ليلى",
    "last_name": "حداد",
    "email": "layla.haddad@example.com",
    "lines": [("كوب من الخزف", "19.25", 2), ("منشفة من الكتان", "12.00")],
}

_ORDERS: Mapping[str, tuple[str, _Build, str]] = {
    "paid_order": ("orders/paid", _order(paid_order), "An order that was paid at once."),
    "pending_order": ("orders/create", _order(pending_order), "An order that waits for a bank transfer."),
    "authorized_order": ("orders/create", _order(authorized_order), "Its payment is authorised and not captured."),
    "partially_paid_order": ("orders/updated", _order(partially_paid_order), "Only a part of it is paid."),
    "cancelled_order": ("orders/cancelled", _cancelled, "An order that was paid and then cancelled."),
    "refunded_order": ("orders/updated", _order(refunded_order), "An order whose whole amount was paid back."),
    "test_order": ("orders/paid", _order(paid_order, test=True), "An order made with a test payment."),
    "draft_order": (
        "orders/paid",
        _order(draft_order, with_attributes=False),
        "A paid order that staff made: no attributes, no tokens, no customer, no language.",
    ),
    "order_without_psid": (
        "orders/paid",
        _order(paid_order, with_attributes=False),
        "A paid order that lost its cart attributes; its checkout and cart tokens are there.",
    ),
    "german_order": ("orders/paid", _order(paid_order, **_GERMAN), "A paid order of a shopper who reads German."),
    "arabic_order": ("orders/paid", _order(paid_order, **_ARABIC), "A paid order of a shopper who reads Arabic."),
    "fulfilled_order": ("orders/fulfilled", _order(fulfilled_order), "A paid order whose only parcel has left."),
}
_NEWS: Mapping[str, tuple[str, _Build, str]] = {
    "prepared": ("fulfillments/create", _parcel(status="pending"), "A parcel that has not left yet."),
    "shipped": ("fulfillments/create", _parcel(), "A parcel was handed to its carrier, with a tracking number."),
    "in_transit": ("fulfillments/update", _parcel(shipment_status="in_transit"), "The carrier has the parcel."),
    "out_for_delivery": ("fulfillment_events/create", _news_of_parcel("out_for_delivery"), "It arrives today."),
    "delivered": ("fulfillment_events/create", _news_of_parcel("delivered"), "The parcel has arrived."),
    "refund": ("refunds/create", _refund, "Some of the money went back."),
    "checkout": ("checkouts/create", _checkout, "The shopper has opened the checkout that the order comes from."),
}
_ACTS = (
    Sample("hello", "The shopper says hello.", "messenger/message", says="Hello"),
    Sample("where_is_my_order", "The shopper asks for the order.", "messenger/message", says="Where's my order?"),
    Sample("wo_ist_meine_bestellung", "The same in German.", "messenger/message", says="Wo ist meine Bestellung?"),
    Sample("ayna_talabi", "The same in Arabic.", "messenger/message", says="أين طلبي؟"),
    Sample(
        "track_button",
        "The shopper taps the quick reply below a confirmation.",
        "messenger/message",
        says="Where's my order?",
        taps="ORDER_STATUS",
    ),
    Sample("stop", "The shopper wants no more messages.", "messenger/message", says="Stop"),
    Sample("start", "The shopper wants messages again.", "messenger/message", says="Start"),
)

SAMPLES: Mapping[str, Sample] = {
    **{name: Sample(name, text, topic, build, is_order=True) for name, (topic, build, text) in _ORDERS.items()},
    **{name: Sample(name, text, topic, build) for name, (topic, build, text) in _NEWS.items()},
    **{sample.name: sample for sample in _ACTS},
}
"""All samples, by name."""
