"""Moments as the store keeps them: whole milliseconds since 1970."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime.fromtimestamp(0, UTC)


def milliseconds(moment: datetime) -> int:
    """Count the whole milliseconds since 1970 in UTC. Exact: a float would be one short for some moments."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment_of(milliseconds: bytes | str | float) -> datetime:
    """Read a moment as the store gives it back, in UTC: a value's text, or the score of a sorted set."""
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
