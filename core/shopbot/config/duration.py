"""Lengths of time as people write them: 30s, 10m, 24h, 365d, 1h30m."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from shopbot.config.expected import expected

LONGEST = timedelta(days=36_500)
"""A century: longer ones are slips, and would overflow dates."""

PATTERN = r"^(?=.)([0-9]{1,9}w)?([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m(?!s))?([0-9]{1,9}s)?([0-9]{1,9}ms)?$"
"""Whole numbers with units, the largest unit first, each at most once."""

_PARTS = re.compile(PATTERN)
_UNITS = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds")
_SIZES = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("m", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
    ("ms", timedelta(milliseconds=1)),
)
_EXAMPLES = "a duration such as 30s, 10m, 24h or 365d"


def parse_duration(text: str) -> timedelta:
    """Read `24h`, `1h30m`, `250ms` or `2w`. Raises `ValueError` for anything else, and beyond a century."""
    match = _PARTS.fullmatch(text)
    if match is None:
        raise ValueError("not a duration")
    counts = [int(group.rstrip("wdhms")) if group else 0 for group in match.groups()]
    try:
        duration = timedelta(**dict(zip(_UNITS, counts, strict=True)))
    except OverflowError:
        duration = timedelta.max
    if duration > LONGEST:
        raise ValueError("longer than a century")
    return duration


def format_duration(duration: timedelta) -> str:
    """Write a duration the way `parse_duration` reads it, to the nearest millisecond: `1d12h`, `0s`.

    A negative one, which only a calculation can give, begins with `-`.
    """
    sign = "-" if duration < timedelta(0) else ""
    milliseconds = round(abs(duration) / timedelta(milliseconds=1))
    rest = timedelta(milliseconds=milliseconds)
    text = ""
    for unit, size in _SIZES:
        count, rest = divmod(rest, size)
        if count:
            text += f"{count}{unit}"
    return sign + text if text else "0s"


def _from_yaml(value: object) -> timedelta:
    if isinstance(value, timedelta):  # from Python code: a default, a test
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise expected(_EXAMPLES, ": say which unit", text=False)
    if not isinstance(value, str):
        raise expected(_EXAMPLES, text=False)
    try:
        return parse_duration(value)
    except ValueError as error:
        unitless = ": say which unit" if value.isdecimal() else ""
        what = "a duration of at most a century (36500d)" if "century" in str(error) else _EXAMPLES
        raise expected(what, unitless, text=False) from error


def _positive(value: object) -> timedelta:
    if isinstance(value, str) and value.startswith("-"):
        raise expected("a duration longer than zero", text=False)
    duration = _from_yaml(value)
    if duration <= timedelta(0):
        raise expected("a duration longer than zero", text=False)
    return duration


_SERIALIZER = PlainSerializer(format_duration, return_type=str, when_used="json")
_SCHEMA = WithJsonSchema(
    {
        "type": "string",
        "pattern": PATTERN,
        "patternErrorMessage": f"expected {_EXAMPLES}",
        "examples": ["250ms", "30s", "10m", "24h", "365d"],
    }
)

Duration = Annotated[timedelta, BeforeValidator(_from_yaml), _SERIALIZER, _SCHEMA]
"""A length of time; zero is allowed. Written with a unit in YAML, a `timedelta` in Python."""

PositiveDuration = Annotated[timedelta, BeforeValidator(_positive), _SERIALIZER, _SCHEMA]
"""A length of time above zero. Written with a unit in YAML, a `timedelta` in Python."""
