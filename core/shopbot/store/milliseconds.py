"""Moments as the store keeps them: whole milliseconds since 1970."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime.fromtimestamp(0, UTC)


def milliseconds(moment: datetime) -> int:
    """Count the whole milliseconds since 1970 in UTC. Exact: a float would be one short for some moments."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)
