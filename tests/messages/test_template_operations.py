"""What operators and string methods of templates compute, and what they refuse before it costs much."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from jinja2.exceptions import UndefinedError
from jinja2.runtime import Undefined

from shopbot.messages.template_budget import MAX_ITERATIONS, MAX_TEXT, MAX_WORK, Budget, LimitReachedError
from shopbot.messages.template_operations import (
    bounded_range,
    check_replace,
    check_string_call,
    check_trimmed,
    check_width,
    operate,
    percent_format,
)
from shopbot.messages.template_values import NotTextError, size_of


def compute(left: object, symbol: str, right: object) -> object:
    return operate(symbol, left, right, Budget())


@pytest.mark.parametrize(
    ("left", "symbol", "right", "result"),
    [
        (2, "+", 3, 5),
        (2, "-", 3, -1),
        (2, "*", 3, 6),
        (3, "/", 2, 1.5),
        (7, "//", 2, 3),
        (7, "%", 4, 3),
        (2, "**", 10, 1024),
        (2, "**", -1, 0.5),
        ("a", "+", "b", "ab"),
        ([1], "+", [2], [1, 2]),
        ("ab", "*", 2, "abab"),
        (2, "*", "ab", "abab"),
        ((1,), "*", 2, (1, 1)),
        ("%s: %d", "%", ("a", 1), "a: 1"),
        (Decimal("10.00"), "*", 1.19, Decimal("11.9000")),
        (1.19, "*", Decimal("10.00"), Decimal("11.9000")),
        (2, "*", 1.5, 3.0),
        (1.5, "*", 2, 3.0),
        (Decimal(1), "+", 0.1, Decimal("1.1")),
        (0.1, "+", Decimal(1), Decimal("1.1")),
    ],
)
def test_operators_compute_and_a_float_beside_an_amount_counts_as_it_was_written(
    left: object, symbol: str, right: object, result: object
) -> None:
    computed = compute(left, symbol, right)

    assert computed == result
    assert type(computed) is type(result)


@pytest.mark.parametrize(
    ("left", "symbol", "right"),
    [
        ("x" * 1000, "*", 100),
        (100, "*", "x" * 1000),
        ([1] * 1000, "*", 100),
        (100, "*", (1,) * 1000),
        ("x" * MAX_TEXT, "+", "x"),
        ([1] * 20_000, "+", [1] * 20_000),
        (2, "**", 65),
        (2, "**", -65),
        (2.0, "**", 64.5),
        (2**5, "**", 64),
        (2, "**", Decimal(65)),
    ],
)
def test_what_would_be_too_large_is_refused(left: object, symbol: str, right: object) -> None:
    with pytest.raises(LimitReachedError):
        compute(left, symbol, right)


def test_what_is_just_not_too_large_is_computed() -> None:
    assert compute("x", "*", MAX_TEXT) == "x" * MAX_TEXT
    assert compute("x" * (MAX_TEXT - 1), "+", "x") == "x" * MAX_TEXT
    assert compute(2, "**", 64) == 2**64
    assert compute(2, "**", -64) == 2**-64
    assert compute(15, "**", 64) == 15**64


@pytest.mark.parametrize(("left", "right"), [("a", 1), (1, "a"), ("a", None)])
def test_a_text_is_not_added_to_what_is_none_and_the_error_says_how_to_join(left: object, right: object) -> None:
    with pytest.raises(NotTextError, match="write ~"):
        compute(left, "+", right)


@pytest.mark.parametrize(("left", "right"), [("a", Undefined(name="gone")), (Undefined(name="gone"), "a")])
def test_what_is_not_defined_is_named_rather_than_joined(left: object, right: object) -> None:
    with pytest.raises(UndefinedError, match="gone"):
        compute(left, "+", right)


def test_a_power_of_what_is_no_number_is_left_to_python() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        compute(2, "**", "a")


@pytest.mark.parametrize(
    ("pattern", "values", "text"),
    [
        ("%s and %s", ("a", None), "a and "),
        ("%5.2f %%", Decimal("1.5"), " 1.50 %"),
        ("%(a)s-%(b)03d", {"a": "x", "b": 7}, "x-007"),
        ("%200s", "a", "a".rjust(200)),
        ("100%%", (), "100%"),
    ],
)
def test_a_format_is_filled_with_plain_values(pattern: str, values: object, text: str) -> None:
    assert percent_format(pattern, values) == text


@pytest.mark.parametrize(
    ("pattern", "values", "error", "message"),
    [
        ("%r", "a", NotTextError, "not a format"),
        ("%*d", (5, 1), NotTextError, "not a format"),
        ("100%", (), NotTextError, "not a format"),
        ("%201s", "a", LimitReachedError, "at most 200"),
        ("%.201f", 1.0, LimitReachedError, "at most 200"),
        ("%1000s", "a", LimitReachedError, "at most 200"),
        (f"%{'1' * 5000}s", "a", LimitReachedError, "at most 200"),
        ("%s", [1], NotTextError, "not a list"),
        ("%(a)s", {"a": [1]}, NotTextError, "not a list"),
        ("%s", "x" * MAX_TEXT, LimitReachedError, "grows beyond|characters"),
        ("%(a)s%(a)s%(a)s", {"a": "x" * (MAX_TEXT // 2)}, LimitReachedError, "grows beyond|characters"),
    ],
)
def test_any_other_format_is_refused(pattern: str, values: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        percent_format(pattern, values)


def test_what_is_not_defined_is_named_by_a_format() -> None:
    class Strict(Undefined):
        def __str__(self) -> str:
            self._fail_with_undefined_error()
            return ""

    with pytest.raises(UndefinedError, match="gone"):
        percent_format("%s", Strict(name="gone"))


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("center", (200,)),
        ("center", ()),
        ("zfill", (0,)),
        ("join", (["a", "b"],)),
        ("join", ("abc",)),
        ("join", (5,)),
        ("join", ()),
        ("strip", ()),
        ("strip", ("x" * 200,)),
        ("replace", ("a", "b")),
        ("upper", ()),
        ("split", ("x" * 201,)),
    ],
)
def test_methods_of_texts_that_cost_little_may_be_called(method: str, arguments: tuple[Any, ...]) -> None:
    check_string_call("text", method, arguments)


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("center", (201,), LimitReachedError),
        ("ljust", (201,), LimitReachedError),
        ("rjust", (-1,), LimitReachedError),
        ("zfill", ("5",), LimitReachedError),
        ("join", (["x" * MAX_TEXT],), LimitReachedError),
        ("join", (["a"] * (MAX_TEXT // 4),), LimitReachedError),
        ("join", (iter(["a"]),), NotTextError),
        ("strip", ("x" * 201,), LimitReachedError),
        ("lstrip", ("x" * 201,), LimitReachedError),
        ("rstrip", ("x" * 201,), LimitReachedError),
        ("replace", ("t", "x" * MAX_TEXT), LimitReachedError),
    ],
)
def test_methods_of_texts_that_cost_much_are_refused(
    method: str, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        check_string_call("text", method, arguments)


def test_a_replacement_is_refused_by_what_it_makes_and_not_by_what_it_says() -> None:
    check_replace("a" * 100, "b", "x" * MAX_TEXT)
    check_replace("aa", "a", "x" * (MAX_TEXT - 1), 1)
    check_replace("aa", "a", "x" * (MAX_TEXT // 2))
    check_replace("aa", 1, "x" * MAX_TEXT)
    check_replace("aa", "a", 5)
    check_replace("aa", "a", "b", None)
    check_replace("aa", "a", "x" * MAX_TEXT, 0)
    for arguments in (("a", "x" * MAX_TEXT, 1), ("a", "x" * (MAX_TEXT // 2 + 1)), ("", "x" * MAX_TEXT)):
        with pytest.raises(LimitReachedError):
            check_replace("aa", *arguments)


def test_characters_to_strip_are_counted_and_other_values_left_to_python() -> None:
    check_trimmed("a", None)
    check_trimmed("a", 5)
    with pytest.raises(LimitReachedError, match="at most 200 characters"):
        check_trimmed("a", "x" * 201)


def test_a_width_is_given_back() -> None:
    assert [check_width(width) for width in (0, 7, 200)] == [0, 7, 200]


def test_a_range_has_as_many_numbers_as_a_rendering_may_loop() -> None:
    assert bounded_range(MAX_ITERATIONS) == range(MAX_ITERATIONS)
    assert bounded_range(5, 0, -1) == range(5, 0, -1)
    with pytest.raises(LimitReachedError, match="at most 10000"):
        bounded_range(MAX_ITERATIONS + 1)


def test_what_an_operator_looks_through_counts_however_small_its_result_is() -> None:
    names = frozenset(map(str, range(1_000)))
    budget = Budget()
    for _ in range(MAX_WORK // (2 * size_of(names) + 1)):
        assert operate("-", names, names, budget) == frozenset()
    with pytest.raises(LimitReachedError, match="too many steps"):
        operate("-", names, names, budget)


def test_a_text_times_what_is_no_number_is_left_to_python() -> None:
    for times in (1.5, 1e9, None, "a"):
        with pytest.raises(TypeError, match="can't multiply sequence"):
            compute("a", "*", times)


def test_a_text_is_not_added_to_a_list() -> None:
    with pytest.raises(NotTextError, match="to join a text and a list, write ~"):
        compute("a", "+", ["b"])
    with pytest.raises(TypeError, match="can only concatenate"):
        compute([1], "+", (2,))


def test_a_format_may_make_a_text_as_long_as_any() -> None:
    longest = "x" * (MAX_TEXT - 2)

    assert percent_format("%s", longest) == longest
    assert percent_format("%s", (longest,)) == longest
    assert percent_format("%(a)s", {"a": "x" * (MAX_TEXT - 5)}) == "x" * (MAX_TEXT - 5)
    assert percent_format("%(a)s%(a)s", {"a": "x" * 32_000}) == "x" * 64_000
