"""What is different between two texts, so that people see it: also where the characters look the same."""

import difflib
import unicodedata
from collections.abc import Sequence

_HIDDEN = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs"})
"""Categories of characters that nobody sees: blanks other than the plain one, controls, marks of direction, halves."""


def difference(expected: str, got: str) -> Sequence[str]:
    """Give a unified diff from the expected text to the one that came, line by line; empty where they are equal."""
    if expected == got:
        return ()
    lines = difflib.unified_diff(expected.split("\n"), got.split("\n"), "expected", "sent", lineterm="", n=3)
    return [visible(line.rstrip("\n")) for line in lines]


def hint(expected: str, got: str) -> str:
    """Say what is different where it cannot be seen; "" where it can."""
    if expected == got or _plain(expected) != _plain(got):
        return ""
    if _plain(expected, keep_blanks=True) == _plain(got, keep_blanks=True):
        return "; they differ only in invisible characters, shown below as \\u…, which YAML reads between double quotes"
    return "; they differ only in kinds of blanks, shown below as \\u…, which YAML reads between double quotes"


def _plain(text: str, *, keep_blanks: bool = False) -> str:
    """Take what cannot be seen out of a text."""
    kept = []
    for character in unicodedata.normalize("NFC", text):
        category = unicodedata.category(character)
        if category == "Zs" and not keep_blanks:
            kept.append(" ")
        elif category != "Cf":
            kept.append(character)
    return "".join(kept)


def visible(line: str) -> str:
    """Write the characters of a line that nobody would see as Python and YAML write them."""
    shown = "".join(_escaped(character) if _is_hidden(character) else character for character in line)
    bare = shown.rstrip(" ")
    return bare + "\\x20" * (len(shown) - len(bare)) if len(bare) > 1 else shown


def _is_hidden(character: str) -> bool:
    # The joiner holds emoji together, and is seen by that.
    return character not in (" ", "\t", "\u200d") and unicodedata.category(character) in _HIDDEN


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"  # noqa: PLR2004 - \u has four digits
