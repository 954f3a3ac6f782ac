"""What an examination gave, without a secret in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shopbot.config.document import quotes_text
from shopbot.model.finding import Finding, Level

_SHORTEST_SECRET = 10
"""What is shorter may be a word (a verify token is of the operator's choice), and cannot be told from one in a text."""
_HIDDEN = "(not shown: it repeats a secret)"


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding under its heading."""

    area: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, by area in the order of looking."""

    entries: Sequence[Entry]

    @property
    def areas(self) -> Mapping[str, Sequence[Finding]]:
        """Give the findings by area."""
        areas: dict[str, list[Finding]] = {}
        for entry in self.entries:
            areas.setdefault(entry.area, []).append(entry.finding)
        return areas

    def count(self, level: Level) -> int:
        """Count the findings of a level."""
        return sum(entry.finding.level is level for entry in self.entries)

    @property
    def healthy(self) -> bool:
        """Say whether there is no problem; there may be warnings."""
        return self.count(Level.PROBLEM) == 0


@dataclass(frozen=True, slots=True)
class Discretion:
    """The last line of defence: plugins and libraries write texts of their own, which may quote anything."""

    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def entries(self, entries: Iterable[Entry]) -> Sequence[Entry]:
        """Give the entries in plain characters, each text that repeats a secret left out."""
        return [
            Entry(
                entry.area,
                entry.finding.model_copy(
                    update={
                        "what": self._shown(entry.finding.what),
                        "meaning": self._shown(entry.finding.meaning),
                        "to_do": self._shown(entry.finding.to_do),
                    }
                ),
            )
            for entry in entries
        ]

    def _shown(self, text: str) -> str:
        if any(quotes_text(text, secret) for secret in self.secrets if len(secret) >= _SHORTEST_SECRET):
            return _HIDDEN
        return "".join(c if c.isprintable() else " " for c in text)
