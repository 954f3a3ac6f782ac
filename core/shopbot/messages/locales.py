"""Languages: which ones to try for a shopper, and how Babel knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from babel import Locale, UnknownLocaleError, localedata
from babel.core import get_global

DEFAULT_LOCALE: Final = "en"
_TAG: Final = re.compile(
    r"(?P<language>[A-Za-z]{2,3})"
    r"(?:[-_](?P<script>[A-Za-z]{4}))?"
    r"(?:[-_](?P<region>[A-Za-z]{2}|[0-9]{3}))?"
)


def locale_chain(customer_locale: str | None, shop_locale: str | None) -> list[str]:
    """List the languages to try for a shopper, best first: `de-AT`, `de`, then the shop's own.

    customer_locale: as the order carries it (`de`, `pt-BR`, `pt_BR`), from the shopper's browser and so
    untrusted; what is no language tag of a known language is left out. None: not known.
    shop_locale: the shop's own language; None: not known.

    The tags are in their usual spelling (`pt-BR`, `zh-Hant-TW`), each once. Empty when nothing is known.
    """
    chain: list[str] = []
    for tag in (customer_locale, shop_locale):
        chain += [candidate for candidate in _shorter(tag) if candidate not in chain]
    return chain


def likely_tag(language: str) -> str | None:
    """Add to a bare language the region where most of its speakers live: `pt` → `pt-BR`.

    None for a tag that already says more, and where CLDR knows none. A text from another region of one's language is
    better than one in another language.
    """
    likely = get_global("likely_subtags").get(language)
    return None if likely is None else f"{language}-{likely.rpartition('_')[2]}"


def closest_language(languages: Sequence[str], chain: Sequence[str]) -> str:
    """Pick one of the languages that there are words in.

    languages: as shopbot.yaml and Meta name them (`de`, `pt_BR`), at least one; the first is for whoever speaks none of
    them.
    chain: the languages to try, best first, as `locale_chain` lists them. `de-AT` finds `de`, or another kind of it.
    """
    for tag in (locale.replace("-", "_") for locale in chain):
        for language in languages:
            if tag in {language, language.partition("_")[0]}:
                return language
    return languages[0]


def babel_locale(tag: str | None) -> Locale:
    """Find Babel's data for a language tag: the closest known (`de-XX` → `de`), English for an unknown one."""
    for candidate in _shorter(tag):
        try:
            return Locale.parse(candidate, sep="-")
        except UnknownLocaleError:
            continue
    return Locale.parse(DEFAULT_LOCALE)


def _shorter(tag: str | None) -> Iterator[str]:
    """Spell the tag as usual, then without region, then without script; nothing for an unknown language."""
    match = _TAG.fullmatch(tag or "")
    if match is None:
        return
    language = match["language"].lower()
    if not localedata.exists(language) and language not in _RENAMED_LANGUAGES:
        return
    script = match["script"].title() if match["script"] else None
    region = match["region"].upper() if match["region"] else None
    if script and region:
        yield f"{language}-{script}-{region}"
        yield f"{language}-{script}"
    elif script or region:
        yield f"{language}-{script or region}"
    yield language


_RENAMED_LANGUAGES: Final = frozenset({"in", "iw", "ji", "sh", "tl", "mo"})
"""Codes that browsers still send and that Babel reads as their successors (ISO 639 changes)."""
