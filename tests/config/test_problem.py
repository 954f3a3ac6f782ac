from __future__ import annotations

import pytest

from shopbot.config.problem import ConfigError, Problem, quote, suggest


def test_a_problem_reads_as_a_place_that_terminals_can_open() -> None:
    assert str(Problem("shopbot.yaml", 14, 5, "unknown key 'x'")) == "shopbot.yaml:14:5: unknown key 'x'"


def test_a_warning_says_that_it_is_one() -> None:
    assert str(Problem("a.yaml", 1, 2, "odd", "warning")) == "a.yaml:1:2: warning: odd"


def test_a_problem_of_a_whole_file_has_no_position() -> None:
    assert str(Problem("a.yaml", None, None, "there is no such file")) == "a.yaml: there is no such file"


def test_problems_sort_by_position_with_numbers_as_numbers() -> None:
    first, second = Problem("a", 9, 1, "z"), Problem("a", 10, 1, "a")

    assert sorted([second, Problem("a", 9, 2, "a"), first]) == [first, Problem("a", 9, 2, "a"), second]


def test_an_error_carries_its_problems_in_order_and_shows_one_a_line() -> None:
    error = ConfigError([Problem("a", 2, 1, "second"), Problem("a", 1, 1, "first")])

    assert [problem.message for problem in error.problems] == ["first", "second"]
    assert str(error) == "a:1:1: first\na:2:1: second"


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("finacial_status", "financial_status"),
        ("secret", "secrets"),
        ("financial-status", "financial_status"),
        ("financialStatus", "financial_status"),
        ("Carts", "carts"),
        ("redis_cart", "cart_redis"),
        ("tset", "test"),
    ],
)
def test_common_slips_are_recognised(slip: str, meant: str) -> None:
    known = ["financial_status", "secrets", "carts", "cart_redis", "test"]

    assert suggest(slip, known) == f"; did you mean {meant!r}?"


@pytest.mark.parametrize("word", ["interval", "carts", "", "x" * 10_000])
def test_nothing_is_suggested_for_a_right_word_or_a_strange_one(word: str) -> None:
    assert suggest(word, ["financial_status", "carts"]) == ""


def test_a_quote_stays_on_one_line_and_short() -> None:
    assert quote("a\nb\x1b") == r"'a\nb\x1b'"
    assert len(quote("x" * 10_000)) == 62
