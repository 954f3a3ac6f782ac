"""What YAML 1.1 makes of a bare word, the way PyYAML's safe loader reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from types import NoneType, UnionType

import yaml

_STANDARD = "tag:yaml.org,2002:"
_SURPRISING = re.compile(r"[-+]?(0[0-7_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
_LONGEST_NUMBER = 100  # beyond this nobody means a number, and converting one takes quadratic time

_KINDS: tuple[tuple[type | UnionType, str], ...] = (
    (bool, "the boolean"),  # before int, which it is one of
    (int | float, "the number"),
    (str, "the text"),
    (datetime, "the time"),  # before date, which it is one of
    (date, "the date"),
    (NoneType, "nothing"),
    (list | tuple, "a list"),
    (dict, "a mapping"),
)

SCALAR_TAGS = frozenset(_STANDARD + name for name in ("str", "bool", "int", "float", "null"))
"""Tags that may be written on a value: `!!str 0123`."""


class NotAValueError(ValueError):
    """An explicit tag (`!!int x`) does not fit its text."""


def convert(tag: str, text: str, *, explicit: bool) -> object:
    """Give the Python value of *text* under the resolved YAML *tag*.

    explicit: the tag stands in the file. Without one, a text that only looks like a number or a date
    (`2026-13-45`) stays a text; PyYAML would fail with a ValueError.

    Raises `NotAValueError` where an explicit tag does not fit.
    """
    try:
        return _construct(tag, text)
    except (ValueError, LookupError, OverflowError) as error:
        if explicit:
            raise NotAValueError(text) from error
        return text


def _construct(tag: str, text: str) -> object:
    constructor = yaml.constructor.SafeConstructor()
    constructors: dict[str, Callable[[yaml.ScalarNode], object]] = {
        "null": constructor.construct_yaml_null,
        "bool": constructor.construct_yaml_bool,
        "int": constructor.construct_yaml_int,
        "float": constructor.construct_yaml_float,
        "timestamp": constructor.construct_yaml_timestamp,
    }
    construct = constructors.get(tag.removeprefix(_STANDARD))
    if construct is None or len(text) > _LONGEST_NUMBER:
        return text
    return construct(yaml.ScalarNode(tag, text))


def is_surprising(source: str) -> bool:
    """Say whether YAML reads a bare number as another one than people do: by eights (`0123`), by sixties (`12:30`)."""
    return _SURPRISING.fullmatch(source) is not None and source.strip("-+0") != ""


def kind(value: object) -> str:
    """Name the kind of a plain Python value, for people: "the boolean", "a list"."""
    return next((name for types, name in _KINDS if isinstance(value, types)), "a value")
