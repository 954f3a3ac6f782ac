"""A parcel on its way to the shopper: what fulfilments and carriers' events together say of it.

News of a parcel comes in any order and more than once, so putting it together does not depend on either.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from shopbot.model.base import Value
from shopbot.model.fulfillment import Fulfillment, FulfillmentEvent
from shopbot.model.payload import read_moment, read_text


class ParcelStatus(StrEnum):
    """Where a parcel is, in shopbot's own words: fewer than Shopify's, and each one worth telling a shopper."""

    PREPARING = "preparing"
    """Not handed over yet."""
    SHIPPED = "shipped"
    """Handed over; the carrier has said nothing more."""
    IN_TRANSIT = "in_transit"
    DELAYED = "delayed"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPTED_DELIVERY = "attempted_delivery"
    READY_FOR_PICKUP = "ready_for_pickup"
    DELIVERED = "delivered"
    """Or picked up."""
    FAILED = "failed"
    """The carrier could not deliver it."""
    CANCELLED = "cancelled"
    """It never left the shop."""


_BY_CARRIER = {
    "carrier_picked_up": ParcelStatus.IN_TRANSIT,
    "in_transit": ParcelStatus.IN_TRANSIT,
    "delayed": ParcelStatus.DELAYED,
    "out_for_delivery": ParcelStatus.OUT_FOR_DELIVERY,
    "attempted_delivery": ParcelStatus.ATTEMPTED_DELIVERY,
    "ready_for_pickup": ParcelStatus.READY_FOR_PICKUP,
    "ready_for_recipient_pickup": ParcelStatus.READY_FOR_PICKUP,
    "picked_up": ParcelStatus.DELIVERED,
    "delivered": ParcelStatus.DELIVERED,
    "failure": ParcelStatus.FAILED,
    "returning_to_sender": ParcelStatus.FAILED,
}
"""The rest (label_printed, label_purchased, confirmed and what is new) says no more than that it was handed over.
https://shopify.dev/docs/api/customer/latest/enums/FulfillmentEventStatus"""

EVENT_STATUSES = frozenset({*_BY_CARRIER.values(), ParcelStatus.SHIPPED})
"""What a carrier's event can say: all but what only the shop knows."""

_BY_SHOP = {
    "pending": ParcelStatus.PREPARING,
    "open": ParcelStatus.PREPARING,
    "cancelled": ParcelStatus.CANCELLED,
    # The request to the fulfilment service failed: nothing was sent.
    "error": ParcelStatus.CANCELLED,
    "failure": ParcelStatus.CANCELLED,
}
"""https://shopify.dev/docs/api/admin-graphql/latest/enums/FulfillmentStatus"""

_GENERAL = frozenset({ParcelStatus.PREPARING, ParcelStatus.SHIPPED})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_STATUSES = list(ParcelStatus)


class Parcel(Value):
    """One parcel of an order."""

    fulfillment_id: int
    status: ParcelStatus
    company: str | None = None
    """The carrier: "DHL"."""
    number: str | None = None
    """The tracking number; the first one where there are several."""
    url: str | None = None
    """Where the carrier shows the parcel."""
    estimated_delivery: datetime | None = None
    """When the carrier expects to deliver it."""
    status_at: datetime | None = None
    tracked_at: datetime | None = None
    estimated_at: datetime | None = None
    """When the shop or the carrier said so; None where that is not known, which everything else overrules."""

    @classmethod
    def of_fulfillment(cls, fulfillment: Fulfillment) -> Self | None:
        """Say what a fulfilment tells of its parcel; None where it has no id."""
        if fulfillment.id is None:
            return None
        tracking = (fulfillment.tracking_company, fulfillment.tracking_number, fulfillment.tracking_url)
        carrier = _BY_CARRIER.get(fulfillment.shipment_status or "")
        status = _BY_SHOP.get(fulfillment.status or "", ParcelStatus.SHIPPED)
        if status is not ParcelStatus.CANCELLED and carrier is not None:
            status = carrier
        return cls(
            fulfillment_id=fulfillment.id,
            status=status,
            status_at=fulfillment.updated_at,
            company=tracking[0],
            number=tracking[1],
            url=tracking[2],
            tracked_at=fulfillment.updated_at if any(tracking) else None,
        )

    @classmethod
    def of_event(cls, event: FulfillmentEvent) -> Self | None:
        """Say what a carrier's event tells of its parcel; None where it names none."""
        if event.fulfillment_id is None:
            return None
        return cls(
            fulfillment_id=event.fulfillment_id,
            status=_BY_CARRIER.get(event.status or "", ParcelStatus.SHIPPED),
            status_at=event.happened_at,
            estimated_delivery=event.estimated_delivery_at,
            estimated_at=event.happened_at if event.estimated_delivery_at else None,
        )

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> Self | None:
        """Read what `as_json` wrote; None for anything else."""
        number, status = fields.get("fulfillment_id"), fields.get("status")
        if not isinstance(number, str) or not (number.isascii() and number.isdigit()) or status not in _STATUSES:
            return None
        return cls(
            fulfillment_id=int(number),
            status=ParcelStatus(str(status)),
            company=read_text(fields.get("company")),
            number=read_text(fields.get("number")),
            url=read_text(fields.get("url")),
            estimated_delivery=read_moment(fields.get("estimated_delivery")),
            status_at=read_moment(fields.get("status_at")),
            tracked_at=read_moment(fields.get("tracked_at")),
            estimated_at=read_moment(fields.get("estimated_at")),
        )

    def as_json(self) -> dict[str, str | None]:
        """Give the entry under `tracking` in the order's reference."""
        return {
            # Text, because the ids pass 2^53 and the other parts of a bot may be written in JavaScript.
            "fulfillment_id": str(self.fulfillment_id),
            "status": self.status.value,
            "company": self.company,
            "number": self.number,
            "url": self.url,
            "estimated_delivery": _written(self.estimated_delivery),
            "status_at": _written(self.status_at),
            "tracked_at": _written(self.tracked_at),
            "estimated_at": _written(self.estimated_at),
        }

    def joined(self, other: Self) -> Self:
        """Put two pieces of news of the same parcel together: of each kind the latest, whichever came first.

        That a parcel was handed over never takes back what its carrier said since.
        """
        status = max(self, other, key=_status_rank)
        tracking = max(self, other, key=_tracking_rank)
        estimate = max(self, other, key=_estimate_rank)
        return self.model_copy(
            update={
                "status": status.status,
                "status_at": status.status_at,
                "company": tracking.company,
                "number": tracking.number,
                "url": tracking.url,
                "tracked_at": tracking.tracked_at,
                "estimated_delivery": estimate.estimated_delivery,
                "estimated_at": estimate.estimated_at,
            }
        )


# What is equally old is ranked by its content, so that the order of arrival never decides.


def _status_rank(parcel: Parcel) -> tuple[object, ...]:
    return parcel.status not in _GENERAL, parcel.status_at or _LONG_AGO, _STATUSES.index(parcel.status)


def _tracking_rank(parcel: Parcel) -> tuple[object, ...]:
    values = (parcel.number or "", parcel.url or "", parcel.company or "")
    return any(values), parcel.tracked_at or _LONG_AGO, values


def _estimate_rank(parcel: Parcel) -> tuple[object, ...]:
    estimate = parcel.estimated_delivery
    return estimate is not None, parcel.estimated_at or _LONG_AGO, estimate or _LONG_AGO


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
