"""What a rule says of an event: which filter keeps it out, what it lacks, and what its message is sent for, once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from shopbot.model.event import Event, Source
from shopbot.model.order import Order
from shopbot.model.outcome import Outcome
from shopbot.model.parcel import ParcelStatus
from shopbot.model.reason import Reason
from shopbot.rules.news import News, read_news
from shopbot.rules.phrases import Phrases
from shopbot.rules.rule import Filters, OncePer, Rule, Step
from shopbot.testing.orders import cancelled_order, fulfilled_order, order_body
from shopbot.testing.parcels import fulfillment_event_body, refund_body

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
ORDER = News(order=Order.from_payload(order_body(order_id=1001)), order_id=1001)
DELIVERED = read_news("fulfillment_events/create", fulfillment_event_body(order_id=1001, status="delivered", at=AT))
REFUND = read_news("refunds/create", refund_body(order_id=1001, at=AT))
NOTHING = News()
ASKING = Filters(phrases=Phrases({"en": ["my order"], "": ["#[0-9]+"]}), payloads=("ORDER_STATUS", "HELP"))


def an_order(**fields: Any) -> News:  # noqa: ANN401 - any field of the order
    return News(order=Order.from_payload(order_body(**fields)))


@pytest.mark.parametrize(
    ("filters", "news", "outcome"),
    [
        (Filters(), NOTHING, None),
        (Filters(), ORDER, None),
        (Filters(financial_status=("paid", "refunded")), ORDER, None),
        (
            Filters(financial_status=("paid",)),
            an_order(financial_status="pending"),
            Outcome.skipped(Reason.NOT_PAID, "the financial status is pending"),
        ),
        (Filters(financial_status=()), ORDER, Outcome.skipped(Reason.NOT_PAID, "the financial status is paid")),
        (Filters(cancelled=False), ORDER, None),
        (Filters(cancelled=True), ORDER, Outcome.skipped(Reason.CANCELLED, "the order is not cancelled")),
        (Filters(cancelled=True), News(order=Order.from_payload(cancelled_order())), None),
        (
            Filters(cancelled=False),
            News(order=Order.from_payload(cancelled_order())),
            Outcome.skipped(Reason.CANCELLED, "the order is cancelled"),
        ),
        (Filters(test=False), ORDER, None),
        (Filters(test=True), ORDER, Outcome.skipped(Reason.TEST_ORDER, "it is a real order")),
        (Filters(test=True), an_order(test=True), None),
        (Filters(test=False), an_order(test=True), Outcome.skipped(Reason.TEST_ORDER, "it is a test order")),
        (Filters(fulfillment_status=("unfulfilled",)), ORDER, None),
        (Filters(fulfillment_status=("fulfilled",)), News(order=Order.from_payload(fulfilled_order())), None),
        (
            Filters(fulfillment_status=("fulfilled",)),
            ORDER,
            Outcome.skipped(Reason.FILTERED, "fulfillment_status is unfulfilled"),
        ),
        (Filters(source_name=("web", "pos")), ORDER, None),
        (Filters(source_name=("pos",)), ORDER, Outcome.skipped(Reason.FILTERED, "source_name is web")),
        (Filters(parcel_status=(ParcelStatus.DELIVERED,)), DELIVERED, None),
        (
            Filters(parcel_status=(ParcelStatus.DELAYED, ParcelStatus.FAILED)),
            DELIVERED,
            Outcome.skipped(Reason.FILTERED, "the parcel is delivered"),
        ),
        (Filters(parcel_status=(ParcelStatus.DELIVERED,)), ORDER, Outcome.skipped(Reason.NO_FULFILLMENT)),
        (Filters(parcel_status=(ParcelStatus.DELIVERED,), test=False), DELIVERED, Outcome.skipped(Reason.NO_ORDER)),
    ],
)
def test_an_event_passes_or_the_first_filter_that_keeps_it_out_is_named(
    filters: Filters, news: News, outcome: Outcome | None
) -> None:
    assert filters.mismatch(news) == outcome


@pytest.mark.parametrize(
    "filters",
    [
        Filters(financial_status=("paid",)),
        Filters(fulfillment_status=("unfulfilled",)),
        Filters(source_name=("web",)),
        Filters(cancelled=False),
        Filters(test=False),
    ],
)
def test_what_brings_no_order_passes_no_filter_on_orders(filters: Filters) -> None:
    assert filters.mismatch(NOTHING) == Outcome.skipped(Reason.NO_ORDER)
    assert filters.about_orders
    assert not filters.asks


def test_filters_on_other_things_need_no_order() -> None:
    assert not Filters(parcel_status=(ParcelStatus.DELIVERED,)).about_orders
    assert not ASKING.about_orders
    assert ASKING.asks
    assert Filters(payloads=()).asks


@pytest.mark.parametrize(
    ("news", "asked", "language", "tapped"),
    [
        (News(text="Where is my order?"), True, "en", None),
        (News(text="#1001"), True, None, None),
        (News(text="Hello"), False, None, None),
        (News(text=""), False, None, None),
        (News(tapped="ORDER_STATUS"), True, None, ""),
        (News(tapped="ORDER_STATUS:1001"), True, None, "1001"),
        (News(tapped="ORDER_STATUS:1001:2"), True, None, "1001:2"),
        (News(tapped="HELP:"), True, None, ""),
        (News(tapped="ORDER_STATUSES"), False, None, None),
        (News(tapped="MY_ORDER_STATUS"), False, None, None),
        (News(text="my order", tapped="OTHER"), True, "en", None),
        (News(text="Status", tapped="HELP"), True, None, ""),
        (NOTHING, False, None, None),
        (ORDER, False, None, None),
    ],
)
def test_a_shopper_asks_by_a_phrase_or_by_a_tap(
    news: News,
    asked: bool,  # noqa: FBT001 - a column of the table
    language: str | None,
    tapped: str | None,
) -> None:
    assert ASKING.mismatch(news) == (
        None if asked else Outcome.skipped(Reason.FILTERED, "neither the text nor what was tapped matches")
    )
    assert ASKING.language(news) == language
    assert ASKING.tapped(news) == tapped


def test_without_phrases_no_text_asks_and_without_payloads_no_tap() -> None:
    payloads, phrases = Filters(payloads=("HELP",)), Filters(phrases=Phrases({"en": ["help"]}))

    assert payloads.mismatch(News(text="help")) is not None
    assert payloads.language(News(text="help")) is None
    assert phrases.mismatch(News(tapped="HELP")) is not None
    assert phrases.tapped(News(tapped="HELP")) is None


def a_rule(once_per: OncePer) -> Rule:
    return Rule(name="r", topics=frozenset(), steps=(), once_per=once_per)


@pytest.mark.parametrize(
    ("once_per", "news", "missing", "subject"),
    [
        ("order", ORDER, None, "order:1001"),
        ("order", DELIVERED, None, "order:1001"),
        ("order", NOTHING, Reason.NO_ORDER, "event:webhook:1"),
        ("fulfillment", DELIVERED, None, f"fulfillment:{DELIVERED.parcel and DELIVERED.parcel.fulfillment_id}"),
        ("fulfillment", ORDER, Reason.NO_FULFILLMENT, "event:webhook:1"),
        ("refund", REFUND, None, f"refund:{REFUND.refund and REFUND.refund.id}"),
        ("refund", ORDER, Reason.NO_REFUND, "event:webhook:1"),
        ("event", ORDER, None, "event:webhook:1"),
        ("event", NOTHING, None, "event:webhook:1"),
        ("event", DELIVERED, None, "event:webhook:1"),
        ("event", REFUND, None, "event:webhook:1"),
        ("refund", DELIVERED, Reason.NO_REFUND, "event:webhook:1"),
        ("fulfillment", REFUND, Reason.NO_FULFILLMENT, "event:webhook:1"),
    ],
)
def test_a_message_is_sent_once_for_what_the_rule_says(
    once_per: str, news: News, missing: Reason | None, subject: str
) -> None:
    rule = a_rule(cast("OncePer", once_per))
    event = Event(id="webhook:1", topic="orders/paid", source=Source.WEBHOOK, body=b"{}", received_at=AT)
    lacks = rule.missing(news)

    assert (lacks and lacks.reason) == missing
    assert rule.subject(event, news) == subject
    assert rule.by_business_key == (once_per != "event")


def test_a_rule_is_for_each_event_where_it_does_not_say_otherwise_and_the_merchants_own() -> None:
    rule = Rule(name="r", topics=frozenset(), steps=(Step("1:send_message", "send_message"),))

    assert rule.once_per == "event"
    assert not rule.built_in
    assert rule.steps[0].ordinal == 1


def test_the_first_of_a_rules_messages_has_the_plain_key_and_the_others_a_number() -> None:
    """So that to rename a message cannot send it again."""
    rule = a_rule("order")
    event = Event(id="webhook:1", topic="orders/paid", source=Source.WEBHOOK, body=b"{}", received_at=AT)

    subjects = [rule.message_subject(event, ORDER, Step("3:send_message", "send_message", ordinal=n)) for n in (1, 2)]

    assert subjects == ["order:1001", "order:1001#2"]
