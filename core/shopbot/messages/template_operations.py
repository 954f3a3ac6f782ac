"""Operators, string methods and functions of templates, each refused before it costs much."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from jinja2.runtime import Undefined

from shopbot.messages.template_budget import MAX_ITERATIONS, Budget, LimitReachedError
from shopbot.messages.template_values import NotTextError, admit, check_length, kind_of, size_of

MAX_POWER: Final = 64
MAX_FIELD_WIDTH: Final = 200
"""Widest column that `%20s`, `center(20)` and their like may make."""

_FORMAT_FIELD: Final = re.compile(
    r"%(?:\([^()]*\))?[-#0 +]*(?P<width>[0-9]*)(?:\.(?P<precision>[0-9]*))?[diouxXeEfFgGcs%]"
)
_OPERATORS: Final[Mapping[str, Callable[[Any, Any], object]]] = MappingProxyType({
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
})  # fmt: skip


def operate(symbol: str, left: object, right: object, budget: Budget) -> object:
    """Compute `left symbol right`; raises LimitReachedError when the result would be too large.

    A decimal amount may meet a float (`total * 1.19`): the float counts as what was written.
    """
    if isinstance(left, Decimal) and isinstance(right, float):
        right = Decimal(repr(right))
    elif isinstance(left, float) and isinstance(right, Decimal):
        left = Decimal(repr(left))
    if symbol == "*":
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, str | bytes | list | tuple) and isinstance(times, int):
                check_length(len(sequence) * times)
    elif symbol == "+" and isinstance(left, str) != isinstance(right, str) and not _is_undefined(left, right):
        raise NotTextError(f"+ adds numbers; to join {kind_of(left)} and {kind_of(right)}, write ~")
    elif symbol == "%" and isinstance(left, str):
        return admit(percent_format(left, right), budget)
    elif symbol == "**":
        _check_power(right)
    # For what is looked through, too: of two large sets the difference may be small.
    budget.spend(size_of(left) + size_of(right))
    return admit(_OPERATORS[symbol](left, right), budget)


def _is_undefined(*values: object) -> bool:
    return any(isinstance(value, Undefined) for value in values)


def _check_power(exponent: object) -> None:
    """Refuse what would take long to compute; of what is no number, Python says so."""
    if isinstance(exponent, int | float | Decimal) and not -MAX_POWER <= exponent <= MAX_POWER:
        raise LimitReachedError(f"a power must be a number between -{MAX_POWER} and {MAX_POWER}")


def percent_format(pattern: str, values: object) -> str:
    """Fill the `%` fields of *pattern*: only plain values, no `%r`, no wide fields, no width from a value."""
    if "%" in _FORMAT_FIELD.sub("", pattern):
        raise NotTextError("not a format; fields look like %s, %d or %.2f, and a percent sign is written %%")
    for field in _FORMAT_FIELD.finditer(pattern):
        if any(len(digits) > 3 or int(digits) > MAX_FIELD_WIDTH for digits in field.groups() if digits):  # noqa: PLR2004 - so that no huge int is read
            raise LimitReachedError(f"a field may be at most {MAX_FIELD_WIDTH} characters wide")
    if isinstance(values, Mapping):
        plain: object = {name: _plain(value) for name, value in values.items()}
        total = sum(len(value) for value in values.values() if isinstance(value, str))
    else:
        given = values if isinstance(values, tuple) else (values,)
        plain = tuple(_plain(value) for value in given)
        total = sum(len(value) for value in given if isinstance(value, str))
    # A mapping's value may be used by each field.
    check_length(len(pattern) + total * (pattern.count("%") if isinstance(values, Mapping) else 1))
    return pattern % plain


def _plain(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, str | int | float | Decimal):
        return value
    if isinstance(value, Undefined):
        return str(value)  # raises the error that names it
    raise NotTextError(f"a format takes texts and numbers, not {kind_of(value)}")


def check_string_call(text: str, method: str, arguments: tuple[Any, ...]) -> None:
    """Refuse a call of a string's method that would make a much longer text."""
    if method in {"center", "ljust", "rjust", "zfill"} and arguments:
        check_width(arguments[0])
    elif method == "join" and arguments and isinstance(arguments[0], Iterable):
        parts = arguments[0]
        if not isinstance(parts, list | tuple | set | frozenset | str | Mapping):
            raise NotTextError("join needs a list of texts")
        check_length(sum(len(part) + len(text) for part in parts if isinstance(part, str)))
    elif method in {"strip", "lstrip", "rstrip"}:
        check_trimmed(text, *arguments)
    elif method == "replace":
        check_replace(text, *arguments)


def check_replace(text: str, old: object = "", new: object = "", count: object = -1) -> None:
    """Refuse a replacement that would make a much longer text. Wrong types are left to `str.replace`."""
    if isinstance(old, str) and isinstance(new, str) and isinstance(count, int):
        found = text.count(old)
        times = found if count < 0 else min(found, count)
        check_length(len(text) + times * (len(new) - len(old)))


def check_trimmed(_text: str, chars: object = None) -> None:
    """Refuse to look each character up in a long list of characters to strip."""
    if isinstance(chars, str) and len(chars) > MAX_FIELD_WIDTH:
        raise LimitReachedError(f"at most {MAX_FIELD_WIDTH} characters to strip")


def check_width(width: object) -> int:
    """Refuse a width that is no number, negative or large."""
    if not isinstance(width, int) or not 0 <= width <= MAX_FIELD_WIDTH:
        raise LimitReachedError(f"a width must be a number from 0 to {MAX_FIELD_WIDTH}")
    return width


def bounded_range(*bounds: int) -> range:
    """Python's range, as long as a rendering may loop."""
    numbers = range(*bounds)
    if len(numbers) > MAX_ITERATIONS:
        raise LimitReachedError(f"a range may have at most {MAX_ITERATIONS} numbers")
    return numbers
