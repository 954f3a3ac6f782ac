"""A fulfilment: the part of an order that leaves the shop together, and what its carrier says on the way.

https://shopify.dev/docs/api/admin-rest/latest/resources/fulfillment (bodies of `fulfillments/create` and
`fulfillments/update`, and entries of an order's `fulfillments`) and
https://shopify.dev/docs/api/admin-rest/latest/resources/fulfillmentevent (`fulfillment_events/create`). Every key may
be missing or null.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

from shopbot.model.base import Value
from shopbot.model.payload import read_integer, read_moment, read_state, read_text


class Fulfillment(Value):
    """One parcel, or one delivery of services."""

    id: int | None = None
    order_id: int | None = None
    """None inside an order, which needs no saying."""
    name: str | None = None
    """`#1001.1`: the order's name and a number."""
    status: str | None = None
    """Whether it was handed over: pending, open, success, cancelled, error or failure."""
    shipment_status: str | None = None
    """Where the parcel is, as its carrier tells it: in_transit, out_for_delivery, delivered and others."""
    tracking_company: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    updated_at: datetime | None = None

    @classmethod
    def from_payload(cls, payload: Mapping[str, object]) -> Self:
        """Read a webhook body, or an entry of an order's list; what is malformed counts as missing."""
        return cls(
            id=read_integer(payload.get("id")),
            order_id=read_integer(payload.get("order_id")),
            name=read_text(payload.get("name")),
            status=read_state(payload.get("status")),
            shipment_status=read_state(payload.get("shipment_status")),
            tracking_company=read_text(payload.get("tracking_company")),
            tracking_number=read_text(payload.get("tracking_number")) or _first(payload.get("tracking_numbers")),
            tracking_url=read_text(payload.get("tracking_url")) or _first(payload.get("tracking_urls")),
            updated_at=read_moment(payload.get("updated_at")) or read_moment(payload.get("created_at")),
        )


class FulfillmentEvent(Value):
    """What happened to a parcel at one time. Only these say when it is expected to arrive."""

    fulfillment_id: int | None = None
    order_id: int | None = None
    status: str | None = None
    """As `Fulfillment.shipment_status`."""
    happened_at: datetime | None = None
    estimated_delivery_at: datetime | None = None

    @classmethod
    def from_payload(cls, payload: Mapping[str, object]) -> Self:
        """Read a webhook body; what is malformed counts as missing."""
        return cls(
            fulfillment_id=read_integer(payload.get("fulfillment_id")),
            order_id=read_integer(payload.get("order_id")),
            status=read_state(payload.get("status")),
            happened_at=read_moment(payload.get("happened_at"))
            or read_moment(payload.get("updated_at"))
            or read_moment(payload.get("created_at")),
            estimated_delivery_at=read_moment(payload.get("estimated_delivery_at")),
        )


def _first(value: object) -> str | None:
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return read_text(value[0])
    return None
