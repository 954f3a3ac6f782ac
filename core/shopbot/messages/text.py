"""Make a text fit to be sent: clean, and never cut inside what a reader sees as one character."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import Final

from shopbot.model.surrogates import joined

MESSENGER_LIMIT: Final = 1999
"""Messenger takes texts of less than 2000 characters, without saying how it counts:
https://developers.facebook.com/docs/messenger-platform/reference/send-api. UTF-16 code units are the
count that is never smaller than another in use."""
ELLIPSIS: Final = "…"

_LONGEST_WORD: Final = 40
"""A cut goes back to the last blank, unless it is farther away than this: Chinese text, a long link."""
_LINE_ENDS: Final = re.compile("\r\n|[\r\u0085\u2028\u2029]")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BLANKS_AT_LINE_END: Final = re.compile(r"[^\S\n]+$", re.MULTILINE)
_MANY_BLANK_LINES: Final = re.compile(r"\n{4,}")


def length(text: str) -> int:
    """Count UTF-16 code units: 1 for most characters, 2 for those beyond U+FFFF, such as emoji."""
    return len(text) + sum(character > "\uffff" for character in text)


def fit(text: str, limit: int = MESSENGER_LIMIT) -> tuple[str, bool]:
    """Clean *text* and, where it is longer than *limit* UTF-16 code units, cut it and end it with "…".

    Cleaning: line ends become newlines; control characters go, but for newline and tab; so do blanks at the
    end of lines, blank lines at either end, and all but two of many blank lines in a row; half of a surrogate
    pair becomes U+FFFD.

    A cut falls behind a word where one ends in the last 40 characters, and never inside a grapheme cluster.
    Returns the text and whether it was cut. Raises ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    text = _clean(text)
    if length(text) <= limit:
        return text, False
    return _cut(text, limit - length(ELLIPSIS)) + ELLIPSIS, True


def _clean(text: str) -> str:
    text = _CONTROLS.sub("", _LINE_ENDS.sub("\n", joined(text)))
    text = _BLANKS_AT_LINE_END.sub("", text)
    return _MANY_BLANK_LINES.sub("\n\n\n", text).strip("\n")


def _cut(text: str, room: int) -> str:
    """Take what fits into *room* code units, without the blanks at its end."""
    fits = 0  # where the longest prefix of whole clusters ends
    words = 0  # where the longest prefix of whole words ends
    used = 0
    flags = 0  # regional indicators in a row, up to here
    conjunct = False  # whether a virama, maybe with more marks, stands just before
    for index, (character, following) in enumerate(pairwise(text), start=1):
        used += length(character)
        if used > room:
            break
        flags = flags + 1 if _is_regional_indicator(character) else 0
        conjunct = _is_virama(character) or (conjunct and _extends(character))
        if not _joined(character, following, flags, conjunct=conjunct):
            fits = index
            words = index if following.isspace() else words
    kept = text[: words if words and fits - words <= _LONGEST_WORD else fits].rstrip()
    while kept.endswith(_ZERO_WIDTH_JOINER):  # it would join what comes next, which is the ellipsis
        kept = kept[:-1].rstrip()
    return kept


# What follows are the rules of Unicode Annex 29 as far as they forbid a break:
# https://www.unicode.org/reports/tr29/#Grapheme_Cluster_Boundary_Rules
# Where the exact property is not in `unicodedata`, the test is the wider one: to keep two clusters together
# costs a few characters of text, to tear one apart shows a broken sign.

_ZERO_WIDTH_JOINER: Final = "\u200d"
_EXTENDING: Final = re.compile("[\u200c\u200d\uff9e\uff9f\u0e33\u0eb3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
"""Joiners, half-width voicing marks, Thai and Lao AM, skin tones, the tags of regional flags; marks go by category."""
_PREPENDED: Final = re.compile(
    "[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd\U000111c2\U000111c3\U0001193f\U00011941]"
    "|[\U00011a3a\U00011a84-\U00011a89\U00011d46]"
)
_HANGUL_LEADING: Final = re.compile("[\u1100-\u115f\ua960-\ua97c]")
_HANGUL_VOWEL_OR_TRAILING: Final = re.compile("[\u1160-\u11ff\ud7b0-\ud7fb]")
_HANGUL: Final = re.compile("[\u1100-\u11ff\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb]")
_VIRAMA: Final = 9
"""The canonical combining class of the signs that join Indic consonants."""


def _is_regional_indicator(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_virama(character: str) -> bool:
    return unicodedata.combining(character) == _VIRAMA


def _extends(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Mc", "Me"} or _EXTENDING.match(character) is not None


def _joined(left: str, right: str, flags: int, *, conjunct: bool) -> bool:
    """Say whether a cut between the two would split a cluster.

    flags: how many regional indicators in a row end with *left*; two make one flag.
    conjunct: whether *left* ends a run of marks with a virama in it, which joins the next consonant.
    """
    if left < "\u0300" and right < "\u0300":  # the common case: Latin letters, digits, blanks
        return False
    return (
        _extends(right)
        or left == _ZERO_WIDTH_JOINER
        or (_is_regional_indicator(right) and flags % 2 == 1)
        or _PREPENDED.match(left) is not None
        or (conjunct and right.isalpha())
        or (_HANGUL.match(left) is not None and _HANGUL_VOWEL_OR_TRAILING.match(right) is not None)
        or (_HANGUL_LEADING.match(left) is not None and _HANGUL.match(right) is not None)
    )
