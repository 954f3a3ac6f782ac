from __future__ import annotations

import pytest

from shopbot.config.phrase import LONGEST_TEXT
from shopbot.rules.phrases import Phrases, plain

PHRASES = Phrases({"en": ["where('s| is) my order"], "de": ["wo ist meine bestellung"]})


@pytest.mark.parametrize(
    "text",
    [
        "where's my order",
        "WHERE'S MY ORDER?",
        "Where\u2019s my order?",
        "Where\u2018s my order?",
        "where\u00b4s my order",
        "where`s my order",
        "where\u02bcs my order",
        "where\uff07s my order",
        "  where   is\nmy\torder ",
        "\u200ewhere\u200b is my order\u202c",
        "Hi, where is my order please",
        "where is my order? " + "I have been waiting. " * 50,
        "I have been waiting. " * 50 + "Where is my order?",
    ],
)
def test_a_phrase_is_found_however_it_is_typed(text: str) -> None:
    assert PHRASES.match(text) == (True, "en")


@pytest.mark.parametrize("text", ["", "where is it", "my order", "w h e r e is my order"])
def test_other_texts_do_not_match(text: str) -> None:
    assert PHRASES.match(text) == (False, None)


def test_the_language_of_the_phrase_is_told() -> None:
    assert PHRASES.match("Wo ist meine Bestellung?") == (True, "de")


def test_a_phrase_without_a_language_tells_none() -> None:
    assert Phrases({"": ["stop"]}).match("STOP") == (True, None)


def test_phrases_may_be_written_with_curly_apostrophes_too() -> None:
    assert Phrases({"": ["where\u2019s my order"]}).match("where's my order")[0]


def test_letters_with_separate_accents_are_the_same_letters() -> None:
    assert Phrases({"fr": ["où est ma commande"]}).match("ou\u0300 est ma commande")[0]


def test_the_middle_of_a_long_text_is_not_searched() -> None:
    """What is searched is bounded, so that no text takes long."""
    filler = "x" * LONGEST_TEXT

    assert not PHRASES.match(f"{filler} where is my order {filler}")[0]


def test_plain_text_is_one_line_without_what_cannot_be_seen() -> None:
    assert plain(" a\u200b\u2019b\n\n c ") == "a'b c"


def test_of_a_text_no_more_is_read_than_messenger_takes() -> None:
    assert plain("a" * 2001) == "a" * 2000
