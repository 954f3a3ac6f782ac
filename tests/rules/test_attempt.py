"""What an attempt knows of those before it, and when its event happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shopbot.model.event import Event, Source
from shopbot.model.outcome import JournalEntry, Status
from shopbot.rules.attempt import Attempt

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
