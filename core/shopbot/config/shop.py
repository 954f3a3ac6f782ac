"""`shop:` in shopbot.yaml: who the shop is, and how it writes dates and money."""

import contextlib
import re
import zoneinfo
from collections.abc import Container, Mapping
from typing import Annotated

import babel
import holidays
from babel import localedata
from pydantic import AfterValidator, Field, WithJsonSchema, field_validator
from pydantic_core.core_schema import ValidationInfo

from shopbot.config.expected import expected
from shopbot.config.problem import suggest
from shopbot.config.section import NOT_BOOLEAN, Section, Text, text_schema

_SUFFIX = ".myshopify.com"
_DOMAIN_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}\.myshopify\.com$"
_DOMAIN = re.compile(_DOMAIN_PATTERN)
_DOMAIN_WORDS = f"the shop's own hostname in lower case, such as acme{_SUFFIX}"
_KEY_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,64}:")
_COUNTRY_SLIPS = {"UK": "GB", "EN": "GB", "USA": "US"}
_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


def _domain(value: str) -> str:
    if _DOMAIN.fullmatch(value):
        return value
    bare = value.strip().lower().removeprefix("https://").removeprefix("http://").split("/")[0]
    for candidate in (bare, bare + _SUFFIX):
        if _DOMAIN.fullmatch(candidate):
            raise expected(_DOMAIN_WORDS, suggest_exactly(candidate))
    raise expected(_DOMAIN_WORDS, "; the admin shows it under Settings, Domains")


def suggest_exactly(word: str) -> str:
    """Give the ending of a message that proposes *word*."""
    return f"; did you mean {word!r}?"


def check_locale(value: str) -> str:
    """Give a locale in Babel's spelling; a validator for pydantic. Raises a pydantic error for an unknown one."""
    name = value.replace("-", "_")
    if _LOCALE.fullmatch(value):
        with contextlib.suppress(ValueError, babel.UnknownLocaleError):
            return str(babel.Locale.parse(name))
    known = localedata.locale_identifiers()
    named = _called(value, babel.Locale("en").languages, known)
    raise expected("a locale such as en, de or pt_BR", suggest_exactly(named) if named else suggest(name, known))


def _called(word: str, names: Mapping[str, str], known: Container[str]) -> str | None:
    """Give the code whose English name is *word*; None where there is none, or it is not *known*."""
    return next((code for code, name in names.items() if name.lower() == word.strip().lower() and code in known), None)


Language = Annotated[str, AfterValidator(check_locale)]
"""A language by its name, in Babel's spelling: `de`, `pt_BR`."""


def _timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        # ZoneInfo raises OSError for a directory such as `Europe`.
        zones = zoneinfo.available_timezones()
        city = value.strip().replace(" ", "_").lower()
        cities = sorted(zone for zone in zones if zone.lower().rsplit("/", 1)[-1] == city)
        hint = suggest_exactly(cities[0]) if cities else suggest(value, zones)
        raise expected("a time zone such as Europe/Berlin or UTC", hint) from error
    return value


def _country(value: str) -> str:
    known = holidays.list_supported_countries(include_aliases=False)
    if value in known:
        return value
    code = _COUNTRY_SLIPS.get(value.upper(), value.upper())
    named = code if code in known else _called(value, babel.Locale("en").territories, known)
    hint = suggest_exactly(named) if named else ""
    raise expected("a country whose holidays are known, as two capital letters such as DE or US", hint)


def _key_prefix(value: str) -> str:
    if value and not _KEY_PREFIX.fullmatch(value):
        raise expected("a prefix of letters, digits, '_' and '-' that ends with ':', such as 'acme:'")
    return value


class DeliverySettings(Section):
    """How the estimated delivery date is counted."""

    business_days: Annotated[int, Field(ge=0, le=365), NOT_BOOLEAN] = Field(
        3, description="Business days from the order to its delivery; Saturdays and Sundays do not count."
    )
    country: Annotated[str, AfterValidator(_country)] | None = Field(
        None,
        description="The country whose public holidays do not count, as its ISO 3166 code: DE. "
        "Without one only weekends are left out.",
        examples=["DE", "ES", "FR", "GB", "US"],
    )
    subdivision: str | None = Field(
        None,
        validate_default=False,
        description="The state or region whose own holidays do not count either, as its ISO 3166-2 code "
        "without the country: BY.",
        examples=["BY"],
    )

    @field_validator("subdivision")
    @classmethod
    def _of_the_country(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or "country" not in info.data:  # the country has its own problem
            return value
        country = info.data["country"]
        if country is None:
            raise expected("a country beside the subdivision", text=False, got=False)
        known = holidays.list_supported_countries(include_aliases=True)[country]
        if value not in known:
            what = f"a subdivision of {country}" if known else f"no subdivision: none is known for {country}"
            raise expected(what, suggest(value, known) or (f"; known: {', '.join(known)}" if known else ""))
        return value


class ShopSettings(Section):
    """The shop that shopbot works for."""

    domain: Annotated[
        str,
        AfterValidator(_domain),
        WithJsonSchema(text_schema(_DOMAIN_PATTERN, _DOMAIN_WORDS, [f"acme{_SUFFIX}"])),
    ] = Field(description="The shop's own hostname, which webhooks name: acme.myshopify.com.")
    name: Text = Field(description="What messages call the shop.", examples=["Acme"])
    locale: Language = Field(
        "en",
        description="Language and region of messages, dates and money: en, de, pt_BR.",
        examples=["ar", "de", "en", "en_GB", "es", "fr", "pt_BR"],
    )
    timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        "UTC",
        description="Time zone of dates in messages and of daily limits: Europe/Berlin.",
        examples=["America/New_York", "America/Sao_Paulo", "Asia/Tokyo", "Europe/Berlin", "Europe/London", "UTC"],
    )
    key_prefix: Annotated[str, AfterValidator(_key_prefix), WithJsonSchema({"type": "string"})] = Field(
        "",
        description="What begins the keys that other parts of a bot share (cart:, checkout_token:, order_reference:): "
        "needed, as in 'acme:', where several shops have one store.",
        examples=["acme:"],
    )
    delivery: DeliverySettings = Field(DeliverySettings(), description="How the estimated delivery date is counted.")
