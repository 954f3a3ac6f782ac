"""A rule's `when:`, `once_per:` and `if:` must all let an event pass, and are asked in this order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from shopbot.messages.sandbox import TemplateError
from shopbot.model.event import Event, Source
from shopbot.model.outcome import Outcome, Status
from shopbot.model.reason import Reason
from shopbot.rules.attempt import Attempt
from shopbot.rules.news import read_news
from shopbot.rules.objection import objection
from shopbot.rules.rule import Filters, OncePer, Rule
from shopbot.testing.orders import paid_order

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@dataclass
class Condition:
    """An `if:` that holds, does not, or cannot be evaluated."""

    holds: bool = True
    fails: bool = False

    def evaluate(self, context: Mapping[str, object]) -> bool:
        assert context["event"] == {"topic": "orders/paid", "source": "webhook"}
        if self.fails:
            raise TemplateError("the order has no total", line=1, template="if")
        return self.holds


def against(
    condition: Condition | None = None,
    *,
    once_per: OncePer = "event",
    fields: Mapping[str, Any] | None = None,
) -> Outcome | None:
    """Hold a paid order against a rule for paid orders; *fields* change it, None makes one without an order."""
    rule = Rule(
        name="r",
        topics=frozenset({"orders/paid"}),
        steps=(),
        filters=Filters(financial_status=["paid"]) if fields is not None else Filters(),
        condition=condition,
        once_per=once_per,
    )
    event = Event(id="webhook:1", topic="orders/paid", source=Source.WEBHOOK, received_at=AT, body=b"{}")
    attempt = Attempt(event=event, number=1, earlier=(), clock=lambda: AT)
    if fields is not None:
        attempt.news = read_news("orders/paid", paid_order() | dict(fields))
    return objection(rule, attempt)


def reason(outcome: Outcome | None) -> Reason | None:
    return outcome.reason if outcome else None


@pytest.mark.parametrize("condition", [None, Condition()])
def test_nothing_speaks_against_an_event_that_all_let_pass(condition: Condition | None) -> None:
    assert against(condition, once_per="order", fields={}) is None


@pytest.mark.parametrize("condition", [None, Condition(), Condition(holds=False), Condition(fails=True)])
def test_what_when_keeps_out_no_condition_lets_in(condition: Condition | None) -> None:
    assert reason(against(condition, fields={"financial_status": "pending"})) is Reason.NOT_PAID


@pytest.mark.parametrize("condition", [None, Condition()])
def test_what_the_message_is_sent_once_for_must_be_there(condition: Condition | None) -> None:
    assert reason(against(condition, once_per="order")) is Reason.NO_ORDER
    assert reason(against(condition, once_per="refund", fields={})) is Reason.NO_REFUND


def test_a_condition_that_does_not_hold_skips_and_one_that_cannot_be_evaluated_fails() -> None:
    assert against(Condition(holds=False), fields={}) == Outcome.skipped(Reason.CONDITION_FALSE)
    failed = against(Condition(fails=True), fields={})

    assert failed is not None
    assert (failed.status, failed.reason) == (Status.FAILED, Reason.CONDITION_FAILED)
    assert "the order has no total" in failed.detail
