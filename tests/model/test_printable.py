from __future__ import annotations

import pytest

from shopbot.model.printable import printable

REPLACED = "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "text",
    [
        "Order #1234\nconfirmed! 🎉",
        "👩\u200d👩\u200d👧\u200d👦",
        "Commande confirmée\u202f! «\u00a0Où\u00a0»",
        "الطلب \u2068#1234\u2069 \u200f",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    ],
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    "character", ["\x1b", "\r", "\x07", "\x00", "\x9b", "\u202e", "\u202d", "\u2028", "\ud800", "\ufeff"]
)
def test_what_could_steer_the_terminal_or_turn_a_text_round_is_shown_as_such(character: str) -> None:
    assert printable(f"a{character}b") == f"a{REPLACED}b"
