"""A problem in a configuration: where it is and what to do about it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]

_CLOSE_ENOUGH = 0.65
_LONGEST_WORD = 80
_LONGEST_QUOTE = 60


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a file. Sorts by file and position."""

    file: str
    """As the user named it, so that terminals can open it."""
    line: int | None
    """From 1; None where the whole file is meant."""
    column: int | None
    """From 1, counted in characters; None where the whole line or file is meant."""
    message: str
    """One line of plain words. Never holds a secret."""
    severity: Severity = "error"

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        kind = "warning: " if self.severity == "warning" else ""
        return f"{place}: {kind}{self.message}"

    def __lt__(self, other: Problem) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[str, int, int, str, str]:
        return (self.file, self.line or 0, self.column or 0, self.severity, self.message)


class ConfigError(Exception):
    """A configuration that cannot be used, with everything that is wrong in it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def suggest(word: str, candidates: Iterable[str]) -> str:
    """Give `; did you mean 'x'?` for the candidate that *word* was probably meant to be, else "".

    Besides typing slips it sees through plurals, case, `-` for `_`, camelCase and swapped words.
    """
    known = sorted(set(candidates))
    if word in known or len(word) > _LONGEST_WORD:
        return ""
    matches = [name for name in known if _skeleton(name) == _skeleton(word)]
    if not matches:
        by_lower_case = {name.lower(): name for name in known}
        close = difflib.get_close_matches(word.lower(), by_lower_case, n=1, cutoff=_CLOSE_ENOUGH)
        matches = [by_lower_case[name] for name in close]
    return f"; did you mean {matches[0]!r}?" if matches else ""


def quote(text: str) -> str:
    """Give *text* in quotes, on one line, without control characters, cut where it is long."""
    return repr(text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…")


def _skeleton(name: str) -> str:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    words = [word.removesuffix("s") for word in re.split(r"[-_\s]+", parted)]
    return " ".join(sorted(words))
