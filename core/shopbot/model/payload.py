"""Reads single values out of what a platform sent: whatever has the wrong form counts as missing."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_DIGITS_OF_64_BITS = 20
_YEARS = range(2, 9990)
"""At the ends of the calendar a moment cannot be told in another time zone, nor a date of delivery be counted."""


def read_integer(value: object) -> int | None:
    """Give a whole number, written as such or as text of ASCII digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS_OF_64_BITS:
        return int(value)
    return None


def read_text(value: object) -> str | None:
    """Give a text that is not empty; None for anything else."""
    # JSON can escape half a surrogate pair, which no store and no message takes.
    return value.encode(errors="replace").decode() if isinstance(value, str) and value else None


def read_mappings(value: object) -> Sequence[Mapping[str, Any]]:
    """Give the mappings in a list; empty for what is no list."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return [item for item in value if isinstance(item, Mapping)]


def read_state(value: object) -> str | None:
    """Give a state's name in lower case, as webhooks spell it; None for anything else."""
    text = read_text(value)
    return text.lower() if text else None


def read_moment(value: object) -> datetime | None:
    """Give a moment written in ISO 8601, taken to be in UTC where it has no offset; None for anything else.

    So is one of the first and last years that Python knows, here as in `read_timestamp`.
    """
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.year not in _YEARS:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_timestamp(value: object) -> datetime | None:
    """Give the moment of so many milliseconds since 1970, in UTC; None for anything else."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        moment = datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.year in _YEARS else None
