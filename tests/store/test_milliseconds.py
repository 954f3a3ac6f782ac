"""Moments as the store keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from shopbot.store.milliseconds import milliseconds, moment_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=ZONES))  # noqa: DTZ001 - the zone is given beside them
def test_a_moment_is_the_whole_milliseconds_since_1970_in_utc(moment: datetime) -> None:
    assert milliseconds(moment) == (moment - EPOCH) // timedelta(milliseconds=1)


@given(st.integers(-2_000_000_000_000, 7_000_000_000_000))
def test_what_was_written_is_read_back(written: int) -> None:
    assert milliseconds(moment_of(str(written))) == written
