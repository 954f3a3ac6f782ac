from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shopbot.model.payload import read_moment, read_timestamp


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T09:00:00+01:00", datetime(2026, 11, 24, 9, tzinfo=timezone(timedelta(hours=1)))),
        ("2026-11-24T09:00:00Z", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("2026-11-24T09:00:00", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_with_its_offset_and_else_in_utc(text: str, moment: datetime) -> None:
    assert read_moment(text) == moment


@pytest.mark.parametrize("value", [None, "", "yesterday", 1_795_392_000, True, [], "2026-02-30", "2026-11-24T25:00"])
def test_what_is_no_moment_counts_as_missing(value: object) -> None:
    assert read_moment(value) is None


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-12-31", "9998-01-01T00:00:00Z"]
)
def test_so_does_one_that_cannot_be_calculated_with(text: str) -> None:
    """No time zone has it, and no parcel arrives some days later: an order must not fail over it."""
    assert read_moment(text) is None


def test_a_timestamp_is_read_in_milliseconds() -> None:
    assert read_timestamp(1_795_392_000_500) == datetime(2026, 11, 23, 0, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, "1795392000000", True, 1.5, -62_135_596_800_000, 253_402_300_799_000, 10**30])
def test_what_is_no_timestamp_counts_as_missing(value: object) -> None:
    """So does one in the years in which nobody can calculate."""
    assert read_timestamp(value) is None
