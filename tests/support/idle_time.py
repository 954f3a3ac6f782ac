"""An event loop whose time passes only while nobody has anything to do: no machine is too slow for a limit by it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _NeverWaiting(selectors.DefaultSelector):
    """Looks what is ready, and lets the time pass that it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select()
        self.passed_seconds += max(0.0, timeout)
        return super().select(0)


class _IdleTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._waits = _NeverWaiting()
        super().__init__(self._waits)

    def time(self) -> float:
        """Give the time in seconds, from 0 on."""
        return self._waits.passed_seconds


def in_idle_time(work: Coroutine[Any, Any, T]) -> T:
    """Do what waits for nothing but time, in no time; gives its result."""
    with asyncio.Runner(loop_factory=_IdleTimeLoop) as runner:
        return runner.run(work)
