"""pydantic's errors in plain words: what was expected, never what was given."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from shopbot.config.expected import KIND
from shopbot.config.problem import quote, suggest
from shopbot.config.scalars import is_surprising
from shopbot.config.scalars import kind as kind_of

_TYPES: Mapping[str, str] = {
    "string_type": "text",
    "path_type": "text",
    "bytes_type": "text",
    "url_type": "text",
    "uuid_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "iterable_type": "a list",
    "dict_type": "'key: value' lines",
    "mapping_type": "'key: value' lines",
    "model_type": "'key: value' lines",
    "model_attributes_type": "'key: value' lines",
    "dataclass_type": "'key: value' lines",
    "none_required": "nothing",
    "url_parsing": "a URL",
    "date_type": "a date such as 2026-11-23",
    "date_parsing": "a date such as 2026-11-23",
    "date_from_datetime_parsing": "a date such as 2026-11-23",
}
_WANT_TEXT = frozenset({"string_type", "path_type", "bytes_type", "url_type", "uuid_type"})
_CHOOSE = frozenset({"literal_error", "enum"})

_CONSTRAINTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda given: "a positive number" if given["gt"] == 0 else f"a number above {given['gt']}",
    "greater_than_equal": lambda given: f"at least {given['ge']}",
    "less_than": lambda given: f"a number below {given['lt']}",
    "less_than_equal": lambda given: f"at most {given['le']}",
    "multiple_of": lambda given: f"a multiple of {given['multiple_of']}",
    "string_too_short": lambda given: _length(given["min_length"], "at least", "character"),
    "string_too_long": lambda given: _length(given["max_length"], "at most", "character"),
    "too_short": lambda given: _length(given["min_length"], "at least", "entry"),
    "too_long": lambda given: _length(given["max_length"], "at most", "entry"),
    "string_pattern_mismatch": lambda given: _form(given["pattern"]),
    "literal_error": lambda given: str(given["expected"]),
    "enum": lambda given: str(given["expected"]),
}


_COUNTS = frozenset({"too_short", "too_long"})
_CURLY_QUOTES = "“”„‟‘’‚«»"  # noqa: RUF001 - those that are mistaken for straight ones are meant
_CHOICE = re.compile(r"'([^']*)'")


@dataclass(frozen=True)
class Wording:
    """The words for one error."""

    expected: str
    """Completes "expected …"; "" where `message` says it all."""
    hint: str = ""
    """What follows the value in the message."""
    message: str = ""
    """The words of a validator that is not ours. They may quote the value."""
    wants_text: bool = False
    """A text is wanted: a bare word that YAML took for something else needs quotes."""
    about_type: bool = False
    """The value has the wrong type, as opposed to a wrong content."""
    choices: tuple[str, ...] = ()
    """The only texts that are accepted; () where that is not the question."""
    got: bool = True
    """The message goes on with the value."""
    counts: bool = False
    """The number of entries is wrong."""

    def takes(self, text: str) -> bool:
        """Say whether *text* would have been accepted, as far as its type goes."""
        return self.wants_text and (not self.choices or text in self.choices)

    def correction(self, text: str) -> str:
        """Propose what to write for *text*, which was refused; "" if nothing is near."""
        if self.expected == "a whole number" and re.fullmatch(r"[0-9]{1,3}[eE]\+?[0-9]{1,2}", text):
            return f"; write {int(float(text))}"
        if len(text) > 1 and text[0] in _CURLY_QUOTES and text[-1] in _CURLY_QUOTES:
            return "; its quotes are curly, and YAML knows only straight ones"
        return suggest(text, self.choices)


def word(error: ErrorDetails) -> Wording:
    """Say in plain words what *error* wanted."""
    kind, given = error["type"], error.get("ctx", {})
    if kind == KIND:
        return Wording(given["what"], given["hint"], wants_text=given["text"], got=given["got"])
    if kind in _TYPES:
        return Wording(_TYPES[kind], wants_text=kind in _WANT_TEXT, about_type=True)
    if kind in _CONSTRAINTS:
        expected = _CONSTRAINTS[kind](given)
        choices = tuple(_CHOICE.findall(expected)) if kind in _CHOOSE else ()
        return Wording(
            expected,
            wants_text=bool(choices),
            about_type=kind in _CHOOSE,
            choices=choices,
            counts=kind in _COUNTS,
        )
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = message.replace("Input should be", "expected", 1) if message.startswith("Input") else message
    return Wording("", message=" ".join(message.split()) or "this value is refused")


def show(value: object) -> str:
    """Name a value for a message: "the text 'x'", "the boolean false", "a list"."""
    match value:
        case str():
            return f"the text {quote(value)}" if value else "an empty text"
        case bool():
            return f"the boolean {str(value).lower()}"
        case None | list() | tuple() | dict():
            return kind_of(value)
    return f"{kind_of(value)} {value}"


def show_bare(source: str, value: object, *, quotes: bool) -> str:
    """Name what YAML made of the bare word *source*, and why, where it is not plain to see.

    quotes: the word would have been fine as a text.
    """
    if value is None:
        return f"nothing, because YAML reads a bare `{source}` as nothing" if source else "nothing"
    name, reading = show(value), show(value).removeprefix(f"{kind_of(value)} ")
    if reading == source.lower():
        name = name if quotes or isinstance(value, bool) else source
    elif quotes or isinstance(value, bool):
        name += f", because YAML reads a bare `{source}` as {reading}"
    else:
        name = source + (f", which YAML reads as {reading}" if is_surprising(source) else "")
    return name + (f'; put it in quotes: "{source}"' if quotes else "")


def _form(pattern: str) -> str:
    digits = re.fullmatch(r"\^\[0-9\]\{1,(?P<most>[0-9]+)\}\$", pattern)
    return f"digits alone, at most {digits['most']}" if digits else f"text of the form {pattern}"


def _length(number: int, bound: str, noun: str) -> str:
    if number == 1 and bound == "at least":
        return "a text that is not empty" if noun == "character" else "at least one entry"
    plural = {"character": "characters", "entry": "entries"}[noun] if number != 1 else noun
    return f"{bound} {number} {plural}"
