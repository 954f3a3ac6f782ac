from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot.messages.delivery import DeliveryCalendar, estimated_delivery

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
AUCKLAND = ZoneInfo("Pacific/Auckland")


def at(year: int, month: int, day: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def test_three_business_days_over_a_weekend() -> None:
    """The design's own example: ordered Thursday 5 February, delivered Tuesday 10."""
    assert estimated_delivery(at(2026, 2, 5), 3, BERLIN) == date(2026, 2, 10)


def test_the_orders_day_is_the_one_on_the_shops_clock() -> None:
    late = at(2026, 2, 5, 23, 30)  # Friday 00:30 in Berlin, Thursday 18:30 in New York, Friday noon in Auckland

    assert estimated_delivery(late, 1, BERLIN) == date(2026, 2, 9)
    assert estimated_delivery(late, 1, NEW_YORK) == date(2026, 2, 6)
    assert estimated_delivery(late, 1, AUCKLAND) == date(2026, 2, 9)


def test_an_order_at_the_weekend_counts_from_monday() -> None:
    assert estimated_delivery(at(2026, 2, 7), 1, BERLIN) == date(2026, 2, 9)
    assert estimated_delivery(at(2026, 2, 8), 1, BERLIN) == date(2026, 2, 9)


def test_no_days_means_today_or_the_next_business_day() -> None:
    assert estimated_delivery(at(2026, 2, 6), 0, BERLIN) == date(2026, 2, 6)
    assert estimated_delivery(at(2026, 2, 7), 0, BERLIN) == date(2026, 2, 9)
    assert estimated_delivery(at(2026, 5, 1), 0, BERLIN, "DE") == date(2026, 5, 4)


def test_public_holidays_are_skipped_where_a_country_is_given() -> None:
    before_easter = at(2026, 4, 2)  # Thursday before Good Friday

    assert estimated_delivery(before_easter, 1, BERLIN) == date(2026, 4, 3)
    assert estimated_delivery(before_easter, 1, BERLIN, "DE") == date(2026, 4, 7)


def test_new_years_day_of_the_next_year_is_skipped() -> None:
    assert estimated_delivery(at(2026, 12, 31), 1, BERLIN) == date(2027, 1, 1)
    assert estimated_delivery(at(2026, 12, 31), 1, BERLIN, "DE") == date(2027, 1, 4)
    assert estimated_delivery(at(2025, 12, 31), 1, BERLIN, "DE") == date(2026, 1, 2)


def test_a_holiday_observed_in_the_year_before_is_skipped() -> None:
    """New Year's Day 2028 is a Saturday: in the United States, Friday 31 December 2027 is the day off."""
    assert estimated_delivery(at(2027, 12, 30), 1, NEW_YORK, "US") == date(2028, 1, 3)


def test_month_ends_and_leap_days() -> None:
    assert estimated_delivery(at(2028, 2, 28), 1, BERLIN) == date(2028, 2, 29)
    assert estimated_delivery(at(2027, 2, 26), 1, BERLIN) == date(2027, 3, 1)
    assert estimated_delivery(at(2026, 4, 30), 1, BERLIN, "DE") == date(2026, 5, 4)


def test_days_of_23_and_25_hours_count_as_days() -> None:
    spring = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)  # Sunday 00:30, an hour and a half before clocks go forward
    autumn = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)  # Sunday 00:30, before clocks go back

    assert estimated_delivery(spring, 1, BERLIN) == date(2026, 3, 30)
    assert estimated_delivery(autumn, 1, BERLIN) == date(2026, 10, 26)


def test_a_subdivisions_own_holidays_count() -> None:
    epiphany_eve = at(2026, 1, 5)

    assert estimated_delivery(epiphany_eve, 1, BERLIN, "DE") == date(2026, 1, 6)
    assert estimated_delivery(epiphany_eve, 1, BERLIN, "DE", "BY") == date(2026, 1, 7)
    assert estimated_delivery(epiphany_eve, 1, BERLIN, "de", "DE-BY") == date(2026, 1, 7)


def test_the_weekend_is_the_countrys() -> None:
    thursday = at(2026, 2, 5, 10)

    assert estimated_delivery(thursday, 1, ZoneInfo("Asia/Riyadh"), "SA") == date(2026, 2, 8)
    assert estimated_delivery(thursday, 1, ZoneInfo("Asia/Jerusalem"), "IL") == date(2026, 2, 8)
    assert estimated_delivery(thursday, 1, ZoneInfo("Asia/Dubai"), "AE") == date(2026, 2, 6)


def test_a_weekend_day_that_is_worked_instead_of_a_holiday_counts() -> None:
    """China works Saturday 28 February 2026 for the days off at Spring Festival."""
    assert estimated_delivery(at(2026, 2, 27, 3), 1, ZoneInfo("Asia/Shanghai"), "CN") == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("country", "suggestion"),
    [
        ("Germany", "'DE'"),
        (" Germany ", "'DE'"),
        ("European Union", "two letters"),
        (" DEE ", "did you mean"),
        ("11", "unknown country '11' (two letters"),
        ("germny", "'DE'"),
        ("United States", "'US'"),
        ("DEE", "did you mean"),
        ("Q1", "two letters"),
    ],
)
def test_an_unknown_country_is_an_error_with_a_suggestion(country: str, suggestion: str) -> None:
    with pytest.raises(ValueError, match=f"unknown country '{country}'") as caught:
        DeliveryCalendar(3, BERLIN, country)
    assert suggestion in str(caught.value)


@pytest.mark.parametrize(("country", "subdivision"), [("DE", "BY"), (" de ", " BY "), ("de", "DE-BY")])
def test_a_subdivision_may_be_written_in_several_ways(country: str, subdivision: str) -> None:
    """Epiphany is a holiday in Bavaria, and no holiday in most of Germany."""
    assert estimated_delivery(at(2026, 1, 5, 12), 1, BERLIN, country, subdivision) == date(2026, 1, 7)
    assert estimated_delivery(at(2026, 1, 5, 12), 1, BERLIN, country) == date(2026, 1, 6)


def test_an_unknown_subdivision_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown subdivision 'BX' of DE.*BY"):
        DeliveryCalendar(3, BERLIN, "DE", "BX")
    with pytest.raises(ValueError, match=r"'by' of DE; did you mean 'BY'\? \(known: "):
        DeliveryCalendar(3, BERLIN, "DE", "by")
    with pytest.raises(ValueError, match=r"'123' of DE \(known: "):
        DeliveryCalendar(3, BERLIN, "DE", "123")
    with pytest.raises(ValueError, match="needs its country"):
        DeliveryCalendar(3, BERLIN, None, "BY")


@pytest.mark.parametrize("days", [-1, 366])
def test_a_number_of_days_out_of_range_is_an_error(days: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 365"):
        DeliveryCalendar(days, BERLIN)


def test_a_year_of_business_days_is_the_longest_estimate() -> None:
    assert DeliveryCalendar(365, BERLIN).estimate(datetime(2026, 11, 26, 12, tzinfo=BERLIN)) == date(2028, 4, 20)


def test_a_moment_without_a_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match="time zone"):
        DeliveryCalendar(3, BERLIN).estimate(datetime(2026, 2, 5, 12))  # noqa: DTZ001 - that is the point


MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them naive
PLACES = st.sampled_from([(None, BERLIN), ("DE", BERLIN), ("US", NEW_YORK), ("SA", ZoneInfo("Asia/Riyadh"))])


@given(moment=MOMENTS, days=st.integers(0, 30), place=PLACES)
def test_delivery_is_on_a_business_day_and_not_before_the_order(
    moment: datetime, days: int, place: tuple[str | None, ZoneInfo]
) -> None:
    country, zone = place
    calendar = DeliveryCalendar(days, zone, country)

    day = calendar.estimate(moment)

    ordered = moment.astimezone(zone).date()
    between = [ordered + timedelta(days=number) for number in range(1, (day - ordered).days + 1)]
    assert calendar.is_business_day(day)
    assert day >= ordered
    if days:
        assert sum(map(calendar.is_business_day, between)) == days


@given(moment=MOMENTS, days=st.integers(0, 20), place=PLACES)
def test_more_days_never_mean_an_earlier_delivery(
    moment: datetime, days: int, place: tuple[str | None, ZoneInfo]
) -> None:
    country, zone = place

    sooner = estimated_delivery(moment, days, zone, country)
    later = estimated_delivery(moment, days + 1, zone, country)

    assert sooner <= later
    assert sooner < later or days == 0
