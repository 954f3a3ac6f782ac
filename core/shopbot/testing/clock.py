"""The clocks of simulators and of hosts under test: the real one, or one that a test moves by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

__all__ = ["Clock", "ManualClock", "MovedClock", "http_date"]

Clock = Callable[[], float]
"""Gives the time now, in seconds since 1970 UTC; `time.time` is one."""


def http_date(skew_seconds: float) -> str:
    """Give the time now as a `Date` header has it, by a clock that is ahead by *skew_seconds*."""
    return formatdate(time.time() + skew_seconds, usegmt=True)


class ManualClock:
    """A clock that stands still until it is moved, for simulators.

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


class MovedClock:
    """The real time, moved by hand, for hosts: it runs on by itself, so that what waits for a moment gets there."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> datetime:
        """Give the time as hosts want it: aware, in UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)

    def seconds(self) -> float:
        """Give the time as simulators want it, in seconds since 1970 UTC."""
        return time.time() + self._ahead

    def move(self, **span: float) -> None:
        """Move it: `hours=1`, `seconds=-30`."""
        self._ahead += timedelta(**span).total_seconds()

    def move_to(self, moment_ms: float) -> None:
        """Move it forward to a moment in milliseconds, as the store keeps them, unless that has passed."""
        self._ahead = max(self._ahead, moment_ms / 1000 - time.time())
