"""Made-up orders on which messages are tried before a real order comes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shopbot.model.event import Event, Source
from shopbot.model.fulfillment import Fulfillment
from shopbot.model.money import Money
from shopbot.model.order import Customer, LineItem, Order
from shopbot.plugin import Shop

_ORDERED_AT = datetime(2026, 2, 5, 9, 30, tzinfo=UTC)
_LINES = 25
_LONG_TITLE = "Hand-thrown stoneware breakfast bowl with a speckled glaze, made to order in our workshop"


def sample_event() -> Event:
    """Make the event that brings a sample order."""
    return Event(id="webhook:sample", topic="orders/paid", source=Source.WEBHOOK, received_at=_ORDERED_AT, body=b"{}")


def sample_orders(shop: Shop) -> Sequence[Order]:
    """Make an everyday order, a long one, and one with as little in it as Shopify may send."""
    everyday = Order(
        id=820982911946154508,
        name="#1234",
        order_number=1234,
        financial_status="paid",
        customer=Customer(id=115310627314723954, first_name="Ada", last_name="Lovelace"),
        customer_locale=shop.locale.replace("_", "-"),
        email="ada@example.com",
        total=Money(amount=Decimal("42.50"), currency="EUR"),
        created_at=_ORDERED_AT,
        processed_at=_ORDERED_AT,
        updated_at=_ORDERED_AT + timedelta(seconds=5),
        line_items=(LineItem(title="Mug", quantity=2, price=Money(amount=Decimal("21.25"), currency="EUR")),),
        fulfillments=(
            Fulfillment(
                status="success",
                tracking_company="DHL",
                tracking_number="00340434161094042557",
                tracking_url="https://www.dhl.com/track?id=00340434161094042557",
            ),
        ),
    )
    long_line = LineItem(title=_LONG_TITLE, quantity=3, price=Money(amount=Decimal("1234.50"), currency="EUR"))
    long = everyday.model_copy(update={"line_items": (long_line,) * _LINES})
    bare = Order(id=820982911946154508, name="#1234", financial_status="paid", created_at=_ORDERED_AT)
    return (everyday, long, bare)
