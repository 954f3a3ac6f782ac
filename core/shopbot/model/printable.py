"""Texts from outside, made safe to show on a terminal."""

import unicodedata

_HARMLESS = frozenset("\n\u200c\u200d\u200e\u200f\u061c\u2066\u2067\u2068\u2069")
"""Joiners, direction marks and isolates, which end with their line. Overrides (U+202D, U+202E) are not among them: they
show a text backwards."""


def printable(text: str) -> str:
    """Show control characters as U+FFFD: a customer's name must not steer the terminal."""
    return "".join(character if _is_printable(character) else "\N{REPLACEMENT CHARACTER}" for character in text)


def _is_printable(character: str) -> bool:
    # Python counts no blank but the usual one as printable; French has others.
    return character.isprintable() or character in _HARMLESS or unicodedata.category(character) == "Zs"
