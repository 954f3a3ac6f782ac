"""Anything that is signed is taken in and comes to an end: no answer of 5xx, no fault of the host's own, no lost task.

The platforms' real bodies with parts of them replaced, left out or turned into something else, and bodies that were
never any: what a new API version, a broken app or a person with the secret may send.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopbot.testing.orders import cancelled_order, paid_order, pending_order, refunded_order
from shopbot.testing.webhooks import messenger_headers
from support.conversation import APP_SECRET, fulfillment, fulfillment_event, refund, talking_shop
from support.fuzzed_shop import FuzzedShop

ORDER_ID = 830_517_264_905_318_211
PSID = "7312345678901234"
PAGE = "102290129340398"

BODIES: Mapping[str, Any] = {
    "orders/paid": paid_order(psid=PSID),
    "orders/create": pending_order(psid=PSID),
    "orders/updated": refunded_order(psid=PSID),
    "orders/cancelled": cancelled_order(psid=PSID),
    "fulfillments/create": fulfillment(ORDER_ID),
    "fulfillment_events/create": fulfillment_event(ORDER_ID, "delivered"),
    "refunds/create": refund(ORDER_ID),
    "checkouts/update": {"token": "0123456789abcdef", "cart_token": "c1-0123", "note_attributes": []},
    "orders/delete": {"id": ORDER_ID},
    "customers/redact": {"shop_id": 1, "customer": {"id": 2, "email": "a@example.com"}, "orders_to_redact": [ORDER_ID]},
    "app/uninstalled": {"id": 1, "name": "Acme"},
}
UPDATES: Mapping[str, Any] = {
    "message": {"mid": "m_1", "text": "Where\u2019s my order?", "quick_reply": {"payload": "ORDER_STATUS"}},
    "postback": {"mid": "m_2", "title": "Orders", "payload": "ORDER_STATUS:1", "referral": {"ref": "x"}},
    "referral": {"ref": "abc", "source": "SHORTLINK", "type": "OPEN_THREAD"},
    "optin": {"ref": "abc"},
    "reaction": {"mid": "m_3", "action": "react", "emoji": "😍"},
    "delivery": {"mids": ["m_1"], "watermark": 1},
    "read": {"watermark": 1},
    "echo": {"mid": "m_4", "is_echo": True, "metadata": "shopbot|order_confirmation:order:1|token", "text": "x"},
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.sampled_from(
        ["", "0", "-1", "1e400", "\u0000", "\ud83d", "paid", "🎉" * 50, PSID, "{{ 7 * 7 }}", "2026-02-30", "9999-12-31"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
changes = st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(["replace", "delete", "nest"]), values), max_size=4)


def changed(body: Any, steps: list[tuple[int, str, Any]]) -> Any:  # noqa: ANN401 - any JSON value
    """Change a copy of a body in several places."""
    whole = {"body": copy.deepcopy(body)}
    for number, what, value in steps:
        places = list(_places(whole))
        holder, key = places[number % len(places)]
        if what == "replace":
            holder[key] = value
        elif what == "nest":
            holder[key] = [holder[key], value]
        elif holder is not whole:
            del holder[key]
    return whole["body"]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - likewise
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from _places(value[key])


def as_bytes(value: object, *, escaped: bool) -> bytes:
    """Write JSON as one or the other platform would; half a surrogate pair can only be written escaped."""
    return json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedShop]:
    directory: Path = tmp_path_factory.mktemp("fuzzed")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        shop = FuzzedShop(runner, talking_shop(directory))
        yield shop
        shop.close()


many = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@many
@given(topic=st.sampled_from(sorted(BODIES)), steps=changes, escaped=st.booleans())
def test_orders_and_other_news_of_any_shape(
    fuzzed: FuzzedShop, topic: str, steps: list[tuple[int, str, Any]], *, escaped: bool
) -> None:
    fresh = BODIES[topic] | {"id": fuzzed.number()} if topic.startswith("orders/") else BODIES[topic]
    body = as_bytes(changed(fresh, steps), escaped=escaped)

    fuzzed.takes("/webhooks/shopify", body, fuzzed.shopify_headers(topic, body))


@many
@given(kind=st.sampled_from(sorted(UPDATES)), steps=changes, around=changes, escaped=st.booleans())
def test_acts_in_messenger_of_any_shape(
    fuzzed: FuzzedShop,
    kind: str,
    steps: list[tuple[int, str, Any]],
    around: list[tuple[int, str, Any]],
    *,
    escaped: bool,
) -> None:
    content = changed(UPDATES[kind] | {"mid": f"m_{fuzzed.number()}"}, steps)
    name = "message" if kind == "echo" else kind
    item = {"sender": {"id": PSID}, "recipient": {"id": PAGE}, "timestamp": 1_795_391_999_000, name: content}
    payload = {"object": "page", "entry": [{"id": PAGE, "time": 1_795_392_000_000, "messaging": [item]}]}
    body = as_bytes(changed(payload, around[:1]), escaped=escaped)

    fuzzed.takes("/webhooks/messenger", body, messenger_headers(body, APP_SECRET))


@many
@given(body=st.binary(max_size=200), topic=st.sampled_from([*sorted(BODIES), "made/up", "x" * 99]))
def test_bytes_that_are_no_json(fuzzed: FuzzedShop, body: bytes, topic: str) -> None:
    fuzzed.takes("/webhooks/shopify", body, fuzzed.shopify_headers(topic, body))
    fuzzed.takes("/webhooks/messenger", body, messenger_headers(body, APP_SECRET))


@many
@given(
    name=st.sampled_from(["Topic", "Webhook-Id", "Triggered-At", "Shop-Domain", "API-Version"]),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=300),
)
def test_headers_of_any_content(fuzzed: FuzzedShop, name: str, value: str) -> None:
    """They are not signed."""
    body = as_bytes(BODIES["orders/paid"], escaped=True)
    headers: dict[str, str | bytes] = {**fuzzed.shopify_headers("orders/paid", body)}
    headers[f"X-Shopify-{name}"] = value.strip().encode("latin-1")

    fuzzed.takes("/webhooks/shopify", body, headers, or_refuses=True)
