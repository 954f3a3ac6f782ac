"""What an event's body says, by what its topic promises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot.model.parcel import ParcelStatus
from shopbot.rules.news import ACT_TOPICS, NEWS_OF_ORDERS, SPOKEN_TOPICS, News, UnreadableError, read_json, read_news
from shopbot.testing.orders import order_body
from shopbot.testing.parcels import fulfillment_body, fulfillment_event_body, refund_body

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
PSID = "7312345678901234"
ORDERS = ("create", "paid", "updated", "cancelled", "fulfilled", "partially_fulfilled")


def test_which_topics_bring_news_of_an_order_and_which_are_a_shoppers_acts() -> None:
    assert {f"orders/{name}" for name in ORDERS} | {
        *("fulfillments/create", "fulfillments/update", "fulfillment_events/create", "refunds/create"),
    } == NEWS_OF_ORDERS
    assert {f"messenger/{act}" for act in ("message", "postback", "referral", "optin", "reaction")} == ACT_TOPICS
    assert {"messenger/message", "messenger/postback"} == SPOKEN_TOPICS


@pytest.mark.parametrize("topic", [f"orders/{name}" for name in ORDERS])
def test_news_of_an_order_brings_the_order(topic: str) -> None:
    body = order_body(order_id=1001, number=1234)
    news = read_news(topic, body)

    assert news.order is not None
    assert (news.order.id, news.order_id, news.order_name) == (1001, 1001, "#1234")
    assert news.payload is body
    assert (news.parcel, news.refund, news.sender) == (None, None, None)


@pytest.mark.parametrize("topic", ["fulfillments/create", "fulfillments/update"])
def test_a_fulfilment_brings_its_parcel_and_says_which_order_it_is_of(topic: str) -> None:
    body = fulfillment_body(order_id=1001, number=1234, at=AT)
    news = read_news(topic, body)

    assert news.parcel is not None
    assert (news.parcel.fulfillment_id, news.parcel.status) == (body["id"], ParcelStatus.SHIPPED)
    assert (news.order_id, news.order_name, news.order) == (1001, "#1234", None)


def test_an_orders_name_may_have_a_full_stop_in_it() -> None:
    body = fulfillment_body(order_id=1001, number=1234, at=AT, name="B.1234.2")

    assert read_news("fulfillments/create", body).order_name == "B.1234"


def test_a_carriers_event_brings_the_parcel_and_no_name() -> None:
    body = fulfillment_event_body(order_id=1001, status="delivered", at=AT)
    news = read_news("fulfillment_events/create", body)

    assert news.parcel is not None
    assert (news.parcel.status, news.order_id, news.order_name) == (ParcelStatus.DELIVERED, 1001, None)
    assert news.payload is body


def test_a_refund_says_which_order_it_is_of() -> None:
    body = refund_body(order_id=1001, at=AT)
    news = read_news("refunds/create", body)

    assert news.refund is not None
    assert (news.refund.id, news.order_id, news.payload) == (body["id"], 1001, body)


@pytest.mark.parametrize(
    ("topic", "payload", "missing"),
    [
        ("orders/paid", {}, "id"),
        ("orders/paid", [], "object"),
        ("fulfillments/create", {"id": 1}, "ids of a fulfilment and its order"),
        ("fulfillments/create", {"order_id": 1}, "ids of a fulfilment and its order"),
        ("fulfillments/update", None, "ids of a fulfilment and its order"),
        ("fulfillment_events/create", {"order_id": 1}, "ids of a fulfilment and its order"),
        ("fulfillment_events/create", {"fulfillment_id": 1}, "ids of a fulfilment and its order"),
        ("fulfillment_events/create", "text", "ids of a fulfilment and its order"),
        ("refunds/create", {"id": 1}, "'id' and 'order_id'"),
        ("refunds/create", {"order_id": 1}, "'id' and 'order_id'"),
        ("refunds/create", [1], "'id' and 'order_id'"),
    ],
)
def test_a_body_that_breaks_its_topics_promise_is_unreadable(topic: str, payload: object, missing: str) -> None:
    with pytest.raises(UnreadableError, match=missing):
        read_news(topic, payload)


@pytest.mark.parametrize("topic", ["orders/edited", "orders/delete", "products/update", "app/uninstalled"])
def test_other_topics_promise_nothing(topic: str) -> None:
    assert read_news(topic, {"id": "x"}) == News(payload={"id": "x"})
    assert read_news(topic, None) == News()


@pytest.mark.parametrize(
    ("act", "text", "tapped"),
    [
        ({"message": {"text": "Hello"}}, "Hello", None),
        ({"message": {"text": "Help", "quick_reply": {"payload": "HELP"}}}, "Help", "HELP"),
        ({"postback": {"title": "Where is it?", "payload": "ORDER_STATUS:1"}}, "Where is it?", "ORDER_STATUS:1"),
        ({"postback": {"title": "Where is it?"}}, "Where is it?", None),
        ({"message": {"attachments": []}}, None, None),
        ({"message": {"text": 7, "quick_reply": {"payload": {}}}}, None, None),
        ({"message": "Hello", "postback": ["x"]}, None, None),
        ({"referral": {"ref": "x"}}, None, None),
    ],
)
def test_an_act_in_messenger_says_who_wrote_or_tapped_what(
    act: Mapping[str, object], text: str | None, tapped: str | None
) -> None:
    payload = {"sender": {"id": PSID}, **act}

    for topic in ACT_TOPICS:
        assert read_news(topic, payload) == News(payload=payload, sender=PSID, text=text, tapped=tapped)


@pytest.mark.parametrize("sender", [None, {}, {"id": 7312345678901234}, {"id": "abc"}, {"id": ""}, "7312345678901234"])
def test_who_has_no_psid_is_nobody(sender: object) -> None:
    assert read_news("messenger/message", {"sender": sender}).sender is None


def test_any_payload_of_messenger_can_be_read() -> None:
    assert read_news("messenger/message", [1]) == News(payload=[1])


def test_a_body_is_json_or_unreadable() -> None:
    assert read_json(b'{"id": 1}') == {"id": 1}
    for body in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        with pytest.raises(UnreadableError, match="the body is not JSON"):
            read_json(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_a_body_means_what_json_says(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        body = text.encode(errors="surrogatepass")
        with suppress(UnicodeDecodeError):  # half surrogate pairs that are written as they are
            assert repr(read_json(body)) == repr(json.loads(body))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"note": "cut \\ud83d"}', id="a half of an emoji"),
        pytest.param(b"[" * 300 + b"]" * 300, id="deep"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark"),
        pytest.param(b'{"id": 1' + b"0" * 40 + b"}", id="a long number"),
    ],
)
def test_a_body_is_read_however_odd_its_json_is(body: bytes) -> None:
    assert read_json(body) == json.loads(body)
