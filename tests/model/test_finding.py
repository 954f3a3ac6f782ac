from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import ValidationError

from shopbot.model.finding import CLOCK, Finding, Level, compare_clock

NOW = datetime(2026, 11, 26, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize("level", [Level.WARNING, Level.PROBLEM])
@pytest.mark.parametrize("given", [{}, {"meaning": "nothing is sent"}, {"to_do": "renew it"}])
def test_what_is_not_fine_says_what_it_means_and_what_to_do(level: Level, given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="`meaning` and `to_do`"):
        Finding(level=level, what="the token ends", **given)


def test_a_finding_says_what_it_found() -> None:
    with pytest.raises(ValidationError):
        Finding.ok("")


@pytest.mark.parametrize(
    ("ahead_seconds", "level", "what"),
    [
        (0, Level.OK, "agrees with Shopify"),
        (-4, Level.OK, "agrees with Shopify"),
        (20, Level.WARNING, "20 s ahead of Shopify's"),
        (-20, Level.WARNING, "20 s behind Shopify's"),
        (3600, Level.PROBLEM, "3600 s ahead of Shopify's"),
        (-61, Level.PROBLEM, "61 s behind Shopify's"),
    ],
)
def test_the_clock_is_held_against_the_date_of_an_answer(ahead_seconds: float, level: Level, what: str) -> None:
    date = format_datetime(NOW - timedelta(seconds=ahead_seconds), usegmt=True)

    found = compare_clock("Shopify", date, NOW)

    assert found is not None
    assert (found.level, found.area) == (level, CLOCK)
    assert found.what.endswith(what)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 26 Nov 99999999 09:15:00 GMT"])
def test_an_answer_without_a_readable_date_says_nothing_of_the_clock(date: str | None) -> None:
    assert compare_clock("Shopify", date, NOW) is None
