"""Contracts of observers, and of plugins that bring filters to templates."""

# ruff: noqa: S101, D102 - tests for integrators to inherit: made of assert, and their names are sentences
from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import jinja2.filters
import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shopbot.plugin import JournalEntry, Order, Reason, Run, Status
from shopbot.testing.contract_base import PSID, PluginContract, Running
from shopbot.testing.contract_orders import ORDERED_AT, an_event
from shopbot.testing.orders import paid_order


class ObserverContract(PluginContract):
    """What every plugin that observes finished events must pass."""

    section = "plugins"
    hook = "event_finished"

    def observed(self, running: Running) -> str | None:  # noqa: ARG002 - for those that override it
        """Give all that the plugin wrote down about events, as text; None: nobody can tell."""
        return None

    async def observe(self, running: Running, run: Run, *, event_id: str = "webhook:5a1f") -> None:
        """Tell the plugin that an event has ended."""
        body = None if run.order is None else paid_order(psid=PSID)
        await running.hooks.observers[0](an_event(body, event_id=event_id), run)

    @pytest.mark.parametrize("status", [None, *Status])
    async def test_every_end_of_an_event_is_taken(self, status: Status | None) -> None:
        async with self.running() as running:
            await self.observe(running, a_finished_run(status=status))

    async def test_an_event_may_have_neither_order_nor_shopper_nor_journal(self) -> None:
        async with self.running() as running:
            await self.observe(running, Run(attempt=1, status=Status.SKIPPED))

    async def test_events_may_end_at_the_same_time(self) -> None:
        async with self.running() as running:
            ids = [f"webhook:{n}" for n in range(50)]
            await asyncio.gather(*(self.observe(running, a_finished_run(), event_id=one) for one in ids))
            observed = self.observed(running)

        if observed is not None:
            assert all(f"webhook:{n}" in observed for n in range(50))

    async def test_the_shoppers_psid_is_never_written_down_whole(self) -> None:
        async with self.running() as running:
            await self.observe(running, a_finished_run())

            assert PSID not in (self.observed(running) or "")


class FiltersContract(PluginContract):
    """What every plugin that brings template filters must pass."""

    section = "plugins"
    hook = "template_filters"
    examples: ClassVar[Mapping[str, Sequence[tuple[Any, str]]]]
    """For each filter, values and what `{{ value | filter }}` makes of them."""

    def test_every_filter_is_tried(self) -> None:
        assert set(self.facade().filters()) == set(self.examples)

    def test_the_examples_come_true(self) -> None:
        for name, examples in self.examples.items():
            for value, text in examples:
                assert self.render(name, value) == text

    def test_a_value_that_is_missing_is_no_fault(self) -> None:
        for name in self.examples:
            assert isinstance(self.render(name, None), str)

    def test_no_filter_of_jinja_is_replaced(self) -> None:
        for name in self.facade().filters():
            assert name.isidentifier()
            assert name not in jinja2.filters.FILTERS

    def render(self, name: str, value: object) -> str:
        """Write `{{ value | name }}`, in a sandbox as messages are."""
        environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
        environment.filters.update(self.facade().filters())
        return environment.from_string(f"{{{{ value | {name} }}}}").render(value=value)


def a_finished_run(**changes: object) -> Run:
    """Make the last look at an event that confirmed an order at its second attempt."""
    entry = JournalEntry(
        at=ORDERED_AT + timedelta(seconds=3),
        attempt=1,
        rule="order_confirmation",
        step="2:clear_cart",
        status=Status.DEFERRED,
        reason=Reason.CART_CLEAR_FAILED,
        plugin="carts[0]:redis_cart",
    )
    fields: dict[str, object] = {
        "attempt": 2,
        "order": Order.from_payload(paid_order(psid=PSID)),
        "psid": PSID,
        "journal": (entry, entry.model_copy(update={"attempt": 2, "status": Status.DONE, "reason": None})),
        "status": Status.DONE,
    }
    return Run.model_validate(fields | changes)
