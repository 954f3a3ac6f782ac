from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot.rules.backoff import Backoff

BACKOFF = Backoff(attempts=8, first_seconds=2.0, factor=4.0, max_seconds=3600.0)


class _Chance(random.Random):
    """Always the same chance."""

    def __init__(self, value: float) -> None:
        super().__init__(0)
        self._value = value

    def random(self) -> float:
        return self._value


@pytest.mark.parametrize(("attempts", "step"), [(1, 2), (2, 8), (3, 32), (4, 128), (5, 512), (6, 2048), (7, 3600)])
def test_the_waits_grow_by_the_factor_up_to_the_longest(attempts: int, step: float) -> None:
    assert BACKOFF.seconds(attempts, _Chance(0.0)) == pytest.approx(step * 0.75)
    assert BACKOFF.seconds(attempts, _Chance(1.0)) == pytest.approx(step)
    assert BACKOFF.seconds(attempts, _Chance(0.5)) == pytest.approx(step * 0.875)


@given(attempts=st.integers(1, 10**6), seed=st.integers(0, 1000))
def test_no_number_of_attempts_makes_a_wait_too_long_or_too_short(attempts: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - what the host waits is no secret

    assert 1.5 <= BACKOFF.seconds(attempts, chance) <= 3600
