"""The samples by name: each is what its topic promises, and they belong together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shopbot.model.checkout import SeenCheckout
from shopbot.model.order import Order
from shopbot.rules.news import ORDER_TOPICS, read_news
from shopbot.testing.samples import SAMPLES, Circumstances, complete_order, order_id_of

PSID = "7312345678901234"
AT = datetime(2026, 2, 5, 9, 30, tzinfo=UTC)
ABOUT = Circumstances(at=AT, attributes={"psid": PSID})
WEBHOOKS = [name for name, sample in SAMPLES.items() if sample.build is not None]
ORDERS = [name for name, sample in SAMPLES.items() if sample.is_order]


def order(name: str, about: Circumstances = ABOUT) -> Order:
    return Order.from_payload(SAMPLES[name].body(about))


@pytest.mark.parametrize("name", WEBHOOKS)
def test_a_sample_is_what_its_topic_promises(name: str) -> None:
    sample = SAMPLES[name]
    body = sample.body(ABOUT)
    news = read_news(sample.topic, body)

    assert sample.is_order is (sample.topic in ORDER_TOPICS)
    if name == "checkout":
        assert SeenCheckout.from_payload(body) is not None
    else:
        assert news.order_id == order_id_of(1234)
    assert sample.summary.endswith(".")


@pytest.mark.parametrize("name", WEBHOOKS)
def test_the_number_says_which_order_it_is_about(name: str) -> None:
    sample = SAMPLES[name]

    first, second = sample.body(ABOUT), sample.body(Circumstances(at=AT, number=1235))

    key = "token" if name == "checkout" else "id" if sample.is_order else "order_id"
    assert first[key] != second[key]


def test_every_kind_of_order_is_there() -> None:
    orders = {name: order(name) for name in ORDERS}
    states = {name: (one.financial_status, one.cancelled, one.test) for name, one in orders.items()}

    assert states["paid_order"] == ("paid", False, False)
    assert states["pending_order"] == ("pending", False, False)
    assert states["cancelled_order"] == ("paid", True, False)
    assert states["test_order"] == ("paid", False, True)
    assert states["refunded_order"] == ("refunded", False, False)
    assert order("draft_order").source_name == "shopify_draft_order"
    assert [order(name).customer_locale for name in ("paid_order", "german_order", "arabic_order")] == [
        "en",
        "de",
        "ar",
    ]


def test_who_ordered_is_known_unless_the_sample_is_about_that() -> None:
    strangers = {name for name in ORDERS if not order(name).note_attributes}

    assert strangers == {"order_without_psid", "draft_order"}
    assert order("order_without_psid").checkout_token
    assert order("draft_order").checkout_token is None


def test_an_order_is_made_before_it_is_told_of() -> None:
    moments = [order(name) for name in ORDERS]

    assert {found.created_at for found in moments} == {AT - timedelta(seconds=10)}
    assert {found.updated_at for found in moments} == {AT}
    assert order("cancelled_order").cancelled_at == AT
    earlier = Circumstances(at=AT, ordered_at=AT - timedelta(days=2))
    assert order("paid_order", earlier).created_at == AT - timedelta(days=2)


def test_a_checkout_leads_to_its_order() -> None:
    seen = SeenCheckout.from_payload(SAMPLES["checkout"].body(ABOUT))
    paid = order("paid_order")

    assert seen is not None
    assert seen.token == paid.checkout_token
    assert seen.cart_token == paid.cart_token
    assert not seen.completed


def test_arguments_go_to_the_builder_of_an_order() -> None:
    body = SAMPLES["pending_order"].body(ABOUT, financial_status="paid", lines=[("Bowl", "5.00", 2)], shipping="0")

    assert (body["financial_status"], body["total_price"]) == ("paid", "10.00")


def test_what_a_shopper_does_has_no_body() -> None:
    with pytest.raises(ValueError, match="no webhook"):
        SAMPLES["hello"].body(ABOUT)


def test_in_the_complete_order_everything_is_filled_in_that_tells_a_type() -> None:
    complete = complete_order(ABOUT)

    assert set(complete) == set(SAMPLES["paid_order"].body(ABOUT))
    assert {key for key, value in complete.items() if value is None and not key.endswith("_set")} == {"payment_terms"}
