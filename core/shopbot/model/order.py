"""A Shopify order, read from a webhook body or an Admin API node, whatever fields are missing.

Field names follow Shopify's REST order resource, the shape of order webhooks:
https://shopify.dev/docs/api/admin-rest/latest/resources/order. Every key but `id` may be missing or null:
subscriptions with `include_fields`, protected customer data and draft orders all leave some out.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shopbot.model.base import Value
from shopbot.model.fulfillment import Fulfillment
from shopbot.model.money import Money
from shopbot.model.payload import read_integer, read_mappings, read_moment, read_state, read_text


class UnreadableOrderError(ValueError):
    """The body is not an order: no mapping, or no integer `id`."""


class Attribute(Value):
    """A cart attribute as the order carries it. Anyone who can open the cart can edit it."""

    name: str
    value: str


class Customer(Value):
    """The buyer, as far as the shop may know."""

    id: int | None = None
    first_name: str | None = None
    last_name: str | None = None


class LineItem(Value):
    """One line of the order."""

    title: str
    variant_title: str | None = None
    quantity: int = 1
    price: Money | None = None
    sku: str | None = None
    variant_id: int | None = None


class Order(Value):
    """What rules, steps, resolvers and templates see of an order."""

    id: int
    """64-bit and above 2^53 in practice: never a float."""
    name: str = ""
    """`#1001` with the shop's prefix and suffix: what to show to people."""
    order_number: int | None = None
    token: str | None = None
    checkout_token: str | None = None
    cart_token: str | None = None
    """None for draft, POS and API orders, and for some express wallets."""
    note_attributes: tuple[Attribute, ...] = ()
    """Cart attributes as webhooks spell them: `[{name, value}]`."""
    attributes: tuple[Attribute, ...] = ()
    """Cart attributes as the GraphQL APIs spell them: `attributes` or `customAttributes`, `[{key, value}]`."""
    landing_site: str | None = None
    source_name: str | None = None
    financial_status: str | None = None
    """One of pending, authorized, partially_paid, paid, partially_refunded, refunded, voided, expired."""
    fulfillment_status: str | None = None
    email: str | None = None
    phone: str | None = None
    customer: Customer | None = None
    customer_locale: str | None = None
    total: Money | None = None
    """The order's current total in the buyer's currency, where Shopify says it; else in the shop's."""
    created_at: datetime | None = None
    processed_at: datetime | None = None
    updated_at: datetime | None = None
    cancelled_at: datetime | None = None
    test: bool = False
    line_items: tuple[LineItem, ...] = ()
    fulfillments: tuple[Fulfillment, ...] = ()

    @property
    def cancelled(self) -> bool:
        """Whether the order was cancelled."""
        return self.cancelled_at is not None

    @property
    def ordered_at(self) -> datetime | None:
        """When the shopper ordered, for estimates: the creation time, else the processing time."""
        return self.created_at or self.processed_at

    @classmethod
    def from_payload(cls, payload: object) -> "Order":
        """Read a webhook body (REST shape).

        A malformed optional field counts as missing: a shopper's confirmation must not fail on a
        field that nobody reads.

        Raises:
            UnreadableOrderError: the payload is no mapping, or has no integer `id`.
        """
        if not isinstance(payload, Mapping):
            raise UnreadableOrderError(f"expected an order object, got {type(payload).__name__}")
        order_id = read_integer(payload.get("id"))
        if order_id is None:
            raise UnreadableOrderError("the order has no integer 'id'")
        return cls(
            id=order_id,
            name=read_text(payload.get("name")) or f"#{read_integer(payload.get('order_number')) or order_id}",
            order_number=read_integer(payload.get("order_number")),
            token=read_text(payload.get("token")),
            checkout_token=read_text(payload.get("checkout_token")),
            cart_token=read_text(payload.get("cart_token")),
            note_attributes=read_attributes(payload.get("note_attributes"), "name"),
            attributes=read_attributes(payload.get("attributes"), "key")
            + read_attributes(payload.get("customAttributes"), "key"),
            landing_site=read_text(payload.get("landing_site")),
            source_name=read_text(payload.get("source_name")),
            financial_status=read_state(payload.get("financial_status")),
            fulfillment_status=read_state(payload.get("fulfillment_status")),
            email=read_text(payload.get("email")) or read_text(payload.get("contact_email")),
            phone=read_text(payload.get("phone")),
            customer=_customer(payload.get("customer")),
            customer_locale=read_text(payload.get("customer_locale")),
            total=_total(payload),
            created_at=read_moment(payload.get("created_at")),
            processed_at=read_moment(payload.get("processed_at")),
            updated_at=read_moment(payload.get("updated_at")),
            # A time that cannot be read still says that the order was cancelled: never confirm it.
            cancelled_at=read_moment(payload.get("cancelled_at"))
            or (datetime.fromtimestamp(0, UTC) if payload.get("cancelled_at") else None),
            test=payload.get("test") is True,
            line_items=tuple(_line(item, payload) for item in read_mappings(payload.get("line_items"))),
            fulfillments=tuple(Fulfillment.from_payload(item) for item in read_mappings(payload.get("fulfillments"))),
        )


def read_attributes(value: object, name_key: str) -> tuple[Attribute, ...]:
    """Read a list of attributes; an entry without a name, or whose value is neither text nor number, is left out."""
    found: list[Attribute] = []
    for item in read_mappings(value):
        name, text = item.get(name_key), item.get("value")
        if isinstance(name, str) and isinstance(text, str | int) and not isinstance(text, bool):
            found.append(Attribute(name=read_text(name) or "", value=read_text(str(text)) or ""))
    return tuple(found)


def _customer(value: object) -> Customer | None:
    if not isinstance(value, Mapping):
        return None
    return Customer(
        id=read_integer(value.get("id")),
        first_name=read_text(value.get("first_name")),
        last_name=read_text(value.get("last_name")),
    )


def _presentment(value: object) -> Money | None:
    """Read the buyer's side of a `*_set` field: `{presentment_money: {amount, currency_code}}`."""
    money = value.get("presentment_money") if isinstance(value, Mapping) else None
    if not isinstance(money, Mapping):
        return None
    return Money.parse(money.get("amount"), money.get("currency_code"))


def _total(payload: Mapping[str, Any]) -> Money | None:
    for name in ("current_total_price", "total_price"):
        money = _presentment(payload.get(f"{name}_set")) or Money.parse(payload.get(name), payload.get("currency"))
        if money is not None:
            return money
    return None


def _line(item: Mapping[str, Any], order: Mapping[str, Any]) -> LineItem:
    quantity = read_integer(item.get("current_quantity"))
    return LineItem(
        title=read_text(item.get("title")) or read_text(item.get("name")) or "",
        variant_title=read_text(item.get("variant_title")),
        quantity=quantity if quantity is not None else read_integer(item.get("quantity")) or 1,
        price=_presentment(item.get("price_set")) or Money.parse(item.get("price"), order.get("currency")),
        sku=read_text(item.get("sku")),
        variant_id=read_integer(item.get("variant_id")),
    )
