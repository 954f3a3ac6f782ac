"""What an attempt knows of those before it, and when its event happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shopbot.model.event import Event, Source
from shopbot.model.outcome import JournalEntry, Outcome, Status
from shopbot.model.reason import Reason
from shopbot.rules.attempt import READABLE, Attempt
from shopbot.rules.news import read_news
from shopbot.testing.orders import paid_order

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def entry(rule: str, step: str, status: Status, plugin: str = "") -> JournalEntry:
    return JournalEntry(at=AT, attempt=1, rule=rule, step=step, status=status, plugin=plugin)


def attempt(earlier: Sequence[JournalEntry] = (), triggered_at: datetime | None = None) -> Attempt:
    event = Event(
        id="webhook:1",
        topic="orders/paid",
        source=Source.WEBHOOK,
        body=b"{}",
        received_at=AT,
        triggered_at=triggered_at,
    )
    return Attempt(event=event, number=2, earlier=earlier, clock=lambda: AT)


@pytest.mark.parametrize("status", list(Status))
def test_a_step_is_settled_by_a_line_that_says_done_or_skipped(status: Status) -> None:
    line = entry("r", "1:clear_cart", status)

    assert attempt([line]).settled("r", "1:clear_cart") == (line if status in {"done", "skipped"} else None)


def test_neither_another_rules_nor_another_steps_line_settles_a_step() -> None:
    lines = [entry("r", "1:clear_cart", Status.DONE), entry("other", "2:send", Status.DONE)]

    assert attempt(lines).settled("r", "2:send") is None
    assert attempt(lines).settled("other", "1:clear_cart") is None


def test_a_plugins_part_is_settled_by_its_own_line() -> None:
    lines = [entry("r", "1:clear_cart", Status.DONE, "one"), entry("r", "1:clear_cart", Status.SKIPPED, "two")]

    assert attempt(lines).settled("r", "1:clear_cart", "two") is lines[1]
    assert attempt(lines).settled("r", "1:clear_cart", "three") is None
    assert attempt(lines).settled("r", "1:clear_cart") is lines[0]


@pytest.mark.parametrize(
    ("triggered_at", "happened_at"),
    [(None, AT), (AT - timedelta(hours=1), AT - timedelta(hours=1)), (AT + timedelta(hours=1), AT)],
)
def test_an_event_happened_when_the_platform_says_and_never_after_it_came(
    triggered_at: datetime | None, happened_at: datetime
) -> None:
    assert attempt(triggered_at=triggered_at).happened_at == happened_at


def test_conditions_can_name_what_they_are_given_and_nothing_else() -> None:
    context = attempt().context()

    assert context.keys() == READABLE.keys()
    assert context["event"] == {"topic": "orders/paid", "source": "webhook"}
    assert READABLE["event"] == {"topic": "", "source": ""}
    assert context["order"] is context["customer"] is None


def test_a_condition_sees_order_customer_text_and_payload() -> None:
    seen = attempt()
    seen.news = read_news("orders/paid", paid_order(first_name="Ada"))
    context = seen.context()

    assert context["order"] is seen.order is not None
    assert context["customer"] is seen.order.customer
    assert context["payload"] == paid_order(first_name="Ada")


@pytest.mark.parametrize(
    ("detail", "kept"), [("x" * 1000, "x" * 1000), ("x" * 1001, "x" * 1000), ("#1\ud800", "#1?"), ("Zoë", "Zoë")]
)
def test_a_line_of_the_journal_is_bounded_and_can_be_stored(detail: str, kept: str) -> None:
    noting = attempt()
    outcome = Outcome.skipped(Reason.FILTERED, detail, plugin="resolvers[0]:token_lookup")
    noting.note("r", "1:resolve_psid", outcome, milliseconds=1.23456)

    assert noting.entries == [
        JournalEntry(
            at=AT,
            attempt=2,
            rule="r",
            step="1:resolve_psid",
            status=Status.SKIPPED,
            reason=Reason.FILTERED,
            detail=kept,
            plugin="resolvers[0]:token_lookup",
            milliseconds=1.235,
        )
    ]


def test_a_step_that_needs_the_shopper_says_why_there_is_none() -> None:
    nobody = attempt()
    assert nobody.without_psid().reason is Reason.PSID_NOT_FOUND
    assert nobody.without_psid().detail == "no step before this one resolves the shopper"

    nobody.no_psid = Outcome.skipped(Reason.PSID_NOT_TRUSTED)
    assert nobody.without_psid() is nobody.no_psid


def test_plugins_see_the_lines_of_all_attempts() -> None:
    line = entry("r", "1:resolve_psid", Status.DONE)
    shown = attempt([line])
    shown.psid = "7312345678901234"
    shown.note("r", "2:clear_cart", Outcome.done())
    view = shown.view("r", Status.DONE)

    assert (view.attempt, view.rule, view.psid, view.status) == (2, "r", "7312345678901234", Status.DONE)
    assert view.journal == (line, *shown.entries)
    assert shown.entries[0].milliseconds == 0.0


def test_who_acted_is_the_sender() -> None:
    acted = attempt()
    assert acted.sender is None
    acted.news = read_news("messenger/message", {"sender": {"id": "7312345678901234"}, "message": {"text": "Hi"}})

    assert acted.sender == "7312345678901234"
    assert acted.context()["text"] == "Hi"
