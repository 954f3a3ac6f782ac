"""What templates use to write amounts, dates, numbers and lists the way the reader's language does.

    {{ order.total | money }}                          €1,234.50        1.234,50 €
    {{ order.estimated_delivery | date('day') }}       Feb 10           10. Feb.
    {{ order.created_at | datetime('short') }}         2/10/26, 5:05 PM  10.02.26, 17:05
    {{ 1234.5 | number }}                              1,234.5          1.234,5
    {{ n | plural(one='# item', other='# items') }}    1 item, 3 items
    {{ names | listed }}                               a, b, and c      a, b und c

Language and time zone come with each rendering, so one compiled template serves every shopper. Names of
formats and letters of patterns are CLDR's: https://babel.pocoo.org/en/latest/dates.html
"""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation, localcontext
from types import MappingProxyType
from typing import Concatenate, Final, Literal, ParamSpec, cast

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal
from jinja2 import pass_context
from jinja2.runtime import Context

FORMATTING_KEY: Final = "~formatting"
"""Where the context keeps the `Formatting`: no template can write this name."""
STYLES: Final = ("short", "medium", "long", "full")
LIST_STYLES: Final[Mapping[str, Literal["standard", "or", "unit"]]] = MappingProxyType(
    {"and": "standard", "or": "or", "unit": "unit"}
)
PLURAL_FORMS: Final = ("zero", "one", "two", "few", "many", "other")
_DAY_SKELETON: Final = "MMMd"
_MAX_PATTERN: Final = 64
_MAX_FIELD: Final = 6
MAX_MAGNITUDE: Final = 30
_DIGITS: Final = 2 * MAX_MAGNITUDE + 1
"""What a number may have before and behind its point; Python's own 28 would make an error of a longer one."""
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_LETTER_BESIDE_DIGIT: Final = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
"""CLDR's currency spacing, which Babel leaves out: `CHF 12.00`, but `$12.00`.
https://www.unicode.org/reports/tr35/tr35-numbers.html#Currencies"""

_Parameters = ParamSpec("_Parameters")


class FormatError(ValueError):
    """A filter got what it cannot write; the text is for the merchant."""


@dataclass(frozen=True, slots=True)
class Formatting:
    """The language and the time zone of one rendering."""

    locale: Locale
    timezone: dt.tzinfo
    """Moments are shown in it; a moment without a zone of its own is taken to be in it."""

    @classmethod
    def of(cls, context: Context) -> Formatting:
        """Find the formatting of the rendering that *context* belongs to."""
        return cast("Formatting", context[FORMATTING_KEY])

    def money(self, value: object, /, currency: str | None = None) -> str:
        """Write an amount: something with `amount` and `currency`, or a number and its ISO 4217 code.

        None is written as nothing. Raises FormatError for what is no amount, or has no currency.
        """
        if value is None:
            return ""
        amount = getattr(value, "amount", value)
        code = currency or getattr(value, "currency", None)
        if not isinstance(code, str) or not _CURRENCY.fullmatch(code):
            raise FormatError("an amount needs its currency, three letters: money('EUR')")
        with localcontext(prec=_DIGITS):
            written = format_currency(_decimal(amount), code, locale=self.locale)
        return _LETTER_BESIDE_DIGIT.sub("\xa0", written)

    def number(self, value: object, /, decimals: int | None = None) -> str:
        """Write a number with the language's separators.

        decimals: how many places to show; None: as many as there are, up to three. A *value* of None is written as
        nothing. Raises FormatError for what is no number.
        """
        if value is None:
            return ""
        if decimals is not None and not 0 <= decimals <= MAX_MAGNITUDE:
            raise FormatError(f"decimals must be between 0 and {MAX_MAGNITUDE}")
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        with localcontext(prec=_DIGITS):
            return format_decimal(_decimal(value), format=None if decimals is None else pattern, locale=self.locale)

    def date(self, value: object, /, format: str = "medium") -> str:  # noqa: A002 - merchants write date(format=…)
        """Write the date of *value*: a date, a moment (its date in the shop's time zone), or its ISO text.

        format: `short`, `medium`, `long`, `full`, `day` for day and month alone, or a CLDR pattern, such as
        `EEE d MMM`. None is written as nothing. Raises FormatError for what is no date, and for a format that
        cannot be.
        """
        moment = _moment(value)
        if moment is None:
            return ""
        day = self._local(moment).date() if isinstance(moment, dt.datetime) else moment
        if format == "day":
            return format_skeleton(_DAY_SKELETON, cast("dt.datetime", day), locale=self.locale)
        return _formatted(lambda: format_date(day, _checked_format(format), locale=self.locale), format)

    def datetime(self, value: object, /, format: str = "medium") -> str:  # noqa: A002 - merchants write datetime(format=…)
        """Write date and time of a moment, in the shop's time zone: a datetime, or its ISO text.

        format: `short`, `medium`, `long`, `full` or a CLDR pattern (`d MMM, HH:mm`). None is written as
        nothing. Raises FormatError for what has no time of day, and for a format that cannot be.
        """
        moment = _moment(value)
        if moment is None:
            return ""
        if not isinstance(moment, dt.datetime):
            raise FormatError("a date without a time of day; use the filter 'date'")
        local = self._local(moment)
        return _formatted(
            lambda: format_datetime(local, _checked_format(format), tzinfo=self.timezone, locale=self.locale),
            format,
        )

    def plural(self, value: object, /, other: str, **forms: str) -> str:
        """Choose the words for a number by the language's rules, and write the number for each `#` in them.

        other: the form that every language has. forms: those of `zero`, `one`, `two`, `few`, `many` that the
        language tells apart; a missing one is `other`. `zero` is also used for 0 where the language has no
        form of its own for it. The rules are CLDR's:
        https://www.unicode.org/cldr/charts/latest/supplemental/language_plural_rules.html

        Raises FormatError for what is no number and for a form that no language has.
        """
        for name in forms:
            if name not in PLURAL_FORMS:
                raise FormatError(f"no plural form '{name}'; there are {', '.join(PLURAL_FORMS)}")
        number = _decimal(value)
        words = forms.get(self.locale.plural_form(number), other)
        if number == 0:
            words = forms.get("zero", words)
        return words.replace("#", self.number(number))

    def listed(self, value: object, /, style: str = "and") -> str:
        """Write items as a phrase: "a, b, and c". style: `and`, `or`, or `unit` for commas alone.

        Raises FormatError for another style and for what is no list of texts or numbers.
        """
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            raise FormatError("expected a list")
        if style not in LIST_STYLES:
            raise FormatError(f"no list style '{style}'; there are {', '.join(LIST_STYLES)}")
        items: list[str] = []
        for item in value:
            if not isinstance(item, str | int | float | Decimal):
                raise FormatError("a list of texts is needed: first pick a field, map(attribute='title')")
            items.append(str(item))
        return format_list(items, style=LIST_STYLES[style], locale=self.locale)

    def _local(self, moment: dt.datetime) -> dt.datetime:
        if moment.tzinfo is None:
            return moment.replace(tzinfo=self.timezone)
        return moment.astimezone(self.timezone)


def _decimal(value: object) -> Decimal:
    """Read a number without passing through a float's binary form: 0.1 stays 0.1."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise FormatError(f"expected a number, got {type(value).__name__}")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise FormatError(f"'{value}' is not a number") from None
    if not number.is_finite() or abs(number.adjusted()) > MAX_MAGNITUDE:
        raise FormatError(f"{number:.3g} is not a number that can be shown")
    return number


def _moment(value: object) -> dt.datetime | dt.date | None:
    if value is None or isinstance(value, dt.date):  # a datetime is a date, too
        return value
    if not isinstance(value, str):
        raise FormatError(f"expected a date, got {type(value).__name__}")
    for read in (dt.date.fromisoformat, dt.datetime.fromisoformat):
        try:
            return read(value)
        except ValueError:
            continue
    raise FormatError(f"'{value[:40]}' is not a date; ISO dates look like 2026-02-10")


def _checked_format(name: str) -> str:
    """Tell a misspelt format name from a pattern: both are letters, and Babel would write nonsense for it."""
    if name in STYLES:
        return name
    close = difflib.get_close_matches(name, (*STYLES, "day"), n=1, cutoff=0.7)
    if close:
        raise FormatError(f"no date format '{name}'; did you mean '{close[0]}'?")
    if len(name) > _MAX_PATTERN or re.search(rf"(.)\1{{{_MAX_FIELD},}}", name):
        raise FormatError("the date pattern is too long")
    return name


def _formatted(write: Callable[[], str], pattern: str) -> str:
    try:
        return write()
    except (AttributeError, KeyError) as error:
        # Babel's way to say: a time field for a date, a letter that is no field.
        raise FormatError(f"the date pattern '{pattern}' does not fit: {error}") from error


def _as_filter(
    method: Callable[Concatenate[Formatting, object, _Parameters], str],
) -> Callable[..., str]:
    @pass_context
    @functools.wraps(method)
    def apply(
        context: Context,
        value: object,
        /,
        *args: _Parameters.args,
        **options: _Parameters.kwargs,
    ) -> str:
        return method(Formatting.of(context), value, *args, **options)

    return apply


FILTERS: Final[Mapping[str, Callable[..., object]]] = MappingProxyType({
    "money": _as_filter(Formatting.money),
    "number": _as_filter(Formatting.number),
    "date": _as_filter(Formatting.date),
    "datetime": _as_filter(Formatting.datetime),
    "plural": _as_filter(Formatting.plural),
    "listed": _as_filter(Formatting.listed),
})  # fmt: skip
