"""An order as its shopper can ask for it: what the store keeps of it, and what it comes to in one word.

Orders, fulfilments, carriers' events and refunds arrive in any order and more than once; the reference is the same
whatever that order was. A state that is older than the known one, by Shopify's `updated_at`, changes nothing.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Self

from pydantic import Field

from shopbot.model.base import Value
from shopbot.model.money import Money
from shopbot.model.order import Order
from shopbot.model.parcel import Parcel, ParcelStatus
from shopbot.model.payload import read_integer, read_mappings, read_moment, read_state, read_text
from shopbot.model.refund import Refund


class OrderStatus(StrEnum):
    """How an order stands, for its shopper."""

    PREPARING = "preparing"
    """Ordered, and nothing has left the shop yet."""
    PARTLY_SHIPPED = "partly_shipped"
    """Some of it is on its way or there, the rest is still in the shop."""
    SHIPPED = "shipped"
    IN_TRANSIT = "in_transit"
    DELAYED = "delayed"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPTED_DELIVERY = "attempted_delivery"
    READY_FOR_PICKUP = "ready_for_pickup"
    DELIVERED = "delivered"
    FAILED = "failed"
    """The carrier could not deliver it."""
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    """Paid back in full."""


_PAYMENT_RANKS = (
    *("pending", "authorized", "partially_paid", "paid", "partially_refunded", "refunded", "voided", "expired"),
)
"""Later states of a payment come later here: of two states of the same second the later one counts."""

_STATE = (
    *("number", "created_at", "financial_status", "fulfillment_status"),
    *("cancelled_at", "updated_at", "locale"),
)
"""What an order says of itself, all of one age."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class OrderReference(Value):
    """What is kept under `order_reference:{psid}:{order_id}`."""

    order_id: int
    number: str
    """`#1234`: what to show to people."""
    psid: str | None = Field(default=None, repr=False)
    """None while the shopper is not known."""
    created_at: datetime | None = None
    confirmed_at: datetime | None = None
    """When the confirmation was sent; None where it was not."""
    financial_status: str | None = None
    fulfillment_status: str | None = None
    cancelled_at: datetime | None = None
    updated_at: datetime | None = None
    """The age of the order's state above; None where nothing was said of it."""
    locale: str | None = None
    """The buyer's language, as the order has it: `de`, `pt-BR`."""
    parcels: tuple[Parcel, ...] = ()
    """By the ids of their fulfilments, which is the order in which they were made."""
    refunds: tuple[Refund, ...] = ()

    @property
    def status(self) -> OrderStatus:
        """Give the one word for where the order is; of several parcels the one that is farthest behind counts."""
        if self.cancelled_at is not None or self.financial_status == "voided":
            return OrderStatus.CANCELLED
        if self.financial_status == "refunded":
            return OrderStatus.REFUNDED
        statuses = {parcel.status for parcel in self.parcels} - {ParcelStatus.CANCELLED}
        if not statuses:
            return OrderStatus.SHIPPED if self.fulfillment_status == "fulfilled" else OrderStatus.PREPARING
        if statuses == {ParcelStatus.PREPARING}:
            return OrderStatus.PREPARING
        if ParcelStatus.FAILED in statuses:
            return OrderStatus.FAILED
        if self.fulfillment_status == "partial" or ParcelStatus.PREPARING in statuses:
            return OrderStatus.PARTLY_SHIPPED
        return OrderStatus(next(status for status in ParcelStatus if status in statuses).value)

    @property
    def tracked(self) -> tuple[Parcel, ...]:
        """Give the parcels that left the shop and have a number or a link by which they can be followed."""
        return tuple(
            parcel
            for parcel in self.parcels
            if parcel.status not in (ParcelStatus.CANCELLED, ParcelStatus.PREPARING) and (parcel.number or parcel.url)
        )

    @property
    def expected_by_carrier(self) -> date | None:
        """Give the day by which the carriers expect the last parcel, in their own time; None where they do not say."""
        moments = [parcel.estimated_delivery for parcel in self.parcels if parcel.estimated_delivery is not None]
        return max(moments).date() if moments else None

    @classmethod
    def of(cls, order_id: int, psid: str | None) -> Self:
        """Begin a reference of which no more is known yet."""
        return cls(order_id=order_id, number=f"#{order_id}", psid=psid)

    @classmethod
    def from_json(cls, text: bytes | str, order_id: int, psid: str | None) -> Self:
        """Read a reference; what another part of the bot may have written instead counts as nothing."""
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, Mapping):
            return cls.of(order_id, psid)
        parcels = (Parcel.from_json(entry) for entry in read_mappings(fields.get("tracking")))
        refunds = (_read_refund(entry, order_id) for entry in read_mappings(fields.get("refunds")))
        return cls(
            order_id=order_id,
            number=read_text(fields.get("order_number")) or f"#{order_id}",
            psid=psid,
            created_at=read_moment(fields.get("created_at")),
            confirmed_at=read_moment(fields.get("confirmed_at")),
            financial_status=read_state(fields.get("financial_status")),
            fulfillment_status=read_state(fields.get("fulfillment_status")),
            cancelled_at=read_moment(fields.get("cancelled_at")),
            updated_at=read_moment(fields.get("updated_at")),
            locale=read_text(fields.get("locale")),
            parcels=_joined(parcel for parcel in parcels if parcel is not None),
            refunds=_by_id(refund for refund in refunds if refund.id is not None),
        )

    def as_json(self) -> str:
        """Write the reference as the store keeps it."""
        return json.dumps(
            {
                # Text, because the ids pass 2^53 and the other parts of a bot may be written in JavaScript.
                "order_id": str(self.order_id),
                "order_number": self.number,
                "created_at": _written(self.created_at),
                "confirmed_at": _written(self.confirmed_at),
                "psid": self.psid,
                "financial_status": self.financial_status,
                "fulfillment_status": self.fulfillment_status,
                "cancelled_at": _written(self.cancelled_at),
                "updated_at": _written(self.updated_at),
                "locale": self.locale,
                "status": self.status.value,
                "tracking": [parcel.as_json() for parcel in self.parcels],
                "refunds": [_refund_json(refund) for refund in self.refunds],
            }
        )

    def with_order(self, order: Order) -> Self:
        """Take in a state of the order: its parcels in any case, the rest unless a later state is known."""
        parcels = (Parcel.of_fulfillment(fulfillment) for fulfillment in order.fulfillments)
        known = self.model_copy(
            update={"parcels": _joined((*self.parcels, *(parcel for parcel in parcels if parcel is not None)))}
        )
        if order.updated_at is not None and _age(order) < _age(self):
            return known
        return known.model_copy(
            update={
                "number": order.name or self.number,
                "created_at": order.created_at,
                "financial_status": order.financial_status,
                "fulfillment_status": order.fulfillment_status,
                "cancelled_at": order.cancelled_at,
                "updated_at": order.updated_at or self.updated_at,
                "locale": order.customer_locale,
            }
        )

    def with_parcel(self, parcel: Parcel, *, number: str | None = None) -> Self:
        """Take in news of a parcel.

        number: the order's name, where the news has it and nothing else is known of the order.
        """
        update: dict[str, object] = {"parcels": _joined((*self.parcels, parcel))}
        if number and self.number == f"#{self.order_id}":
            update["number"] = number
        return self.model_copy(update=update)

    def with_refund(self, refund: Refund) -> Self:
        """Take in a refund; one without an id is not kept."""
        if refund.id is None:
            return self
        return self.model_copy(update={"refunds": _by_id((*self.refunds, refund))})

    def with_news_of(self, other: "OrderReference") -> Self:
        """Take over what was kept while the shopper was not known: parcels, refunds, and the order's state if later."""
        later = other if other.updated_at is not None and _age(other) > _age(self) else self
        return self.model_copy(
            update={
                **{name: getattr(later, name) for name in _STATE},
                "parcels": _joined((*self.parcels, *other.parcels)),
                "refunds": _by_id((*self.refunds, *other.refunds)),
            }
        )


def _age(state: Order | OrderReference) -> tuple[datetime, bool, int, bool]:
    payment = state.financial_status
    return (
        state.updated_at or _LONG_AGO,
        state.cancelled_at is not None,
        _PAYMENT_RANKS.index(payment) if payment in _PAYMENT_RANKS else -1,
        state.fulfillment_status is not None,
    )


def _joined(parcels: Iterable[Parcel]) -> tuple[Parcel, ...]:
    found: dict[int, Parcel] = {}
    for parcel in parcels:
        known = found.get(parcel.fulfillment_id)
        found[parcel.fulfillment_id] = parcel if known is None else known.joined(parcel)
    return tuple(found[fulfillment_id] for fulfillment_id in sorted(found))


def _by_id(refunds: Iterable[Refund]) -> tuple[Refund, ...]:
    found = {refund.id: refund for refund in refunds if refund.id is not None}
    return tuple(found[refund_id] for refund_id in sorted(found))


def _read_refund(fields: Mapping[str, object], order_id: int) -> Refund:
    return Refund(
        id=read_integer(fields.get("refund_id")),
        order_id=order_id,
        amount=Money.parse(fields.get("amount"), fields.get("currency")),
        created_at=read_moment(fields.get("created_at")),
    )


def _refund_json(refund: Refund) -> dict[str, str | None]:
    return {
        "refund_id": str(refund.id),
        "amount": str(refund.amount.amount) if refund.amount else None,
        "currency": refund.amount.currency if refund.amount else None,
        "created_at": _written(refund.created_at),
    }


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
