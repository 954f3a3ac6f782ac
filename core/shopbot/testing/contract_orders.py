"""Contracts of the plugins that read an order: resolvers, carts and steps."""

# ruff: noqa: S101, D102 - tests for integrators to inherit: made of assert, and their names are sentences
from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from shopbot.plugin import CartResult, Event, Order, Outcome, Resolution, Run, Source, Status
from shopbot.testing.contract_base import PSID, PluginContract, Running
from shopbot.testing.orders import (
    authorized_order,
    cancelled_order,
    draft_order,
    fulfilled_order,
    order_bytes,
    paid_order,
    partially_paid_order,
    pending_order,
    refunded_order,
)

ORDERED_AT = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)

KINDS_OF_ORDER: Mapping[str, Mapping[str, Any]] = {
    "paid": paid_order(),
    "pending": pending_order(),
    "authorized": authorized_order(),
    "partially paid": partially_paid_order(),
    "cancelled": cancelled_order(),
    "refunded": refunded_order(),
    "fulfilled": fulfilled_order(),
    "draft": draft_order(),
    "with nothing but its id": {"id": 1},
    "with nulls everywhere": {**dict.fromkeys(paid_order()), "id": 1},
}
"""Bodies of order webhooks, from the usual one to the barest."""

FIELDS_OF_THE_FUTURE: Mapping[str, Any] = {
    "a_field_of_2030": {"nested": [1, "two", None]},
    "": "",
    "psid_of_2030": 7,
}


class ResolverContract(PluginContract):
    """What every plugin under `resolvers:` must pass."""

    section = "resolvers"
    hook = "resolve_psid"
    order: ClassVar[Mapping[str, Any]]
    """The webhook body of an order whose shopper the plugin knows."""
    psid: ClassVar[str] = PSID
    """Who that is."""

    async def prepare(self, running: Running) -> None:
        """Put the shopper where the plugin looks for it, if that is not the order itself."""

    async def resolve(self, running: Running, body: Mapping[str, Any]) -> Resolution | None:
        """Ask the plugin about the order of a webhook body."""
        return await running.hooks.resolvers[0](Order.from_payload(body))

    async def test_it_names_the_shopper(self) -> None:
        async with self.running() as running:
            await self.prepare(running)
            resolution = await self.resolve(running, self.order)

        assert resolution is not None
        assert resolution.psid == self.psid

    async def test_asked_again_it_gives_the_same_answer(self) -> None:
        """The host asks again when a later step is retried."""
        async with self.running() as running:
            await self.prepare(running)
            answers = await asyncio.gather(*(self.resolve(running, self.order) for _ in range(20)))

        assert answers[0] is not None
        assert all(answer == answers[0] for answer in answers)

    async def test_fields_that_shopify_adds_later_change_nothing(self) -> None:
        async with self.running() as running:
            await self.prepare(running)
            resolution = await self.resolve(running, {**self.order, **FIELDS_OF_THE_FUTURE})

        assert resolution is not None
        assert resolution.psid == self.psid

    async def test_an_order_that_says_nothing_is_nobodys(self) -> None:
        """None lets the next resolver try."""
        async with self.running() as running:
            await self.prepare(running)

            assert await self.resolve(running, {"id": 1}) is None

    @pytest.mark.parametrize("body", KINDS_OF_ORDER.values(), ids=KINDS_OF_ORDER.keys())
    async def test_every_kind_of_order_gets_an_answer(self, body: Mapping[str, Any]) -> None:
        async with self.running() as running:
            await self.resolve(running, body)


class CartContract(PluginContract):
    """What every plugin under `carts:` must pass."""

    section = "carts"
    hook = "clear_cart"

    async def fill(self, running: Running, psid: str, changed_at: datetime) -> None:
        """Put something into the shopper's cart; it was last changed at *changed_at*."""
        raise NotImplementedError("fill the cart where the plugin will look for it")

    async def is_empty(self, running: Running, psid: str) -> bool:
        """Say whether the shopper's cart is empty."""
        raise NotImplementedError("look into the cart")

    async def clear(self, running: Running, psid: str = PSID, **changes: object) -> CartResult:
        """Ask the plugin to clear the cart for an order that was made at `ORDERED_AT`."""
        order = Order.from_payload({**paid_order(psid=psid, created_at=ORDERED_AT), **changes})
        return await running.hooks.carts[0](psid, order)

    async def test_the_cart_of_the_order_is_cleared(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, ORDERED_AT - timedelta(minutes=5))

            assert await self.clear(running) is CartResult.CLEARED
            assert await self.is_empty(running, PSID)

    async def test_it_is_safe_to_repeat(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, ORDERED_AT - timedelta(minutes=5))
            await self.clear(running)

            assert await self.clear(running) in {CartResult.CLEARED, CartResult.ALREADY_EMPTY}
            assert await self.is_empty(running, PSID)

    async def test_there_may_be_no_cart(self) -> None:
        async with self.running() as running:
            assert await self.clear(running) in {CartResult.CLEARED, CartResult.ALREADY_EMPTY}

    async def test_a_cart_that_was_changed_after_the_order_is_kept(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, ORDERED_AT + timedelta(minutes=5))

            assert await self.clear(running) is CartResult.KEPT
            assert not await self.is_empty(running, PSID)

    async def test_nobody_elses_cart_is_touched(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID[:-1], ORDERED_AT - timedelta(minutes=5))
            await self.fill(running, PSID, ORDERED_AT - timedelta(minutes=5))
            await self.clear(running)

            assert not await self.is_empty(running, PSID[:-1])

    async def test_fields_that_shopify_adds_later_change_nothing(self) -> None:
        async with self.running() as running:
            await self.fill(running, PSID, ORDERED_AT - timedelta(minutes=5))

            assert await self.clear(running, **FIELDS_OF_THE_FUTURE) is CartResult.CLEARED

    @pytest.mark.parametrize("body", KINDS_OF_ORDER.values(), ids=KINDS_OF_ORDER.keys())
    async def test_every_kind_of_order_gets_an_answer(self, body: Mapping[str, Any]) -> None:
        async with self.running() as running:
            await running.hooks.carts[0](PSID, Order.from_payload(body))


class StepContract(PluginContract):
    """What every plugin that brings a step to rules must pass."""

    section = "plugins"
    hook = "run_step"

    async def take(self, running: Running, body: Mapping[str, Any] | None) -> Outcome:
        """Run the step for an event with this order; None is an event without one."""
        order = None if body is None else Order.from_payload(body)
        run = Run(attempt=1, rule="order_confirmation", order=order, psid=PSID)
        return await running.hooks.steps[self.name](an_event(body), run)

    async def test_an_order_is_taken(self) -> None:
        async with self.running() as running:
            outcome = await self.take(running, paid_order(psid=PSID))

        assert outcome.status is Status.DONE

    async def test_it_is_safe_to_repeat(self) -> None:
        """After a crash in mid-step the host runs it again."""
        async with self.running() as running:
            outcomes = [await self.take(running, paid_order(psid=PSID)) for _ in range(2)]

        assert outcomes[1].status in {Status.DONE, Status.SKIPPED}

    async def test_fields_that_shopify_adds_later_change_nothing(self) -> None:
        async with self.running() as running:
            outcome = await self.take(running, {**paid_order(psid=PSID), **FIELDS_OF_THE_FUTURE})

        assert outcome.status is Status.DONE

    @pytest.mark.parametrize("body", [None, *KINDS_OF_ORDER.values()], ids=["none", *KINDS_OF_ORDER.keys()])
    async def test_every_kind_of_order_has_an_outcome(self, body: Mapping[str, Any] | None) -> None:
        """`held` is the host's own: only it knows what would free the event."""
        async with self.running() as running:
            outcome = await self.take(running, body)

        assert outcome.status in {Status.DONE, Status.SKIPPED, Status.DEFERRED, Status.FAILED}


def an_event(body: Mapping[str, Any] | None = None, *, event_id: str = "webhook:5a1f") -> Event:
    """Make the event that brings *body*; None makes one without an order."""
    return Event(
        id=event_id,
        topic="messenger/message" if body is None else "orders/paid",
        source=Source.WEBHOOK,
        received_at=ORDERED_AT + timedelta(seconds=2),
        body=b"{}" if body is None else order_bytes(body),
    )
