from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot.model.fulfillment import Fulfillment, FulfillmentEvent
from shopbot.model.money import Money
from shopbot.model.order import Order
from shopbot.model.order_reference import OrderReference, OrderStatus
from shopbot.model.parcel import Parcel, ParcelStatus
from shopbot.model.refund import Refund

ORDER_ID = 830_517_264_905_318_211
PSID = "7312345678901234"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EMPTY = OrderReference.of(ORDER_ID, PSID)

Change = Callable[[OrderReference], OrderReference]


def parcel(status: ParcelStatus, fulfillment_id: int = 1) -> Parcel:
    return Parcel(fulfillment_id=fulfillment_id, status=status)


def an_order(**changes: object) -> Order:
    fields = {"id": ORDER_ID, "name": "#1234", "financial_status": "paid", "created_at": NOON, "updated_at": NOON}
    return Order.model_validate(fields | changes)


moments = st.none() | st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours))
texts = st.none() | st.sampled_from(["DHL", "UPS"])
fulfillments = st.builds(
    Fulfillment,
    id=st.integers(1, 2),
    status=st.sampled_from([None, "open", "success", "cancelled", "failure"]),
    shipment_status=st.sampled_from([None, "label_printed", "in_transit", "delivered", "failure"]),
    tracking_company=texts,
    tracking_number=texts,
    updated_at=moments,
)
events = st.builds(
    FulfillmentEvent,
    fulfillment_id=st.integers(1, 2),
    status=st.sampled_from(["confirmed", "in_transit", "out_for_delivery", "delivered", "something_new"]),
    happened_at=moments,
    estimated_delivery_at=moments,
)
orders = st.builds(
    an_order,
    financial_status=st.sampled_from(["pending", "paid", "partially_refunded", "refunded"]),
    fulfillment_status=st.sampled_from([None, "partial", "fulfilled"]),
    # Of one second there is one state: what else could be true at the same time?
    updated_at=st.integers(1, 10**6).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    fulfillments=st.lists(fulfillments, max_size=2).map(tuple),
)
refunds = st.integers(1, 2).map(
    lambda number: Refund(id=number, order_id=ORDER_ID, amount=Money(amount=Decimal(number), currency="EUR"))
)
news: st.SearchStrategy[Change] = (
    fulfillments.map(lambda one: lambda known: known.with_parcel(Parcel.of_fulfillment(one) or parcel_of_none()))
    | events.map(lambda one: lambda known: known.with_parcel(Parcel.of_event(one) or parcel_of_none()))
    | refunds.map(lambda one: lambda known: known.with_refund(one))
)
field_names = st.sampled_from(["tracking", "refunds", "order_number", "status", "fulfillment_id", "refund_id"])


def parcel_of_none() -> Parcel:
    raise AssertionError("every piece of news has an id")


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """All that is said of one order."""
    states = draw(st.lists(orders, max_size=3, unique_by=lambda order: order.updated_at))
    changes: list[Change] = draw(st.lists(news, max_size=5))
    return changes + [lambda known, order=order: known.with_order(order) for order in states]


@given(st.data(), histories())
def test_news_in_any_order_and_any_number_of_times_give_the_same_reference(
    data: st.DataObject, changes: list[Change]
) -> None:
    """Shopify promises no order of delivery, and delivers again what was not answered in time."""
    first = reduce(lambda known, change: change(known), changes, EMPTY)
    shuffled = data.draw(st.permutations(changes + changes))
    second = reduce(lambda known, change: change(known), shuffled, EMPTY)

    assert first == second


@given(st.data(), histories())
def test_it_is_the_same_whatever_of_it_came_while_the_shopper_was_unknown(
    data: st.DataObject, changes: list[Change]
) -> None:
    changes = data.draw(st.permutations(changes))
    early = data.draw(st.integers(0, len(changes)))

    unresolved = reduce(lambda known, change: change(known), changes[:early], OrderReference.of(ORDER_ID, None))
    resolved = reduce(lambda known, change: change(known), changes[early:], EMPTY)

    assert resolved.with_news_of(unresolved) == reduce(lambda known, change: change(known), changes, EMPTY)


@given(st.lists(news, max_size=5), orders)
def test_a_reference_that_is_written_and_read_is_the_same(changes: list[Change], order: Order) -> None:
    reference = reduce(lambda known, change: change(known), changes, EMPTY.with_order(order))

    assert OrderReference.from_json(reference.as_json(), ORDER_ID, PSID) == reference


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(field_names, inner),
    )
)
def test_whatever_else_stands_there_is_read_as_a_reference_without_content(value: object) -> None:
    assert OrderReference.from_json(json.dumps(value), ORDER_ID, PSID).order_id == ORDER_ID


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ((), OrderStatus.PREPARING),
        ((ParcelStatus.PREPARING,), OrderStatus.PREPARING),
        ((ParcelStatus.CANCELLED,), OrderStatus.PREPARING),
        ((ParcelStatus.SHIPPED,), OrderStatus.SHIPPED),
        ((ParcelStatus.DELIVERED, ParcelStatus.IN_TRANSIT), OrderStatus.IN_TRANSIT),
        ((ParcelStatus.DELIVERED, ParcelStatus.PREPARING), OrderStatus.PARTLY_SHIPPED),
        ((ParcelStatus.DELIVERED, ParcelStatus.CANCELLED), OrderStatus.DELIVERED),
        ((ParcelStatus.DELIVERED, ParcelStatus.FAILED), OrderStatus.FAILED),
    ],
)
def test_the_parcel_that_is_farthest_behind_says_where_the_order_is(
    statuses: tuple[ParcelStatus, ...], status: OrderStatus
) -> None:
    reference = EMPTY.model_copy(update={"parcels": tuple(parcel(one, n) for n, one in enumerate(statuses))})

    assert reference.status is status


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"cancelled_at": NOON}, OrderStatus.CANCELLED),
        ({"financial_status": "voided"}, OrderStatus.CANCELLED),
        ({"financial_status": "refunded"}, OrderStatus.REFUNDED),
        ({"financial_status": "partially_refunded", "fulfillment_status": "fulfilled"}, OrderStatus.SHIPPED),
        ({"fulfillment_status": "partial"}, OrderStatus.PREPARING),
    ],
)
def test_the_order_itself_can_say_how_it_stands(changes: dict[str, object], status: OrderStatus) -> None:
    assert EMPTY.with_order(an_order(**changes)).status is status


def test_half_an_order_on_its_way_is_not_an_order_on_its_way() -> None:
    reference = EMPTY.with_order(an_order(fulfillment_status="partial")).with_parcel(parcel(ParcelStatus.DELIVERED))

    assert reference.status is OrderStatus.PARTLY_SHIPPED


def test_an_older_state_of_the_order_changes_nothing() -> None:
    later = EMPTY.with_order(an_order(financial_status="refunded", updated_at=NOON + timedelta(minutes=1)))

    assert later.with_order(an_order(financial_status="paid")) == later


def test_of_two_states_of_the_same_second_the_one_farther_on_counts() -> None:
    paid, pending = an_order(financial_status="paid"), an_order(financial_status="pending")

    assert EMPTY.with_order(paid).with_order(pending).financial_status == "paid"
    assert EMPTY.with_order(pending).with_order(paid).financial_status == "paid"


def test_that_it_was_handed_over_does_not_take_back_what_the_carrier_said() -> None:
    said = FulfillmentEvent(fulfillment_id=1, status="in_transit", happened_at=NOON)
    edited = Fulfillment(id=1, status="success", tracking_number="0035", updated_at=NOON + timedelta(hours=1))
    first, second = Parcel.of_event(said), Parcel.of_fulfillment(edited)
    assert first is not None
    assert second is not None

    joined = first.joined(second)

    assert (joined.status, joined.number) == (ParcelStatus.IN_TRANSIT, "0035")


def test_only_parcels_that_left_and_can_be_followed_count_as_tracked() -> None:
    reference = EMPTY.model_copy(
        update={
            "parcels": (
                Parcel(fulfillment_id=1, status=ParcelStatus.SHIPPED, number="1"),
                Parcel(fulfillment_id=2, status=ParcelStatus.SHIPPED),
                Parcel(fulfillment_id=3, status=ParcelStatus.CANCELLED, number="3"),
            )
        }
    )

    assert [one.fulfillment_id for one in reference.tracked] == [1]


def test_the_last_parcel_decides_when_the_order_is_expected() -> None:
    parcels = tuple(
        Parcel(
            fulfillment_id=day, status=ParcelStatus.IN_TRANSIT, estimated_delivery=datetime(2026, 2, day, tzinfo=UTC)
        )
        for day in (10, 12, 11)
    )

    assert EMPTY.model_copy(update={"parcels": parcels}).expected_by_carrier == date(2026, 2, 12)
