"""Regular expressions that are held against what strangers write: only such as are quickly searched.

Python's `re` tries one way after another to match, and a shopper can write a text on which a careless expression has
more ways than there is time. So the ways are counted when the configuration is read, for a text as long as any that is
looked at, and an expression with too many is refused. The count is an upper bound: some harmless ones are refused, too.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shopbot.config.expected import expected

LONGEST_TEXT = 200
"""Characters that are searched at a time."""

MOST_STEPS = 3_000_000
"""Ways to try, at the worst: some hundredths of a second."""

_SEVERAL = 16
"""A repetition that may take so many turns more or less counts as one without an end."""
_MOST_TURNS = 64

# The parser of `re` itself, so that every notation is understood as `re` understands it. It has no public name.
_parser: Any = importlib.import_module("re._parser")


@dataclass(frozen=True, slots=True)
class _Ways:
    """In how many ways a part of an expression can match at one place."""

    fixed: float
    """Choices that do not depend on the text."""
    stretches: float = 0
    """Repetitions without an end: each can stop anywhere."""

    def then(self, following: _Ways) -> _Ways:
        return _Ways(self.fixed * following.fixed, self.stretches + following.stretches)

    def otherwise(self, alternative: _Ways) -> _Ways:
        return _Ways(self.fixed + alternative.fixed, max(self.stretches, alternative.stretches))


_ONE = _Ways(1)
_ENDLESS = _Ways(math.inf, math.inf)


def check_phrase(value: str) -> str:
    """Give the expression back if it is one and can be searched in any text without delay; a validator for pydantic.

    Raises a pydantic error for anything else.
    """
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise expected("a regular expression", f": {error}") from error
    if steps(value) > MOST_STEPS:
        raise expected(
            "a regular expression that is quickly searched in any text",
            ": leave out repetitions inside repetitions, and all but two of '*' and '+'",
        )
    return value


def steps(pattern: str) -> float:
    """Bound the ways that a search tries in a text of `LONGEST_TEXT` characters; infinite where there is no bound."""
    parsed = _parser.parse(pattern)
    ways = _of_all(parsed)
    if math.isinf(ways.fixed) or ways.stretches > LONGEST_TEXT:
        return math.inf
    # The start of the match, unless it is given, and the ends of all stretches come in this order along the text.
    marks = int(ways.stretches) + (not _begins_at_the_start(parsed))
    return ways.fixed * math.comb(LONGEST_TEXT + marks, marks)


def _begins_at_the_start(parsed: Any) -> bool:  # noqa: ANN401 - as the parser gives it
    first = [str(argument) for operation, argument in parsed[:1] if str(operation) == "AT"]
    return first == ["AT_BEGINNING_STRING"] or (first == ["AT_BEGINNING"] and not parsed.state.flags & re.MULTILINE)


def _of_all(items: Iterable[tuple[Any, Any]]) -> _Ways:
    ways = _ONE
    for operation, argument in items:
        ways = ways.then(_of_one(str(operation), argument))
    return ways


def _of_one(operation: str, argument: Any) -> _Ways:  # noqa: ANN401 - as the parser gives it
    match operation, argument:
        case "BRANCH", (_, branches):
            first, *others = map(_of_all, branches)
            for other in others:
                first = first.otherwise(other)
            return first
        case "SUBPATTERN", (*_, inner):
            return _of_all(inner)
        case "ATOMIC_GROUP", inner:
            return _of_all(inner)
        case (("ASSERT" | "ASSERT_NOT"), (_, inner)):
            return _of_all(inner)
        case "GROUPREF_EXISTS", (_, yes, no):
            return _of_all(yes).otherwise(_of_all(no or ()))
        case (("MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT"), (fewest, most, inner)):
            return _repeated(int(fewest), int(most), _of_all(inner))
    return _ONE


def _repeated(fewest: int, most: int, turn: _Ways) -> _Ways:
    if turn == _ONE:
        return _Ways(1, 1) if most - fewest > _SEVERAL else _Ways(most - fewest + 1)
    if most > _MOST_TURNS:
        return _ENDLESS
    return _Ways(sum(turn.fixed**turns for turns in range(fewest, most + 1)), turn.stretches * most)
