"""The step `update_order_reference`: what it takes into an order's reference, and whose order that is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from shopbot.model.event import Event, Source
from shopbot.model.outcome import Outcome, Status
from shopbot.model.reason import Reason
from shopbot.model.shared_keys import SharedKeys
from shopbot.rules.attempt import Attempt
from shopbot.rules.news import read_news
from shopbot.rules.rule import Rule, Step
from shopbot.rules.track_order import UpdateOrderReference
from shopbot.store.references import References
from shopbot.store.shoppers import Shoppers
from shopbot.testing.orders import order_bytes, paid_order
from support.conversation import fulfillment, refund
from support.store_parts import KEYS, NOW
from support.stores import OpenStore, running_store

PSID, ORDER_ID = "7312345678901234", 830_517_264_905_318_211
STEP = Step("1:update_order_reference", "update_order_reference")
RULE = Rule(name="order_shipped", topics=frozenset({"fulfillments/create"}), steps=(STEP,))
DAY_SECONDS = 86_400.0


@dataclass
class Desk:
    """The step and what its shop's store holds."""

    store: OpenStore
    references: References
    shoppers: Shoppers

    async def take(self, topic: str, body: Mapping[str, object]) -> tuple[Attempt, Outcome]:
        """Run the step for an event; gives what the steps after it are told, and what the journal is."""
        raw = order_bytes(dict(body))
        event = Event(id="webhook:1", topic=topic, source=Source.WEBHOOK, received_at=NOW, body=raw)
        attempt = Attempt(event=event, number=1, earlier=(), clock=lambda: NOW, news=read_news(topic, body))
        [outcome] = await UpdateOrderReference(self.references, self.shoppers)(attempt, RULE, STEP)
        return attempt, outcome


@asynccontextmanager
async def a_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with running_store("embedded", tmp_path) as store:
        yield Desk(
            store,
            References(store.client, KEYS, SharedKeys(), ttl_seconds=DAY_SECONDS),
            Shoppers(store.client, KEYS, SharedKeys(), remember_seconds=DAY_SECONDS),
        )


async def test_orders_parcels_and_refunds_are_taken_in_and_told_of_with_the_shopper(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.shoppers.remember(ORDER_ID, PSID)

        _, ordered = await desk.take("orders/updated", paid_order(order_id=ORDER_ID, locale="de"))
        _, shipped = await desk.take("fulfillments/create", fulfillment(ORDER_ID))
        attempt, refunded = await desk.take("refunds/create", refund(ORDER_ID, "10.50"))
        reference = await desk.references.find(PSID, ORDER_ID)

    assert [(end.status, end.detail) for end in (ordered, shipped, refunded)] == [
        (Status.DONE, "preparing"),
        (Status.DONE, "shipped"),
        (Status.DONE, "shipped"),
    ]
    assert reference is not None
    assert (reference.number, reference.locale) == ("#1234", "de")
    assert [parcel.number for parcel in reference.parcels] == ["00340434161094042557"]
    assert [money.amount.amount for money in reference.refunds if money.amount] == [Decimal("10.50")]
    assert (attempt.psid, attempt.orders, attempt.no_psid) == (PSID, (reference,), None)


async def test_a_parcel_that_was_faster_than_its_order_gives_it_its_number(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.shoppers.remember(ORDER_ID, PSID)
        attempt, _ = await desk.take("fulfillments/create", fulfillment(ORDER_ID, name="#1234.1"))

    assert [order.number for order in attempt.orders] == ["#1234"]


async def test_news_of_an_order_without_a_shopper_is_kept_as_unresolved_and_told_to_nobody(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        attempt, outcome = await desk.take("fulfillments/create", fulfillment(ORDER_ID))
        kept = await desk.references.find(None, ORDER_ID)
        remembered = await desk.shoppers.of_order(ORDER_ID)

    assert (outcome.status, outcome.detail) == (Status.DONE, "kept as unresolved")
    assert kept is not None
    assert len(kept.parcels) == 1
    assert (attempt.psid, attempt.orders, remembered) == (None, (), None)
    without = attempt.without_psid()
    assert (without.status, without.reason) == (Status.SKIPPED, Reason.PSID_NOT_FOUND)
    assert without.detail == "the order was not resolved to a shopper"


async def test_the_orders_shopper_is_remembered_as_long_as_its_reference(tmp_path: Path) -> None:
    """Else the last news of a slow parcel would find nobody."""
    async with a_desk(tmp_path) as desk:
        await desk.shoppers.remember(ORDER_ID, PSID)
        await desk.store.client.expire(KEYS.shopper(ORDER_ID), 60)
        await desk.take("fulfillments/create", fulfillment(ORDER_ID))
        left_seconds = await desk.store.client.ttl(KEYS.shopper(ORDER_ID))

    assert left_seconds > 60


async def test_an_event_that_is_about_no_order_changes_nothing(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        attempt, outcome = await desk.take("carts/update", {"id": "c1"})

        assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.NO_ORDER)
        assert (attempt.psid, attempt.orders) == (None, ())
        assert await desk.store.client.dbsize() == 0
