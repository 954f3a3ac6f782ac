from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from shopbot.messages.filters import FormatError, Formatting
from shopbot.messages.locales import babel_locale, likely_tag, locale_chain
from shopbot.messages.sandbox import TemplateError, TemplateSandbox

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 2, 10)
LATE = datetime(2026, 2, 10, 23, 30, tzinfo=UTC)  # 00:30 on the 11th in Berlin


class Money(BaseModel, frozen=True):
    amount: Decimal
    currency: str


def formatting(locale: str = "en") -> Formatting:
    return Formatting(babel_locale(locale), BERLIN)


def render(source: str, locale: str = "en", **context: object) -> str:
    sandbox = TemplateSandbox([])
    return sandbox.render(sandbox.compile_text(source, "test"), context, locale=locale, timezone=BERLIN)


@pytest.mark.parametrize(
    ("locale", "written"),
    [
        ("en", "€1,234.50"),
        ("de", "1.234,50\xa0€"),
        ("pt_BR", "€\xa01.234,50"),
        ("pt-BR", "€\xa01.234,50"),
        ("de-XX", "1.234,50\xa0€"),
        ("tlh", "€1,234.50"),
    ],
)
def test_money_is_written_as_the_language_does_with_a_known_one_for_an_unknown(locale: str, written: str) -> None:
    total = Money(amount=Decimal("1234.5"), currency="EUR")

    assert render("{{ total | money }}", locale, total=total) == written
    assert render("{{ 1234.5 | money('EUR') }}", locale) == written
    assert render("{{ '1234.50' | money(currency='EUR') }}", locale) == written
    assert render("{{ total }}", locale, total=total) == written, "printing an amount writes it likewise"


def test_a_currency_has_the_places_it_has() -> None:
    assert formatting().money(Money(amount=Decimal(1234), currency="JPY")) == "¥1,234"
    assert formatting().money(Decimal("0.1"), "KWD") == "KWD\xa00.100"


@pytest.mark.parametrize("value", [1.5, "x", "1e999", True, [1]])
def test_what_is_no_amount_is_an_error(value: object) -> None:
    with pytest.raises(FormatError):
        formatting().money(value)
    if value != 1.5:
        with pytest.raises(FormatError):
            formatting().money(value, "EUR")


@pytest.mark.parametrize(
    ("locale", "style", "written"),
    [
        ("en", "medium", "Feb 10, 2026"),
        ("en", "short", "2/10/26"),
        ("en", "long", "February 10, 2026"),
        ("en", "full", "Tuesday, February 10, 2026"),
        ("en", "day", "Feb 10"),
        ("en-GB", "day", "10 Feb"),
        ("de", "day", "10. Feb."),
        ("fr", "day", "10 févr."),
        ("es", "day", "10 feb"),
        ("pt-BR", "day", "10 de fev."),
        ("ar", "day", "10 فبراير"),
        ("ja", "day", "2月10日"),
        ("de", "medium", "10.02.2026"),
        ("en", "EEE d MMM", "Tue 10 Feb"),
        ("de", "EEEE", "Dienstag"),
        ("en", "'on the' d", "on the 10"),
    ],
)
def test_dates_by_language_and_style(locale: str, style: str, written: str) -> None:
    assert render("{{ day | date(style) }}", locale, day=DAY, style=style) == written


def test_the_medium_style_is_what_date_uses_by_itself() -> None:
    assert render("{{ '2026-02-10' | date }}") == "Feb 10, 2026"
    assert render("{{ day | date(format='short') }}", day=DAY) == "2/10/26"
    assert render("{{ day }}", day=DAY) == "Feb 10, 2026"


def test_the_date_of_a_moment_is_the_one_in_the_shops_time_zone() -> None:
    assert render("{{ moment | date('day') }}", moment=LATE) == "Feb 11"
    assert render("{{ '2026-02-10T23:30:00Z' | date('day') }}") == "Feb 11"
    assert render("{{ moment | date('day') }}", moment=datetime(2026, 2, 10, 23, 30)) == "Feb 10"  # noqa: DTZ001 - no zone: the shop's


def test_moments_are_shown_in_the_shops_time_zone() -> None:
    assert render("{{ moment | datetime('short') }}", "de", moment=LATE) == "11.02.26, 00:30"
    assert render("{{ moment | datetime('d MMM, HH:mm') }}", moment=LATE) == "11 Feb, 00:30"
    assert render("{{ moment | datetime }}", "de", moment=datetime(2026, 2, 10, 23, 30)) == "10.02.2026, 23:30:00"  # noqa: DTZ001 - no zone: the shop's


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ day | date('meduim') }}", "did you mean 'medium'"),
        ("{{ day | date('days') }}", "did you mean 'day'"),
        ("{{ day | date('HH:mm') }}", "does not fit"),
        ("{{ day | date('qqqqqqqqqqqqqqqqqq') }}", "too long"),
        ("{{ day | datetime }}", "use the filter 'date'"),
        ("{{ 'tomorrow' | date }}", "'tomorrow' is not a date"),
        ("{{ 5 | date }}", "expected a date"),
    ],
)
def test_a_date_or_format_that_cannot_be_is_an_error(source: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        render(source, day=DAY)


@pytest.mark.parametrize("filter_", ["money", "date", "datetime", "number"])
def test_nothing_is_written_as_nothing(filter_: str) -> None:
    assert render(f"[{{{{ none | {filter_} }}}}]") == "[]"


def test_numbers_by_language() -> None:
    assert render("{{ 1234.5 | number }}") == "1,234.5"
    assert render("{{ 1234.5 | number }}", "de") == "1.234,5"
    assert render("{{ 1234.5 | number(decimals=2) }}", "de") == "1.234,50"
    assert render("{{ 1234.5 | number(0) }}") == "1,234"
    assert render("{{ 0.1 | number }}") == "0.1"


def test_plural_chooses_by_the_languages_rules() -> None:
    english = "{{ n | plural(one='# item', other='# items') }}"
    russian = "{{ n | plural(one='# товар', few='# товара', many='# товаров', other='# товара') }}"

    assert [render(english, n=n) for n in (0, 1, 2, 1234)] == ["0 items", "1 item", "2 items", "1,234 items"]
    assert [render(russian, "ru", n=n) for n in (1, 3, 5, 21)] == ["1 товар", "3 товара", "5 товаров", "21 товар"]
    assert render("{{ n | plural('# x', two='dwa') }}", "ar", n=2) == "dwa"
    assert render("{{ 1.5 | plural('# Stück', one='# Stück!') }}", "de") == "1,5 Stück"
    assert render("{{ 1 | plural('# articles', one='# article') }}", "fr") == "1 article"


def test_arabic_tells_six_kinds_of_numbers_apart() -> None:
    forms = "zero='لا منتجات', one='منتج واحد', two='منتجان', few='# منتجات', many='# منتجًا', other='# منتج'"
    source = "{{ n | plural(" + forms + ") }}"

    assert [render(source, "ar", n=n) for n in (0, 1, 2, 3, 10, 11, 99, 100, 102, 103, 111)] == [
        "لا منتجات",
        "منتج واحد",
        "منتجان",
        "3 منتجات",
        "10 منتجات",
        "11 منتجًا",
        "99 منتجًا",
        "100 منتج",
        "102 منتج",
        "103 منتجات",
        "111 منتجًا",
    ]


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", ["0 items", "1 item", "2 items"]),
        ("de", ["0 items", "1 item", "2 items"]),
        ("es", ["0 items", "1 item", "2 items"]),
        ("fr", ["0 item", "1 item", "2 items"]),
        ("pt-BR", ["0 item", "1 item", "2 items"]),
    ],
)
def test_the_languages_that_come_with_shopbot_differ_in_the_number_of_nothing(locale: str, words: list[str]) -> None:
    source = "{{ n | plural(one='# item', other='# items') }}"

    assert [render(source, locale, n=n) for n in (0, 1, 2)] == words


def test_a_form_for_zero_is_used_in_every_language() -> None:
    source = "{{ n | plural(zero='nothing', one='# item', other='# items') }}"

    assert [render(source, n=n) for n in (0, 1, 2)] == ["nothing", "1 item", "2 items"]


def test_a_plural_without_its_forms_or_number_is_an_error() -> None:
    with pytest.raises(TemplateError, match="other"):
        render("{{ 1 | plural(one='#') }}")
    with pytest.raises(TemplateError, match="no plural form 'ones'"):
        render("{{ 1 | plural('#', ones='#') }}")
    with pytest.raises(TemplateError, match="expected a number"):
        render("{{ none | plural('#') }}")


def test_lists_by_language() -> None:
    source = "{{ ['a', 'b', 'c'] | listed }}"

    assert render(source) == "a, b, and c"
    assert render(source, "de") == "a, b und c"
    assert render("{{ ['a'] | listed }}{{ [] | listed }}") == "a"
    assert render("{{ ['a', 'b'] | listed(style='or') }}") == "a or b"
    with pytest.raises(TemplateError, match="no list style 'nor'"):
        render("{{ ['a', 'b'] | listed('nor') }}")
    with pytest.raises(TemplateError, match="map"):
        render("{{ [[1]] | listed }}")


def test_a_list_may_go_without_a_word_between() -> None:
    assert formatting().listed(["a", 1, Decimal("2.5")], "unit") == "a, 1, 2.5"


@pytest.mark.parametrize("value", ["abc", b"abc", {"a": 1}, 5, None])
def test_what_is_no_list_is_not_written_as_one(value: object) -> None:
    with pytest.raises(FormatError, match="expected a list"):
        formatting().listed(value)


@pytest.mark.parametrize("currency", ["EURO", "EU", "eur", "€", "", None])
def test_a_currency_is_three_letters(currency: str | None) -> None:
    with pytest.raises(FormatError, match="three letters"):
        formatting().money(5, currency)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "expected a number, got bool"),
        ("nan", "can be shown"),
        ("-inf", "can be shown"),
        ("1e31", "can be shown"),
        ("1e-31", "can be shown"),
        ("ten", "'ten' is not a number"),
    ],
)
def test_what_is_no_number_or_too_long_a_one_is_an_error_that_says_so(value: object, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        formatting().number(value)


def test_a_number_may_have_thirty_digits_on_either_side() -> None:
    assert formatting().number("1e30") == "1" + ",000" * 10
    assert formatting().number("1", 30) == "1." + "0" * 30
    assert formatting().number("-1e30", 30) == "-1" + ",000" * 10 + "." + "0" * 30
    assert formatting().money("1e30", "EUR") == "€1" + ",000" * 10 + ".00"
    for decimals in (-1, 31):
        with pytest.raises(FormatError, match="between 0 and 30"):
            formatting().number("1", decimals)


def test_a_plural_form_that_no_language_has_is_answered_with_all_that_there_are() -> None:
    with pytest.raises(FormatError, match=r"zero, one, two, few, many, other$"):
        formatting().plural(1, "#", ones="#")


def test_a_date_pattern_may_be_long_but_not_endless() -> None:
    written = "'" + "x" * 60 + "'"
    assert formatting().date(DAY, "'" + "xy" * 31 + "'") == "xy" * 31
    assert formatting().date(DAY, "yyyyyy") == "002026"
    for pattern in ("'" + "xy" * 31 + "'d", "yyyyyyy", written):
        with pytest.raises(FormatError, match="too long"):
            formatting().date(DAY, pattern)


@pytest.mark.parametrize(
    ("language", "likely"), [("pt", "pt-BR"), ("de", "de-DE"), ("zh", "zh-CN"), ("de-AT", None), ("zz", None)]
)
def test_most_speakers_of_a_language_live_somewhere(language: str, likely: str | None) -> None:
    assert likely_tag(language) == likely


def test_a_template_is_compiled_once_for_all_languages() -> None:
    sandbox = TemplateSandbox([])
    template = sandbox.compile_text("{{ 1.5 | number }}", "test")

    assert [sandbox.render(template, {}, locale=locale) for locale in ("en", "de", "en")] == ["1.5", "1,5", "1.5"]


@pytest.mark.parametrize(
    ("customer", "shop", "chain"),
    [
        ("de-AT", "en", ["de-AT", "de", "en"]),
        ("pt_BR", "en", ["pt-BR", "pt", "en"]),
        ("PT-br", "pt-BR", ["pt-BR", "pt"]),
        ("zh-Hant-TW", "en-US", ["zh-Hant-TW", "zh-Hant", "zh", "en-US", "en"]),
        (None, "de", ["de"]),
        ("de", None, ["de"]),
        (None, None, []),
        ("../../etc/passwd", "en", ["en"]),
        ("de/../x", "en", ["en"]),
        ("tlh", "en", ["en"]),
        ("", "en", ["en"]),
        ("zh-Hant", "en", ["zh-Hant", "zh", "en"]),
        ("sr_latn_rs", "en", ["sr-Latn-RS", "sr-Latn", "sr", "en"]),
        ("es-419", "en", ["es-419", "es", "en"]),
        *((old, "en", [old, "en"]) for old in ("in", "iw", "ji", "sh", "tl", "mo")),
    ],
)
def test_the_languages_to_try_for_a_shopper(customer: str | None, shop: str | None, chain: list[str]) -> None:
    assert locale_chain(customer, shop) == chain
