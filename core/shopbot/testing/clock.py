"""The clock of a simulator: the real one, or one that a test moves by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate

Clock = Callable[[], float]
"""Gives the time now, in seconds since 1970 UTC; `time.time` is one."""


def http_date(skew_seconds: float) -> str:
    """Give the time now as a `Date` header has it, by a clock that is ahead by *skew_seconds*."""
    return formatdate(time.time() + skew_seconds, usegmt=True)


class ManualClock:
    """A clock that stands still until it is moved.

    now: where it starts, in seconds since 1970 UTC (2026-11-23 09:15 UTC unless told).
    """

    def __init__(self, now: float = 1_795_425_300.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Give the time it shows."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move it on by *seconds*; a negative number moves it back, as a clock that is set right can do."""
        self.now += seconds
