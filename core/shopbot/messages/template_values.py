"""What a template may read, write and keep: plain data and the fields of models, of bounded size."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, ValuesView
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from functools import cached_property
from itertools import islice
from types import UnionType
from typing import Any, Final

from jinja2.environment import TemplateModule
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import BlockReference, LoopContext, Undefined
from pydantic import BaseModel

from shopbot.messages.filters import Formatting
from shopbot.messages.template_budget import (
    CHARACTERS_PER_STEP,
    MAX_ITERATIONS,
    MAX_TEXT,
    MAX_WEIGHT,
    Budget,
    LimitReachedError,
)

MAX_BITS: Final = 256
MAX_EXPONENT: Final = 100
MAX_NESTING: Final = 16

# Without rsplit and rpartition, which CPython searches in quadratic time, and format, which reads attributes.
STRING_METHODS: Final = frozenset({
    "upper", "lower", "title", "capitalize", "casefold", "swapcase", "strip", "lstrip", "rstrip",
    "removeprefix", "removesuffix", "startswith", "endswith", "find", "count", "split", "splitlines",
    "partition", "isdigit", "isalpha", "isalnum", "isnumeric", "isspace", "isupper", "islower", "center",
    "ljust", "rjust", "zfill", "replace", "join"
})  # fmt: skip
_LOOP_FIELDS: Final = frozenset({
    "index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem",
    "nextitem", "cycle", "changed"
})  # fmt: skip
_READABLE: Final[tuple[tuple[type, frozenset[str]], ...]] = (
    (Enum, frozenset({"name", "value"})),
    (str, STRING_METHODS),
    (Mapping, frozenset({"get", "items", "keys", "values"})),
    (list, frozenset({"count", "index"})),
    (tuple, frozenset({"count", "index"})),
    (dt.datetime, frozenset({"hour", "minute", "second", "date"})),
    (dt.date, frozenset({"year", "month", "day", "weekday", "isoweekday", "isoformat"})),
    (dt.timedelta, frozenset({"days", "seconds", "total_seconds"})),
    (LoopContext, _LOOP_FIELDS),
    (BlockReference, frozenset({"super"})),
)
"""Names that may be read from each kind of value. Every kind that fits counts: an Enum may be a str, too."""


_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (type(None), "nothing (none)"),
    (str, "a text"),
    (bool, "a yes or no"),
    (int, "a number"),
    (float, "a number"),
    (Decimal, "a number"),
    (list, "a list"),
    (tuple, "a list"),
    (Mapping, "a mapping"),
    (dt.datetime, "a moment"),
    (dt.date, "a date"),
)


class NotTextError(TemplateRuntimeError):
    """A value stands where only text can stand; the message tells the merchant what to do."""


def readable_names(value: object) -> frozenset[str]:
    """List what a template may read from *value* with a dot, for a suggestion."""
    names: set[str] = set()
    for kind, readable in _READABLE:
        if isinstance(value, kind):
            names |= readable
    if isinstance(value, BaseModel):
        kind = type(value)
        names.update(kind.model_fields, kind.model_computed_fields, value.model_extra or ())
        names.update(name for name in dir(kind) if _is_model_property(kind, name))
    if isinstance(value, Mapping):
        names.update(key for key in islice(value, MAX_ITERATIONS) if isinstance(key, str))
    if isinstance(value, tuple):
        names.update(getattr(value, "_fields", ()))
    if isinstance(value, TemplateModule):
        names.update(vars(value))
    return frozenset(name for name in names if not name.startswith("_"))


def is_readable(value: object, name: str) -> bool:
    """Say whether a template may read the attribute *name* of *value*: data, never a model's methods."""
    if name.startswith("_"):
        return False
    if isinstance(value, BaseModel):
        kind = type(value)
        return (
            name in kind.model_fields
            or name in kind.model_computed_fields
            or name in (value.model_extra or ())
            or _is_model_property(kind, name)
        )
    if isinstance(value, tuple) and name in getattr(value, "_fields", ()):
        return True
    if isinstance(value, TemplateModule):
        return name in vars(value)
    return any(name in readable for kind, readable in _READABLE if isinstance(value, kind))


def _is_model_property(model: type[BaseModel], name: str) -> bool:
    """Tell properties that our models define from those that pydantic gives every model."""
    if inspect.getattr_static(BaseModel, name, None) is not None:
        return False
    return isinstance(inspect.getattr_static(model, name, None), property | cached_property)


def describe(error: Exception) -> str:
    """Name an error that has no text of its own by its kind."""
    return str(error) or type(error).__name__


def kind_of(value: object) -> str:
    """Name the kind of a value in a merchant's words: `a text`, `a list`, `an Order`."""
    for kind, words in _KINDS:
        if isinstance(value, kind):
            return words
    return kind_called(type(value).__name__)


def kind_called(name: str) -> str:
    """Name a kind by the name of its class, which is all that Python's errors tell of it."""
    for kind, words in _KINDS:
        if kind.__name__ == name:
            return words
    name = name.removesuffix("View") or name  # an OrderView is an Order to a merchant
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def text_of(value: object, formatting: Formatting) -> str:
    """Write a value into a message: amounts and dates by language, None as nothing.

    Raises NotTextError for lists, models and functions: their Python notation is never meant for a shopper.
    """
    if isinstance(value, Enum):
        value = value.value
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value, formatting)
    if isinstance(value, BaseModel) and is_readable(value, "amount") and is_readable(value, "currency"):
        return formatting.money(value)
    for kinds, advice in _ADVICE:
        if isinstance(value, kinds):
            raise NotTextError(advice)
    if callable(value):
        raise NotTextError("this is a function; call it with ()")
    raise NotTextError(f"a message cannot show {kind_of(value)} as a whole; name one of its fields")


def _decimal_text(value: Decimal, _formatting: Formatting) -> str:
    return f"{value:f}" if value.is_finite() and abs(value.adjusted()) <= MAX_EXPONENT else str(value)


_WRITERS: Final[tuple[tuple[type, Callable[[Any, Formatting], str]], ...]] = (
    (type(None), lambda _value, _formatting: ""),
    (Undefined, lambda value, _formatting: str(value)),  # which raises the error that names it
    (str, lambda value, _formatting: str(value)),
    (Decimal, _decimal_text),
    (int, lambda value, _formatting: str(value)),
    (float, lambda value, _formatting: str(value)),
    (dt.datetime, lambda value, formatting: formatting.datetime(value)),
    (dt.date, lambda value, formatting: formatting.date(value)),
)
_ADVICE: Final[tuple[tuple[type | UnionType, str], ...]] = (
    (
        list | tuple | AbstractSet | range | Iterator,
        "a message cannot show a list; use a loop, `| join(', ')` or `| listed`",
    ),
    (Mapping, "a message cannot show a whole mapping; name one of its fields"),
)


def admit(value: object, budget: Budget) -> object:
    """Let a value that a template made pass, if it is small; what is computed lazily is computed now.

    Raises LimitReachedError for texts, numbers and containers over the limits.
    """
    if isinstance(value, str):
        return budget.spend_on_text(value)
    if isinstance(value, Iterator | KeysView | ValuesView) or (
        isinstance(value, AbstractSet) and not isinstance(value, set | frozenset)
    ):
        value = list(islice(value, MAX_ITERATIONS + 1))
        if len(value) > MAX_ITERATIONS:  # to go on with the first of them would count or add up too few
            raise LimitReachedError(f"a list of more than {MAX_ITERATIONS} items is too large to be computed")
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise LimitReachedError("the number is too large")
    elif isinstance(value, Decimal):
        if value.is_finite() and abs(value.adjusted()) > MAX_EXPONENT:
            raise LimitReachedError("the number is too large")
    elif isinstance(value, list | tuple | set | frozenset | Mapping):
        weight = weigh(value)
        if weight > MAX_WEIGHT:
            raise LimitReachedError("the list is too large")
        budget.spend(weight)
    return value


def weigh(value: object) -> int:
    """Count what a container holds, at every depth, and the characters of its texts per 64.

    What is in it twice counts twice, since to compare or to write it also costs twice. Stops counting soon after
    MAX_WEIGHT, and takes what is nested too deeply to weigh more than that.
    """
    total = 0
    pending: list[tuple[object, int]] = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        total += 1 + (len(item) // CHARACTERS_PER_STEP if isinstance(item, str) else 0)
        children: Iterator[object] = iter(())
        if isinstance(item, list | tuple | set | frozenset):
            children = iter(item)
        elif isinstance(item, Mapping):
            children = (part for pair in item.items() for part in pair)
        pending.extend((child, depth + 1) for child in islice(children, MAX_WEIGHT))
        if total + len(pending) > MAX_WEIGHT or depth > MAX_NESTING:
            return MAX_WEIGHT + 1
    return total


def size_of(value: object) -> int:
    """Estimate, in steps, what it costs to look once at all of *value*, at every depth."""
    if isinstance(value, str | bytes):
        return 1 + len(value) // CHARACTERS_PER_STEP
    if isinstance(value, list | tuple | set | frozenset | Mapping):
        return weigh(value)
    return 1


def size_of_all(values: Iterable[object]) -> int:
    """Add up `size_of`."""
    return sum(map(size_of, values))


def check_length(characters: int) -> None:
    """Refuse an operation before it makes a text of so many characters."""
    if characters > MAX_TEXT:
        raise LimitReachedError(f"the text grows beyond {MAX_TEXT} characters")
