"""PyYAML's syntax errors in plain words, at the place where the hand has to go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import yaml

from shopbot.config.nodes import Position

_TEMPLATED = re.compile(r"\{\{|\$\{")
_TEMPLATE_HINT = "a text with '{{ }}' or '${ }' needs quotes where brackets stand next to it"

_APOSTROPHE = "the apostrophe in front of this ends the text that a ' began: put the text between \"…\", or write ''"
_ODD_INDENTATION = re.compile(r"[ \t]*(?P<space>[^\S \t\r\n])")


@dataclass(frozen=True)
class _Explanation:
    """Words for the errors that a pattern finds in `context: problem`; its groups fill the braces."""

    pattern: str
    message: str
    where_it_opens: bool = False
    """Point at the beginning of what is wrong, not at the place where PyYAML gave up."""
    templates: bool = False
    """Unquoted template braces are a likely cause, if there are any in the line."""
    apostrophes: bool = False
    """So is an apostrophe in a text between single quotes, if PyYAML gave up right behind one."""


_EXPLANATIONS = (
    _Explanation(r"quoted scalar: found unexpected", "the quote that opens here is never closed", where_it_opens=True),
    _Explanation(
        r"unknown escape|expected escape sequence",
        "a backslash between double quotes starts an escape: use single quotes, or write '\\\\'",
    ),
    _Explanation(r"found character '\\t'", "a tab: YAML is indented with spaces only"),
    _Explanation(r"found character (?P<got>.+) that cannot", "a value cannot start with {got}: put it in quotes"),
    _Explanation(
        r"mapping values are not allowed",
        "a ':' is not expected here: a text that holds ': ' needs quotes; otherwise look at the indentation, "
        "and whether the line above lacks its own ': '",
    ),
    _Explanation(r"mapping keys are not allowed", "a value cannot start with '? ': put it in quotes"),
    _Explanation(r"sequence entries are not allowed", "a list entry '- …' must start on a line of its own"),
    _Explanation(r"could not find expected ':'", "this key has no ': ' behind it", where_it_opens=True),
    _Explanation(
        r"expected <block end>, but found '<scalar>'",
        "text behind a closing quote or bracket: put the whole value in quotes",
        templates=True,
        apostrophes=True,
    ),
    _Explanation(r"expected <block end>, but found ':'", "a ':' without a key in front of it"),
    _Explanation(
        r"expected <block end>, but found '-'",
        "a list entry among the keys of a mapping: indent it below the key that it belongs to",
    ),
    _Explanation(
        r"expected <block end>",
        "this line is indented differently from the lines that it belongs to",
        templates=True,
    ),
    _Explanation(
        r"flow sequence: expected ',' or ']'",
        "',' or ']' is missing for the '[' in line {line}",
        templates=True,
    ),
    _Explanation(
        r"flow mapping: expected ',' or '}'",
        "',' or '}}' is missing for the '{{' in line {line}",
        templates=True,
    ),
    _Explanation(
        r"expected the node content, but found '<stream end>'",
        "the file ends here, and a '[' or '{{' is still open",
    ),
    _Explanation(
        r"expected the node content, but found '(?P<got>.+)'",
        "a value is missing in front of '{got}', or the text needs quotes",
        templates=True,
    ),
    _Explanation(
        r"scanning an (alias|anchor)",
        "a value cannot start with '*' or '&': put it in quotes",
        where_it_opens=True,
    ),
    _Explanation(
        r"scanning a block scalar",
        "behind '|' or '>' the text begins on the next line; a text that starts with one needs quotes",
        where_it_opens=True,
    ),
    _Explanation(
        r"scanning a directive|(YAML|TAG) directive",
        "a line cannot start with '%': put it in quotes",
        where_it_opens=True,
    ),
    _Explanation(r"incompatible YAML document", "shopbot reads YAML 1.1 and 1.2: leave out the %YAML line"),
    _Explanation(
        r"expected '<document start>'",
        "this line is indented differently from the first one, or follows the end of the document",
    ),
    _Explanation(r"tag", "a value cannot start with '!': put it in quotes"),
)


class _Mark(Protocol):
    """What the marks of PyYAML's Python and C parsers share."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


def position_of(mark: _Mark | None) -> Position:
    """Give a mark's place, counted from 1; the top for None, which PyYAML only declares."""
    if mark is None:
        return Position(1, 1)
    return Position(mark.line + 1, mark.column + 1)


def explain(error: yaml.YAMLError, text: str, spanning: tuple[Position, Position] | None) -> tuple[Position, str]:
    """Say where *error* is and what to do.

    spanning: start and end of the last quoted value that ran over several lines; an error right behind
    one means nearly always that its closing quote is missing.
    """
    if isinstance(error, yaml.reader.ReaderError):
        start = text.rfind("\n", 0, error.position) + 1
        place = Position(text.count("\n", 0, error.position) + 1, error.position - start + 1)
        return place, f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Position(1, 1), "this is not YAML"
    place = position_of(error.problem_mark)
    if spanning and spanning[1].line == place.line:
        return spanning[0], f"the quote that opens here is closed only in line {place.line}: one is missing"
    if (space := _odd_indentation(text, place)) is not None:
        return space
    opening = position_of(error.context_mark) if error.context_mark else place
    report = f"{error.context or ''}: {error.problem or ''}"
    for explanation in _EXPLANATIONS:
        if found := re.search(explanation.pattern, report):
            message = explanation.message.format(line=opening.line, **found.groupdict())
            if explanation.apostrophes and text[error.problem_mark.index - 1] == "'":
                message = _APOSTROPHE
            if explanation.templates and _TEMPLATED.search(_line(text, error.problem_mark.index)):
                message += f"; {_TEMPLATE_HINT}"
            return (opening if explanation.where_it_opens else place), message
    return place, f"this is not YAML: {error.problem}"


def _odd_indentation(text: str, place: Position) -> tuple[Position, str] | None:
    """Find spaces that do not indent, as they come with text from web pages, where PyYAML gave up."""
    lines = text.split("\n")
    for number in range(max(place.line - 1, 1), min(place.line, len(lines)) + 1):
        if found := _ODD_INDENTATION.match(lines[number - 1]):
            place = Position(number, found.start("space") + 1)
            code = f"U+{ord(found['space']):04X}"
            return place, f"the space here is none that YAML knows ({code}): type the indentation anew"
    return None


def _line(text: str, index: int) -> str:
    end = text.find("\n", index)
    return text[text.rfind("\n", 0, index) + 1 : end if end >= 0 else len(text)]
