"""The estimated delivery date: business days after the order's day in the shop's time zone."""

from __future__ import annotations

import difflib
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

import holidays
from babel import Locale

MAX_BUSINESS_DAYS: Final = 365
_SATURDAY: Final = 5


class DeliveryCalendar:
    """The business days of one shop.

    business_days: how many business days after the order's day a parcel arrives, 0 to 365. 0 means the same
    day, or the next business day for an order on a day off.
    timezone: the shop's; the order's day is the one that its clock shows.
    country: ISO 3166-1 code (`DE`) whose public holidays and weekend count; None: Saturdays and Sundays only.
    subdivision: state or province of *country* (`BY`), for its own holidays; None: the nationwide ones.

    Holidays are those of the package `holidays` (https://holidays.readthedocs.io), with substitute days and,
    where a country has them, weekends that are worked. Each year is computed once, when first needed.

    Raises:
        ValueError: a number of days out of range, or a country or subdivision that is not known.
    """

    def __init__(
        self,
        business_days: int,
        timezone: tzinfo,
        country: str | None = None,
        subdivision: str | None = None,
    ) -> None:
        if not 0 <= business_days <= MAX_BUSINESS_DAYS:
            raise ValueError(f"business_days must be between 0 and {MAX_BUSINESS_DAYS}, got {business_days}")
        if subdivision is not None and country is None:
            raise ValueError("a subdivision needs its country")
        self._business_days = business_days
        self._timezone = timezone
        self._holidays = None if country is None else _public_holidays(country, subdivision)

    def estimate(self, ordered_at: datetime) -> date:
        """Say when an order of that moment arrives.

        Raises ValueError for a moment without a time zone: its day would be a guess.
        """
        if ordered_at.tzinfo is None:
            raise ValueError("ordered_at needs a time zone")
        day = ordered_at.astimezone(self._timezone).date()
        if self._business_days == 0:
            return self._on_or_after(day)
        for _ in range(self._business_days):
            day = self._on_or_after(day + timedelta(days=1))
        return day

    def is_business_day(self, day: date) -> bool:
        """Say whether parcels are delivered on *day*."""
        if self._holidays is None:
            return day.weekday() < _SATURDAY
        return self._holidays.is_working_day(day)

    def _on_or_after(self, day: date) -> date:
        while not self.is_business_day(day):
            day += timedelta(days=1)
        return day


def estimated_delivery(
    ordered_at: datetime,
    business_days: int,
    timezone: tzinfo,
    country: str | None = None,
    subdivision: str | None = None,
) -> date:
    """Estimate one delivery; see `DeliveryCalendar`, which is what to keep for more than one."""
    return DeliveryCalendar(business_days, timezone, country, subdivision).estimate(ordered_at)


def _public_holidays(country: str, subdivision: str | None) -> holidays.HolidayBase:
    known = holidays.list_supported_countries(include_aliases=True)
    code = country.strip().upper()
    if code not in known:
        raise ValueError(f"unknown country '{country}'{_country_suggestion(country, known)}")
    if subdivision is None:
        return holidays.country_holidays(code)
    part = subdivision.strip().removeprefix(f"{code}-")
    parts = known[code]
    if part not in parts:
        close = difflib.get_close_matches(part.upper(), parts, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        choice = f" (known: {', '.join(parts)})" if parts else " (it has none)"
        raise ValueError(f"unknown subdivision '{subdivision}' of {code}{hint}{choice}")
    return holidays.country_holidays(code, subdiv=part)


def _country_suggestion(country: str, known: dict[str, list[str]]) -> str:
    """Suggest a code for what may be a name in English (`Germany`) or a misspelt code."""
    codes = {name.casefold(): code for code, name in Locale("en").territories.items() if code in known}
    names = difflib.get_close_matches(country.strip().casefold(), codes, n=1, cutoff=0.75)
    if names:
        return f"; did you mean '{codes[names[0]]}'?"
    close = difflib.get_close_matches(country.strip().upper(), known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"{hint} (two letters, as in ISO 3166-1: DE, US, GB)"
