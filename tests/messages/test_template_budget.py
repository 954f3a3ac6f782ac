"""Each limit of a rendering: what is just allowed, and what is one too many."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from shopbot.messages.template_budget import (
    CHARACTERS_PER_STEP,
    MAX_DEPTH,
    MAX_ITERATIONS,
    MAX_TEXT,
    MAX_WORK,
    Budget,
    LimitReachedError,
)


def test_work_is_allowed_up_to_the_limit_and_adds_up() -> None:
    budget = Budget()
    budget.spend(MAX_WORK - 1)
    budget.spend(1)

    with pytest.raises(LimitReachedError, match="too many steps"):
        budget.spend(1)


def test_a_text_costs_a_step_and_one_more_for_so_many_characters() -> None:
    budget = Budget()
    budget.spend(MAX_WORK - 3)
    assert budget.spend_on_text("x" * (2 * CHARACTERS_PER_STEP)) == "x" * (2 * CHARACTERS_PER_STEP)

    with pytest.raises(LimitReachedError, match="too many steps"):
        budget.spend_on_text("")


def test_a_text_may_be_as_long_as_the_limit() -> None:
    assert len(Budget().spend_on_text("x" * MAX_TEXT)) == MAX_TEXT
    with pytest.raises(LimitReachedError, match="grows beyond"):
        Budget().spend_on_text("x" * (MAX_TEXT + 1))


def test_turns_of_loops_are_counted_and_cost_their_steps() -> None:
    budget = Budget()
    for _ in range(MAX_ITERATIONS):
        budget.turn(1)
    with pytest.raises(LimitReachedError, match="loop turns"):
        budget.turn(1)

    with pytest.raises(LimitReachedError, match="too many steps"):
        Budget().turn(MAX_WORK + 1)


def test_macros_may_call_each_other_so_deep_and_the_depth_is_given_back() -> None:
    budget = Budget()
    for last in (False, True):
        with ExitStack() as stack:
            for _ in range(MAX_DEPTH):
                stack.enter_context(budget.nested())
            if last:
                with pytest.raises(LimitReachedError, match="levels deep"):
                    stack.enter_context(budget.nested())


def test_a_call_of_a_macro_is_a_turn_of_one_step() -> None:
    budget = Budget()
    for _ in range(MAX_ITERATIONS):
        with budget.nested():
            pass
    with pytest.raises(LimitReachedError, match="macro calls"), budget.nested():
        pass

    budget = Budget()
    budget.spend(MAX_WORK - 1)
    with budget.nested():
        pass
    with pytest.raises(LimitReachedError, match="too many steps"), budget.nested():
        pass
