"""Which events end at the marks of what was erased, and which ones show that the app is installed again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shopbot.model.compliance import PRIVACY_TOPICS
from shopbot.model.event import Event, Source
from shopbot.model.outcome import Status
from shopbot.model.reason import Reason
from shopbot.rules.attempt import Attempt
from shopbot.rules.news import read_news
from shopbot.rules.redaction import Redaction, names_somebody
from shopbot.store.erased import Erased
from shopbot.testing.orders import paid_order
from support.conversation import fulfillment, refund
from support.store_parts import KEYS, NOW
from support.stores import running_store

PSID, ORDER_ID = "7312345678901234", 830_517_264_905_318_211
EARLIER, LATER = NOW - timedelta(milliseconds=1), NOW + timedelta(milliseconds=1)


@asynccontextmanager
async def redaction(tmp_path: Path) -> AsyncIterator[tuple[Redaction, Erased]]:
    async with running_store("embedded", tmp_path) as store:
        erased = Erased(store.client, KEYS)
        yield Redaction(erased), erased


def an_event(topic: str, body: Mapping[str, object], at: datetime = NOW, source: Source = Source.WEBHOOK) -> Event:
    raw = json.dumps(body).encode()
    return Event(id=f"{source}:1", topic=topic, source=source, received_at=at, body=raw)


def an_attempt(topic: str, body: Mapping[str, object], at: datetime = NOW) -> Attempt:
    """Begin an attempt at an event that came, and happened, at a moment."""
    event = an_event(topic, body, at)
    return Attempt(event=event, number=1, earlier=(), clock=lambda: NOW, news=read_news(topic, body))


def an_order(order_id: int = ORDER_ID, **moments: datetime | None) -> dict[str, object]:
    """Make an order's body, with these moments in place of its own."""
    written = {name: moment.isoformat() if moment else None for name, moment in moments.items()}
    return paid_order(order_id=order_id) | written


def said(psid: str = PSID) -> dict[str, object]:
    return {"sender": {"id": psid}, "message": {"text": "Hi"}}


async def test_whatever_tells_of_an_erased_order_ends_there(tmp_path: Path) -> None:
    async with redaction(tmp_path) as (redacts, erased):
        await erased.mark([ORDER_ID], [], NOW)
        for topic, news in (
            ("orders/updated", an_order),
            ("fulfillments/create", fulfillment),
            ("refunds/create", refund),
        ):
            # Even what happened after the erasure: Shopify tells of parcels and refunds for months.
            found = await redacts.objection(an_attempt(topic, news(ORDER_ID), LATER))
            assert found is not None
            assert (found.status, found.reason) == (Status.SKIPPED, Reason.REDACTED)
            assert await redacts.objection(an_attempt(topic, news(ORDER_ID + 1), EARLIER)) is None


async def test_what_an_erased_shopper_did_until_then_ends_there_and_what_they_do_since_does_not(tmp_path: Path) -> None:
    async with redaction(tmp_path) as (redacts, erased):
        await erased.mark([], [PSID], NOW)
        for at, redacted in ((EARLIER, True), (NOW, True), (LATER, False)):
            found = await redacts.objection(an_attempt("messenger/message", said(), at))
            assert (found is not None) is redacted
        assert await redacts.objection(an_attempt("messenger/message", said("7398765432109876"), EARLIER)) is None


async def test_of_an_erased_shop_everything_that_began_until_then_ends_there(tmp_path: Path) -> None:
    """An order begins when it is created, whenever it is told of; what has no such moment, when it happens."""
    cases = [
        ("orders/paid", an_order(created_at=NOW), LATER, True),
        ("orders/paid", an_order(created_at=EARLIER), LATER, True),
        ("orders/paid", an_order(created_at=LATER), LATER, False),
        ("orders/paid", an_order(created_at=None), NOW, True),
        ("orders/paid", an_order(created_at=None), LATER, False),
        ("messenger/message", said(), NOW, True),
        ("messenger/message", said(), LATER, False),
        ("refunds/create", refund(ORDER_ID), NOW, True),
        ("refunds/create", refund(ORDER_ID), LATER, False),
    ]
    async with redaction(tmp_path) as (redacts, erased):
        await erased.mark_shop(NOW)
        for topic, body, at, redacted in cases:
            assert (await redacts.objection(an_attempt(topic, body, at)) is not None) is redacted, (topic, at)


async def test_without_a_mark_nothing_ends_there(tmp_path: Path) -> None:
    async with redaction(tmp_path) as (redacts, _):
        for topic, body in (("orders/paid", an_order()), ("messenger/message", said()), ("carts/update", {})):
            assert await redacts.objection(an_attempt(topic, body)) is None


async def test_what_shopify_asks_for_is_worked_on_whatever_was_erased(tmp_path: Path) -> None:
    async with redaction(tmp_path) as (redacts, erased):
        await erased.mark_shop(LATER)
        for topic in PRIVACY_TOPICS:
            assert await redacts.objection(an_attempt(topic, {"id": 1})) is None


@pytest.mark.parametrize(
    ("topic", "body", "shows_it"),
    [
        pytest.param("orders/updated", an_order(updated_at=LATER), True, id="an order that was changed since"),
        pytest.param("orders/updated", an_order(updated_at=NOW), False, id="an order that was changed just then"),
        pytest.param("orders/updated", an_order(updated_at=None), False, id="an order of no known age"),
        pytest.param("refunds/create", refund(ORDER_ID), False, id="news that brings no order"),
        pytest.param("messenger/message", said(), False, id="a shopper, who knows nothing of it"),
    ],
)
async def test_a_change_since_the_app_was_uninstalled_shows_that_it_is_installed_again(
    tmp_path: Path, topic: str, body: Mapping[str, object], *, shows_it: bool
) -> None:
    async with redaction(tmp_path) as (redacts, erased):
        await erased.uninstalled(NOW)

        assert await redacts.objection(an_attempt(topic, body, LATER)) is None
        assert (await erased.look(None, None)).uninstalled_at == (None if shows_it else NOW)


@pytest.mark.parametrize(
    ("topic", "source", "names"),
    [
        ("messenger/message", Source.WEBHOOK, True),
        ("orders/paid", Source.POLL, True),
        ("orders/paid", Source.WEBHOOK, False),
        ("orders/paid", Source.REPLAY, False),
    ],
)
def test_the_ids_of_polled_orders_and_of_messages_name_somebody(topic: str, source: Source, *, names: bool) -> None:
    assert names_somebody(an_event(topic, {}, source=source)) is names
