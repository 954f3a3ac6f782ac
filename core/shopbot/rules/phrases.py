"""What a shopper wrote, held against the phrases of shopbot.yaml, each in its language."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from shopbot.config.phrase import LONGEST_TEXT

_APOSTROPHES = re.compile("[\u2018\u2019\u201b\u02bc\u2032\u00b4`\uff07]")
"""What phones and people type for the straight apostrophe."""
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_LONGEST_READ = 2000
"""Messenger's own limit: there is no more to read."""


class Phrases:
    """The phrases of one rule."""

    def __init__(self, patterns: Mapping[str, Iterable[str]]) -> None:
        """Compile regular expressions that `config.phrase` has checked.

        patterns: by language (`pt_BR`); under "" those that may stand for any.
        """
        self._patterns = [
            (language, re.compile(_APOSTROPHES.sub("'", pattern), re.IGNORECASE))
            for language, several in patterns.items()
            for pattern in several
        ]

    def match(self, text: str) -> tuple[bool, str | None]:
        """Say whether one of the phrases is in *text*, and of the first that is, its language if it has one."""
        parts = _parts(plain(text))
        for language, pattern in self._patterns:
            if any(pattern.search(part) for part in parts):
                return True, language or None
        return False, None


def plain(text: str) -> str:
    """Write a text as people write phrases: straight apostrophes, single blanks, nothing that cannot be seen."""
    text = unicodedata.normalize("NFC", text[:_LONGEST_READ])
    return " ".join(_INVISIBLE.sub("", _APOSTROPHES.sub("'", text)).split())


def _parts(text: str) -> Sequence[str]:
    """Give the beginning and the end of a long text: there people say what they want."""
    return (text,) if len(text) <= LONGEST_TEXT else (text[:LONGEST_TEXT], text[-LONGEST_TEXT:])
