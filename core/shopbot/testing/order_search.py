"""Shopify's search syntax, as far as the `orders` query needs it.

Understood: terms `field:value` and `field:>=value` (also `>`, `<`, `<=`), quoted or not, `-field:value`, joined by
nothing or by AND. Not understood, and refused: OR, NOT, parentheses, words without a field.

A term with an unknown field is dropped, so that more comes back than was asked for; a warning tells of it. A
timestamp without quotes falls apart at its colons and is such a term.

Source: https://shopify.dev/docs/api/usage/search-syntax
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

TIME_FIELDS = frozenset({"created_at", "processed_at", "updated_at"})
_TEXT_FIELDS = frozenset({"cart_token", "checkout_token", "email", "name", "source_name"})
_STATUS_FIELDS = frozenset({"financial_status", "fulfillment_status"})
_OTHER_FIELDS = frozenset({"id", "status", "tag", "test"})
_FIELDS = TIME_FIELDS | _TEXT_FIELDS | _STATUS_FIELDS | _OTHER_FIELDS

_TERM = re.compile(r"""(?P<not>-?)(?P<field>\w+):(?P<sign>>=|<=|>|<)?(?P<value>'[^']*'|"[^"]*"|\S+)""")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}

Order = Mapping[str, Any]


class UnsupportedSearchError(ValueError):
    """The search uses what this simulator does not know, so any answer would be a guess."""


@dataclass(frozen=True)
class Term:
    """One condition on the field of an order."""

    field: str
    sign: str
    value: str
    negated: bool

    def matches(self, order: Order) -> bool:
        """Tell whether *order* (its REST body) meets the condition."""
        return self._holds(order) != self.negated

    def _holds(self, order: Order) -> bool:
        compare = _COMPARISONS[self.sign]
        if self.field in TIME_FIELDS:
            moment = order.get(self.field)
            return moment is not None and compare(datetime.fromisoformat(moment), parse_time(self.value))
        if self.field == "id":
            return compare(int(order["id"]), int(self.value))
        wanted = self.value.lower()
        if self.field == "status":
            return wanted in _states(order)
        if self.field == "test":
            return bool(order.get("test")) == (wanted == "true")
        if self.field == "tag":
            return wanted in (order.get("tags") or "").lower().split(", ")
        actual = order.get(self.field)
        if self.field == "fulfillment_status":
            actual = {None: "unfulfilled", "fulfilled": "shipped"}.get(actual, actual)
        if self.field == "name":
            return str(actual).lstrip("#").lower() == wanted.lstrip("#")
        return str(actual).lower() == wanted


@dataclass(frozen=True)
class Search:
    """A search string, read.

    warnings: the terms that were dropped, as `extensions.search[].warnings` lists them.
    """

    text: str
    terms: tuple[Term, ...] = ()
    warnings: tuple[dict[str, str], ...] = field(default=())

    def matches(self, order: Order) -> bool:
        """Tell whether *order* meets every term that was not dropped."""
        return all(term.matches(order) for term in self.terms)

    def extension(self, path: str) -> dict[str, Any]:
        """Give the entry of `extensions.search` for the root field *path*."""
        parsed = [{"field": term.field, "match_all": term.value} for term in self.terms]
        entry: dict[str, Any] = {"path": [path], "query": self.text, "parsed": {"and": parsed}}
        return entry | ({"warnings": list(self.warnings)} if self.warnings else {})


def read_search(text: str | None) -> Search:
    """Read a search string; None or blank finds everything.

    Raises UnsupportedSearchError for syntax that this simulator does not know.
    """
    text = (text or "").strip()
    terms: list[Term] = []
    dropped: list[str] = []
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            word = text[position:].split(maxsplit=1)[0]
            if word != "AND":
                raise UnsupportedSearchError(f"this simulator does not know {word!r} in a search")
            position += len(word)
        else:
            term = Term(match["field"], match["sign"] or "", _unquoted(match["value"]), match["not"] == "-")
            culprit = _invalid_field(term, match["value"])
            if culprit is None:
                terms.append(term)
            else:
                dropped.append(culprit)
            position = match.end()
        while position < len(text) and text[position].isspace():
            position += 1
    return Search(text, tuple(terms), tuple(_warning(name) for name in dropped))


def parse_time(value: str) -> datetime:
    """Read a date or a timestamp; one without an offset counts as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _invalid_field(term: Term, written: str) -> str | None:
    """Give the name that Shopify would report as an invalid field, or None."""
    if term.field not in _FIELDS:
        return term.field
    quoted = written[0] in "'\""
    if not quoted and ":" in written:
        # Without quotes the value ends at the first colon, and what follows is read as `field:value`:
        # `updated_at:>=2026-11-23T10:45:00Z` complains about the field `45`.
        return written.split(":")[1]
    try:
        if term.field in TIME_FIELDS:
            parse_time(term.value)
        elif term.field == "id":
            int(term.value)
    except ValueError:
        return term.field
    return None


def _states(order: Order) -> set[str]:
    if order.get("cancelled_at"):
        return {"cancelled"} | ({"not_closed"} if not order.get("closed_at") else {"closed"})
    return {"closed"} if order.get("closed_at") else {"open", "not_closed"}


def _unquoted(value: str) -> str:
    return value[1:-1] if value[0] in "'\"" else value


def _warning(name: str) -> dict[str, str]:
    return {"field": name, "message": "Invalid search field for this query.", "code": "invalid_field"}
