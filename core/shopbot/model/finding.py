"""What an examination finds: one line each, good or bad, with what it means and what to do."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from shopbot.model.base import Value

CLOCK = "clock"
"""The area of everything about the time."""

_CLOCK_WARNING_SECONDS = 5.0
"""A `Date` header is cut to the second, and took its time to get here."""
_CLOCK_PROBLEM_SECONDS = 60.0


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    """It works now. Something is missing, about to end, or could not be looked at."""
    PROBLEM = "problem"
    """Orders or messages get lost, late or stuck until a person acts."""


class Finding(Value):
    """One line of `shopbot doctor`. Never holds a secret; make it with `ok`, `warning` or `problem`."""

    level: Level
    what: str = Field(min_length=1)
    """What is so, in one line: "the token was revoked"."""
    meaning: str = ""
    """What follows from it for orders and shoppers. Only what is fine may leave it out."""
    to_do: str = ""
    """What a person should do now. Likewise."""
    area: str = ""
    """The heading to show it under; empty: the plugin that found it."""

    @classmethod
    def ok(cls, what: str, *, area: str = "") -> Self:
        """Say that something is as it should be."""
        return cls(level=Level.OK, what=what, area=area)

    @classmethod
    def warning(cls, what: str, *, meaning: str, to_do: str, area: str = "") -> Self:
        """Say what a person should look at."""
        return cls(level=Level.WARNING, what=what, meaning=meaning, to_do=to_do, area=area)

    @classmethod
    def problem(cls, what: str, *, meaning: str, to_do: str, area: str = "") -> Self:
        """Say what a person must mend."""
        return cls(level=Level.PROBLEM, what=what, meaning=meaning, to_do=to_do, area=area)

    @model_validator(mode="after")
    def _helps(self) -> Self:
        if self.level is not Level.OK and not (self.meaning and self.to_do):
            raise ValueError("what is not fine must come with `meaning` and `to_do`")
        return self


def compare_clock(whose: str, date: str | None, now: datetime) -> Finding | None:
    """Hold this machine's clock against the `Date` header of an answer; None where there is no readable one.

    whose: the other side, as people call it: Shopify.
    now: when the answer came, aware.
    """
    try:
        theirs = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):
        return None
    return clock_finding(whose, (now - theirs.replace(tzinfo=theirs.tzinfo or UTC)).total_seconds())


def clock_finding(whose: str, ahead_seconds: float) -> Finding:
    """Judge by how much this machine's clock is ahead of another one; negative: behind."""
    off_seconds = abs(ahead_seconds)
    if off_seconds < _CLOCK_WARNING_SECONDS:
        return Finding.ok(f"agrees with {whose}", area=CLOCK)
    kind = Finding.problem if off_seconds >= _CLOCK_PROBLEM_SECONDS else Finding.warning
    return kind(
        f"this machine's clock is {off_seconds:.0f} s {'ahead of' if ahead_seconds > 0 else 'behind'} {whose}'s",
        meaning="polls ask for the wrong span of time, messaging windows and daily limits end at the wrong moment",
        to_do="set the clock by NTP (systemd-timesyncd, chrony), and see that it stays so",
        area=CLOCK,
    )
