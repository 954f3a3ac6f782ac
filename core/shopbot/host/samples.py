"""Made-up orders, parcels and refunds on which messages are tried before real ones come."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from shopbot.messages.message import About
from shopbot.messages.sandbox import TemplateError
from shopbot.model.event import Event, Source
from shopbot.model.fulfillment import Fulfillment
from shopbot.model.money import Money
from shopbot.model.order import Customer, LineItem, Order
from shopbot.model.order_reference import OrderReference
from shopbot.model.parcel import Parcel, ParcelStatus
from shopbot.model.refund import Refund
from shopbot.plugin import Shop
from shopbot.rules.attempt import Attempt
from shopbot.rules.news import ORDER_TOPICS, PARCEL_TOPICS, REFUND_TOPIC, News
from shopbot.rules.rule import Rule
from shopbot.rules.talk import MOST_ORDERS

_ORDERED_AT = datetime(2026, 2, 5, 9, 30, tzinfo=UTC)
_LINES = 25
_PARCELS = 5

# What the samples below are called, each in the order of its function.
ORDER_NAMES = ("everyday", "long", "bare")
PARCEL_NAMES = (*(status.value for status in ParcelStatus), "untracked")
REFERENCE_NAMES = ("everyday", "bare", *PARCEL_NAMES, "partial", "order_cancelled", "order_refunded", "long")
REFUND_NAMES = ("everyday", "bare")
LONGEST = frozenset({"long", "many"})
"""The samples that are as long as orders get, and not as they mostly are."""

_LONG_LAST_NAME = "von und zu Hohenstein-Wittelsbach"
_LONG_TITLE = "Hand-thrown stoneware breakfast bowl with a speckled glaze, made to order in our workshop"


class Sample(NamedTuple):
    """What a message may be about, and what people call it."""

    name: str
    about: About


def sample_event(topic: str = "orders/paid") -> Event:
    """Make the event that brings a sample order."""
    return Event(id="webhook:sample", topic=topic, source=Source.WEBHOOK, received_at=_ORDERED_AT, body=b"{}")


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
                id=255858046,
                status="success",
                tracking_company="DHL",
                tracking_number="00340434161094042557",
                tracking_url="https://www.dhl.com/track?id=00340434161094042557",
            ),
        ),
    )
    long_line = LineItem(title=_LONG_TITLE, quantity=3, price=Money(amount=Decimal("1234.50"), currency="EUR"))
    long = everyday.model_copy(
        update={
            "name": "#ACME-ONLINE-2026-0001234",
            "customer": Customer(id=115310627314723954, first_name="Maximiliana-Alexandra", last_name=_LONG_LAST_NAME),
            "total": Money(amount=Decimal("92587.50"), currency="EUR"),
            "line_items": (long_line,) * _LINES,
        }
    )
    bare = Order(id=820982911946154508, name="#1234", financial_status="paid", created_at=_ORDERED_AT)
    return (everyday, long, bare)


def sample_parcels() -> Sequence[Parcel]:
    """Make a parcel of each status, and one of which nobody knows where it is."""
    parcels = [
        Parcel(
            fulfillment_id=255858046,
            status=status,
            company="DHL",
            number="00340434161094042557",
            url="https://www.dhl.com/track?id=00340434161094042557",
            estimated_delivery=_ORDERED_AT + timedelta(days=3),
        )
        for status in ParcelStatus
    ]
    return (*parcels, Parcel(fulfillment_id=255858046, status=ParcelStatus.SHIPPED))


def sample_references(shop: Shop) -> Sequence[OrderReference]:
    """Make what is kept of an order in each of the states that it can be in, the everyday one first."""
    everyday, _, bare = sample_orders(shop)
    known = OrderReference.of(everyday.id, None).with_order(everyday.model_copy(update={"fulfillments": ()}))
    parcels = [known.model_copy(update={"parcels": (parcel,)}) for parcel in sample_parcels()]
    changes = (
        {"fulfillment_status": "partial"},
        {"cancelled_at": _ORDERED_AT},
        {"financial_status": "refunded"},
    )
    last = parcels[1].parcels[0]
    several = tuple(last.model_copy(update={"fulfillment_id": last.fulfillment_id + n}) for n in range(_PARCELS))
    return (
        known,
        OrderReference.of(bare.id, None).with_order(bare),
        *parcels,
        *(parcels[1].model_copy(update=change) for change in changes),
        known.model_copy(update={"parcels": several}),
    )


def sample_choice(shop: Shop, count: int = 3) -> Sequence[OrderReference]:
    """Make several orders of one shopper, the newest first."""
    newest = sample_references(shop)[0]
    changes = (
        {
            "order_id": newest.order_id - number,
            "number": f"#{1234 - 7 * number}",
            "created_at": _ORDERED_AT - timedelta(days=9 * number),
        }
        for number in range(count)
    )
    return [newest.model_copy(update=change) for change in changes]


def sample_refunds() -> Sequence[Refund]:
    """Make a refund, and one whose amount is not known."""
    amount = Money(amount=Decimal("42.50"), currency="EUR")
    return (Refund(id=1, order_id=820982911946154508, amount=amount), Refund(id=2, order_id=820982911946154508))


def sample_situations(shop: Shop, rule: Rule | None, found: Sequence[str]) -> Sequence[About]:
    """Make what a message may be about when a rule sends it.

    rule: None for a message that no rule sends: it is taken to be about an order.
    found: how many orders `find_orders` may have found: `one`, `several`, `none`.
    """
    return [sample.about for sample in named_samples(shop, rule, found)]


def named_samples(shop: Shop, rule: Rule | None, found: Sequence[str]) -> Sequence[Sample]:
    """Do as `sample_situations`, with names; those of different topics may have the same."""
    if rule is None:
        return _named(ORDER_NAMES, (About(sample_event(), order=order) for order in sample_orders(shop)))
    possible = list(_situations(shop, rule, found)) or named_samples(shop, None, found)
    # Made-up values need not fulfil a rule's `if:`; if none do, all must be bearable.
    return [sample for sample in possible if _holds(rule, sample.about)] or possible


def _named(names: Iterable[str], situations: Iterable[About]) -> list[Sample]:
    return [Sample(name, about) for name, about in zip(names, situations, strict=True)]


def _situations(shop: Shop, rule: Rule, found: Sequence[str]) -> Iterator[Sample]:
    """Make what events of the rule's topics may be about, as far as its steps can find a shopper for them."""
    steps = {step.name for step in rule.steps}
    updated = sample_references(shop)[:1] if "update_order_reference" in steps else ()
    wanted = rule.filters.parcel_status
    for topic in sorted(rule.topics):
        event = sample_event(topic)
        if topic in ORDER_TOPICS and wanted is None:
            orders = sample_orders(shop)
            yield from _named(ORDER_NAMES, (About(event, order=order, orders=updated) for order in orders))
        if rule.filters.about_orders:
            continue
        if topic in PARCEL_TOPICS:
            parcels = zip(PARCEL_NAMES, sample_parcels(), strict=True)
            for name, parcel in parcels:
                if wanted is None or parcel.status in wanted:
                    yield Sample(name, About(event, parcel=parcel, orders=updated))
        elif topic == REFUND_TOPIC:
            refunds = sample_refunds()
            yield from _named(REFUND_NAMES, (About(event, refund=refund, orders=updated) for refund in refunds))
        elif topic.startswith("messenger/"):
            yield from _answers(event, shop, found if "find_orders" in steps else ("none",))


def _answers(event: Event, shop: Shop, found: Sequence[str]) -> Iterator[Sample]:
    if "one" in found:
        references = sample_references(shop)
        yield from _named(REFERENCE_NAMES, (About(event, orders=(reference,)) for reference in references))
    if "several" in found:
        yield Sample("several", About(event, orders=sample_choice(shop)))
        yield Sample("many", About(event, orders=sample_choice(shop, MOST_ORDERS)))
    if "none" in found:
        yield Sample("no_order", About(event))


def _holds(rule: Rule, about: About) -> bool:
    if rule.condition is None:
        return True
    news = News(order=about.order, parcel=about.parcel, refund=about.refund)
    attempt = Attempt(event=about.event, number=1, earlier=(), clock=lambda: about.event.received_at, news=news)
    try:
        return rule.condition.evaluate(attempt.context())
    except TemplateError:
        return False
