"""Whose event a body is."""

from __future__ import annotations

import json

import pytest

from shopbot.privacy.bodies import concerns, order_of
from shopbot.privacy.person import Person, Traces

PSID, ORDER, CUSTOMER, EMAIL = "7312345678901234", 830_517_264_905_318_211, 7_141_592_653, "Jane.Doe@example.com"


def a_person(*, whole: bool = True) -> Person:
    return Person(
        named_orders=frozenset({ORDER}),
        customer_id=CUSTOMER,
        email=EMAIL,
        whole=whole,
        traces=Traces(psids={PSID}),
    )


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("orders/paid", {"id": ORDER}),
        ("orders/delete", {"id": ORDER}),
        ("orders/paid", {"id": 5, "customer": {"id": CUSTOMER}}),
        ("orders/paid", {"id": 5, "email": "jane.doe@EXAMPLE.com"}),
        ("orders/paid", {"id": 5, "contact_email": EMAIL, "customer": None}),
        ("orders/paid", {"id": 5, "note_attributes": [{"name": "psid", "value": PSID}]}),
        ("orders/edited", {"order_edit": {"id": 8, "order_id": ORDER}}),
        ("fulfillments/create", {"id": 9, "order_id": ORDER}),
        ("refunds/create", {"id": 9, "order_id": str(ORDER)}),
        ("returns/request", {"order": {"admin_graphql_api_id": f"gid://shopify/Order/{ORDER}"}}),
        ("customers/update", {"id": 1, "email": EMAIL}),
        ("carts/update", {"customer_id": CUSTOMER}),
        ("messenger/message", {"sender": {"id": PSID}, "message": {"text": "hello"}}),
        ("messenger/echo", {"recipient": {"id": PSID}}),
    ],
)
def test_events_about_a_person(topic: str, payload: dict[str, object]) -> None:
    assert concerns(a_person(), topic, json.dumps(payload).encode())


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("orders/paid", {"id": 5, "email": "john@example.com", "customer": {"id": 6}}),
        ("orders/paid", {"id": ORDER * 10 + 1}),
        ("orders/paid", {"id": 5, "total_price": str(ORDER)}),
        ("orders/paid", {"id": 5, "line_items": [{"id": ORDER}]}),
        ("orders/paid", {"id": 5, "number": CUSTOMER, "customer": {"id": 6}}),
        ("fulfillments/create", {"id": ORDER, "order_id": 5}),
        ("messenger/message", {"sender": {"id": "42"}, "message": {"text": PSID}}),
        ("messenger/message", {"sender": {"id": "42"}, "message": {"text": EMAIL}}),
        ("messenger/message", {"sender": {"id": "42"}, "message": {"quick_reply": {"payload": f"ORDER:{ORDER}"}}}),
        ("orders/paid", []),
        ("orders/paid", None),
    ],
)
def test_events_about_others(topic: str, payload: object) -> None:
    """Also where an id of the person's stands in them by chance, or because somebody else wrote it."""
    assert not concerns(a_person(), topic, json.dumps(payload).encode())


def test_an_address_is_found_however_it_is_written() -> None:
    person = Person(email="jürgen@example.com")

    for address in (b"j\\u00fcrgen@example.com", "Jürgen@example.com".encode()):
        assert concerns(person, "orders/paid", b'{"id": 5, "email": "%s"}' % address)


def test_a_body_that_nobody_can_read_is_about_whom_it_mentions() -> None:
    assert concerns(a_person(), "orders/paid", b'{"id": %d, "na' % ORDER)
    assert concerns(a_person(), "messenger/unreadable", b"jane.doe@example.com \xff")
    assert not concerns(a_person(), "orders/paid", b'{"id": %d1, "name": "\\u00fc' % ORDER)


def test_what_is_asked_for_in_the_person_s_own_name_is_left_alone() -> None:
    """It has its own end: an erasure must not erase another request of the same customer that waits."""
    body = json.dumps({"customer": {"id": CUSTOMER, "email": EMAIL}, "orders_to_redact": [ORDER]}).encode()

    for topic in ("customers/redact", "customers/data_request", "shop/redact", "app/uninstalled"):
        assert not concerns(a_person(), topic, body)


def test_an_attribute_that_anybody_may_have_typed_is_no_reason_to_show_an_order() -> None:
    body = json.dumps({"id": 5, "email": "forger@example.com", "note_attributes": [{"value": PSID}]}).encode()

    assert concerns(a_person(), "orders/paid", body)
    assert not concerns(a_person(whole=False), "orders/paid", body)


@pytest.mark.parametrize(
    ("topic", "body", "order"),
    [
        ("orders/paid", b'{"id": 5}', 5),
        ("refunds/create", b'{"id": 9, "order_id": "5"}', 5),
        ("carts/update", b'{"id": 9}', None),
        ("orders/paid", b"[]", None),
        ("orders/paid", b"{", None),
    ],
)
def test_the_order_that_an_event_is_about(topic: str, body: bytes, order: int | None) -> None:
    assert order_of(topic, body) == order
