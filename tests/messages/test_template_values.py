"""What may be read of each kind of value, how it is written and named, and what is too large to keep."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from functools import cached_property
from itertools import count
from typing import Any, NamedTuple

import pytest
from babel import Locale
from jinja2 import Environment
from pydantic import BaseModel, ConfigDict, computed_field

from shopbot.messages.filters import Formatting
from shopbot.messages.template_budget import (
    CHARACTERS_PER_STEP,
    MAX_ITERATIONS,
    MAX_TEXT,
    MAX_WEIGHT,
    MAX_WORK,
    Budget,
    LimitReachedError,
)
from shopbot.messages.template_values import (
    MAX_NESTING,
    NotTextError,
    admit,
    check_length,
    describe,
    is_readable,
    kind_of,
    readable_names,
    size_of,
    size_of_all,
    text_of,
    weigh,
)

MOMENT = datetime(2026, 2, 5, 12, tzinfo=UTC)


class Color(StrEnum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Shape(Enum):
    ROUND = "round"


class Pair(NamedTuple):
    left: str
    right: str


class Amount(BaseModel):
    amount: Decimal
    currency: str


class Price(NamedTuple):
    amount: Decimal
    currency: str


class Half(BaseModel):
    amount: Decimal = Decimal(1)


class OrderView(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str = "#1"
    _secret: str = "s"

    @property
    def units(self) -> int:
        return 1

    @property
    def _hidden(self) -> int:
        return 1

    @cached_property
    def title(self) -> str:
        return "t"

    @computed_field
    def short_name(self) -> str:
        return "1"

    def delete(self) -> None:
        raise AssertionError("a template called a model's method")

    @classmethod
    def make(cls) -> None:
        raise AssertionError("a template called a model's method")


MODULE = Environment(autoescape=True).from_string("{% set shown = 1 %}{% set _own = 2 %}").module


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (OrderView(), {"name", "short_name", "title", "units"}),
        (OrderView.model_validate({"note": "n", "_n": 1}), {"name", "short_name", "title", "units", "note"}),
        ({"a": 1, "_b": 2, 3: 4}, {"a", "get", "items", "keys", "values"}),
        ([1], {"count", "index"}),
        (Pair("l", "r"), {"count", "index", "left", "right"}),
        (Shape.ROUND, {"name", "value"}),
        (MOMENT, {"hour", "minute", "second", "date"} | {"year", "month", "day", "weekday", "isoweekday", "isoformat"}),
        (MOMENT.date(), {"year", "month", "day", "weekday", "isoweekday", "isoformat"}),
        (timedelta(1), {"days", "seconds", "total_seconds"}),
        (5, set()),
        (None, set()),
        (len, set()),
        (MODULE, {"shown"}),
    ],
)
def test_a_dot_reads_data_and_what_is_suggested_is_what_can_be_read(value: object, names: set[str]) -> None:
    assert readable_names(value) == names
    others = {*dir(value), *dir(type(value)), "_b", "_own", "nothing"} - names
    assert [name for name in names if not is_readable(value, name) and not isinstance(value, dict)] == []
    assert [name for name in others if is_readable(value, name)] == []


def test_a_text_that_is_one_of_a_choice_is_read_as_both() -> None:
    assert is_readable(Color.RED, "upper")
    assert is_readable(Color.RED, "value")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing (none)"),
        ("a", "a text"),
        (Color.RED, "a text"),
        (True, "a yes or no"),
        (1, "a number"),
        (1.5, "a number"),
        (Decimal(1), "a number"),
        ([], "a list"),
        ((), "a list"),
        ({}, "a mapping"),
        (MOMENT, "a moment"),
        (MOMENT.date(), "a date"),
        (OrderView(), "an Order"),
        (Half(), "a Half"),
        (Amount(amount=Decimal(1), currency="EUR"), "an Amount"),
        (type("View", (), {})(), "a View"),
    ],
)
def test_a_value_is_named_in_a_merchant_s_words(value: object, words: str) -> None:
    assert kind_of(value) == words


def test_an_error_without_a_text_is_named_by_its_kind() -> None:
    assert describe(ValueError("too short")) == "too short"
    assert describe(ValueError()) == "ValueError"


def written(value: object) -> str:
    return text_of(value, Formatting(Locale("en"), UTC))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("a", "a"),
        (Color.RED, "red"),
        (Level.HIGH, "3"),
        (Shape.ROUND, "round"),
        (True, "True"),
        (7, "7"),
        (1.5, "1.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E+100"), "1" + "0" * 100),
        (Decimal("1E+101"), "1E+101"),
        (Decimal("1E-100"), "0." + "0" * 99 + "1"),
        (Decimal("1E-101"), "1E-101"),
        (Decimal("Infinity"), "Infinity"),
        (Decimal("NaN"), "NaN"),
        (date(2026, 2, 10), "Feb 10, 2026"),
        (MOMENT, "Feb 5, 2026, 12:00:00\u202fPM"),
        (Amount(amount=Decimal("42.5"), currency="EUR"), "€42.50"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_value_is_written_as_a_shopper_reads_it(value: object, text: str) -> None:
    assert written(value) == text


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        *((several, "cannot show a list") for several in ([1], (1,), {1}, range(3), iter([1]), {1: 2}.keys())),
        (Price(Decimal(1), "EUR"), "cannot show a list"),
        ({"a": 1}, "cannot show a whole mapping"),
        ("a".upper, "call it with"),
        (Half(), "cannot show a Half as a whole"),
        (timedelta(1), "cannot show a timedelta as a whole"),
    ],
)
def test_what_is_no_text_is_refused_with_what_to_do(value: object, advice: str) -> None:
    with pytest.raises(NotTextError, match=advice):
        written(value)


@pytest.mark.parametrize(
    "value",
    [
        *("x" * MAX_TEXT, 2**256 - 1, -(2**256) + 1, Decimal("9E+100"), Decimal("1E-100"), Decimal("Infinity"), None),
        *([1] * (MAX_WEIGHT - 1), (1,) * (MAX_WEIGHT - 1), dict.fromkeys(range(MAX_WEIGHT // 2 - 1))),
        *({*range(5)}, frozenset({1}), 1.5, True),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_value_of_bounded_size_is_admitted_as_it_is(value: object) -> None:
    assert admit(value, Budget()) is value


@pytest.mark.parametrize(
    "value",
    [
        *("x" * (MAX_TEXT + 1), 2**256, -(2**256), Decimal("1E+101"), Decimal("1E-101")),
        *([1] * MAX_WEIGHT, (1,) * MAX_WEIGHT, {*range(MAX_WEIGHT)}, frozenset(range(MAX_WEIGHT))),
        *(dict.fromkeys(range(MAX_WEIGHT // 2)), ["x" * CHARACTERS_PER_STEP * MAX_WEIGHT]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_larger_value_is_refused(value: object) -> None:
    with pytest.raises(LimitReachedError):
        admit(value, Budget())


@pytest.mark.parametrize(
    "lazy", [iter, lambda items: dict.fromkeys(items).keys(), lambda items: dict(enumerate(items)).values()]
)
def test_what_is_computed_lazily_is_computed_at_once(lazy: Callable[[Any], object]) -> None:
    assert admit(lazy([1, 2]), Budget()) == [1, 2]
    assert admit(lazy(range(MAX_ITERATIONS)), Budget()) == list(range(MAX_ITERATIONS))


def test_the_entries_of_a_mapping_become_a_list_and_a_set_stays_one() -> None:
    assert admit({"a": 1}.items(), Budget()) == [("a", 1)]
    assert admit({1}, Budget()) == {1}


def test_what_is_computed_lazily_without_an_end_is_refused() -> None:
    with pytest.raises(LimitReachedError, match="more than 10000"):
        admit(count(), Budget())
    with pytest.raises(LimitReachedError, match="more than 10000"):
        admit(iter(range(MAX_ITERATIONS + 1)), Budget())


def test_what_is_admitted_costs_its_weight() -> None:
    budget = Budget()
    budget.spend(MAX_WORK - 3)
    admit([1, 2], budget)

    with pytest.raises(LimitReachedError, match="too many steps"):
        admit([], budget)


@pytest.mark.parametrize(
    ("value", "weight"),
    [
        ([], 1),
        ([1, 2], 3),
        ((1, (2, 3)), 5),
        ({1, 2}, 3),
        (frozenset({1}), 2),
        ({"a": 1, "b": [2]}, 6),
        (["x" * (CHARACTERS_PER_STEP - 1)], 2),
        (["x" * (2 * CHARACTERS_PER_STEP)], 4),
        ("x" * CHARACTERS_PER_STEP, 2),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_container_weighs_what_it_holds_at_every_depth(value: object, weight: int) -> None:
    assert weigh(value) == weight


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_what_is_nested_too_deeply_weighs_more_than_anything_may() -> None:
    assert weigh(nested(MAX_NESTING)) == MAX_NESTING + 1
    assert weigh(nested(MAX_NESTING + 1)) == MAX_WEIGHT + 1


def test_weighing_stops_soon_after_the_limit() -> None:
    value: object = "x"
    for _ in range(15):
        value = [value] * 1000

    assert weigh(value) == MAX_WEIGHT + 1


@pytest.mark.parametrize(
    ("value", "steps"),
    [
        ("", 1),
        ("x" * CHARACTERS_PER_STEP, 2),
        (b"x" * CHARACTERS_PER_STEP, 2),
        ([1, 2], 3),
        ((1,), 2),
        ({1}, 2),
        (frozenset({1}), 2),
        ({1: 2}, 3),
        (5, 1),
        (range(100), 1),
    ],
    ids=lambda value: str(value)[:20],
)
def test_to_look_at_a_value_costs_what_is_in_it(value: object, steps: int) -> None:
    assert size_of(value) == steps
    assert size_of_all([value, value, 1]) == 2 * steps + 1


def test_a_text_may_be_announced_up_to_its_limit() -> None:
    check_length(MAX_TEXT)
    with pytest.raises(LimitReachedError, match="grows beyond"):
        check_length(MAX_TEXT + 1)


class Rate(BaseModel):
    """Has a currency, and is no sum of money."""

    currency: str = "EUR"


def test_what_has_a_currency_and_no_amount_is_not_written_as_money() -> None:
    with pytest.raises(NotTextError, match="cannot show a Rate as a whole"):
        written(Rate())
