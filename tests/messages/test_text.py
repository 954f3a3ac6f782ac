from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shopbot.messages.text import ELLIPSIS, MESSENGER_LIMIT, fit, length

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
RAINBOW_FLAG = "🏳\ufe0f\u200d🌈"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
CLUSTERS = [
    pytest.param("👍🏽", id="skin tone"),
    pytest.param(FAMILY, id="family"),
    pytest.param(RAINBOW_FLAG, id="rainbow flag"),
    pytest.param(SCOTLAND, id="flag of a region"),
    pytest.param("🇩🇪", id="flag"),
    pytest.param("1\ufe0f\u20e3", id="keycap"),
    pytest.param("e\u0301\u0323", id="combining marks"),
    pytest.param("a\u0300", id="the first of the combining marks"),
    pytest.param("\u1112\u1161\u11ab", id="Hangul from parts"),
    pytest.param("한\u11ab", id="Hangul with a part"),
    pytest.param("\u1100\u1100", id="Hangul leading consonants"),
    pytest.param("\u1100가", id="Hangul leading consonant and a syllable"),
    pytest.param("क्षि", id="Devanagari conjunct"),
    pytest.param("क\u094d\u093cष", id="Devanagari conjunct with a nukta"),
    pytest.param("நி", id="Tamil with a vowel sign"),
    pytest.param("กำ", id="Thai with AM"),
    pytest.param("\u0600\u0661", id="Arabic number sign"),
    pytest.param("\u06001", id="Arabic number sign with a Latin digit"),
    pytest.param("❤\ufe0f", id="emoji presentation"),
]
TEXTS = st.text(max_size=60) | st.text(
    alphabet="a é\u0301🇩🇪👍🏽👨\u200d👩\ufe0f\r\n\t\u2028क्ष한\ud83d\ude00", max_size=60
)


def test_messengers_limit_is_below_2000() -> None:
    assert MESSENGER_LIMIT == 1999
    assert fit("a" * 1999) == ("a" * 1999, False)

    text, cut = fit("a" * 2000)

    assert cut
    assert text == "a" * 1998 + ELLIPSIS


def test_an_emoji_counts_two_code_units() -> None:
    assert length("é🎉") == 3
    assert length("\uffff\U00010000") == 3
    assert fit("🎉" * 999) == ("🎉" * 999, False)
    assert fit("🎉" * 1000) == ("🎉" * 999 + ELLIPSIS, True)


def test_a_cut_falls_behind_a_word() -> None:
    assert fit("one two three", limit=11) == ("one two…", True)


def test_a_word_that_ends_where_the_room_ends_is_kept() -> None:
    assert fit("one two three", limit=8) == ("one two…", True)


def test_a_long_word_is_cut_rather_than_lost() -> None:
    link = "https://example.com/" + "a" * 50

    assert fit("see " + link, limit=60) == ("see " + link[:55] + "…", True)


def test_a_cut_goes_back_forty_characters_to_a_blank_and_no_farther() -> None:
    assert fit("a " + "b" * 100, limit=42) == ("a…", True)
    assert fit("a " + "b" * 100, limit=43) == ("a " + "b" * 40 + "…", True)


def test_text_without_blanks_is_cut_anywhere_between_characters() -> None:
    assert fit("注文が確定しました", limit=5) == ("注文が確…", True)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_what_a_reader_sees_as_one_character_is_never_cut(cluster: str) -> None:
    whole = length(cluster)
    for spare in range(whole):
        text, cut = fit("x" + cluster + "y" * 50, limit=2 + spare)
        assert (text, cut) == ("x…", True), f"with {spare} units left"
    assert fit("x" + cluster + "y" * 50, limit=2 + whole)[0] == f"x{cluster}…"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param("\u1100", "y", id="a leading consonant of Hangul and a Latin letter"),
        pytest.param("x", "\u1161", id="a Latin letter and a vowel of Hangul"),
        pytest.param("🇩", "y", id="half of a flag and a letter"),
        pytest.param("क\u094d", "!", id="a virama and no letter"),
    ],
)
def test_what_only_looks_like_one_character_may_be_cut(left: str, right: str) -> None:
    assert fit(left + right * 50, limit=length(left) + 1)[0] == f"{left}…"


def test_flags_are_cut_in_pairs() -> None:
    assert fit("🇩🇪🇫🇷🇺🇸", limit=10)[0] == "🇩🇪🇫🇷…"
    assert fit("🇩🇪🇫🇷🇺🇸", limit=8)[0] == "🇩🇪…"
    assert fit("🇦🇿🇿🇦🇦🇿", limit=8)[0] == "🇦🇿…"


def test_one_endless_character_is_left_out() -> None:
    """Hundreds of marks on one letter are a prank, and a part of them is no text either."""
    assert fit("a" + "\u0301" * 3000) == (ELLIPSIS, True)


def test_line_ends_become_newlines() -> None:
    assert fit("a\r\nb\rc\u2028d\u0085e")[0] == "a\nb\nc\nd\ne"


def test_control_characters_go_but_newline_and_tab_stay() -> None:
    assert fit("a\x00b\x07\tc\nd\x1b[0m\x7f")[0] == "ab\tc\nd[0m"


def test_blanks_at_line_ends_and_blank_lines_around_go() -> None:
    assert fit("\n \na  \nb\t\n\n  \n") == ("a\nb", False)


def test_many_blank_lines_become_two() -> None:
    assert fit("a\n\n\nb")[0] == "a\n\n\nb"
    assert fit("a\n\n\n\nb")[0] == "a\n\n\nb"
    assert fit("a\n \n \n \n \nb")[0] == "a\n\n\nb"


def test_a_joiner_that_joins_nothing_is_left_out_and_nothing_else() -> None:
    assert fit("0000👩\u200d\n00", limit=9) == ("0000👩…", True)


def test_a_blank_between_joiners_that_join_nothing_is_left_out_with_them() -> None:
    assert fit("0\u200d \u200d 000", limit=6) == ("0…", True)


def test_nothing_else_goes_at_either_end() -> None:
    assert fit("XaX\t.\n")[0] == "XaX\t."


def test_a_mark_without_a_letter_stands_for_itself() -> None:
    assert fit("\u0301" + "b" * 9, limit=2) == ("\u0301…", True)


def test_indentation_stays() -> None:
    assert fit("  a\n  b")[0] == "  a\n  b"


def test_halves_of_surrogate_pairs_are_mended_or_replaced() -> None:
    assert fit("a\ud83d\ude00b\ud83dc") == ("a😀b\ufffdc", False)


def test_a_limit_below_one_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        fit("a", limit=0)


def test_the_smallest_limit_leaves_the_ellipsis() -> None:
    assert fit("abc", limit=1) == (ELLIPSIS, True)


@given(text=TEXTS, limit=st.integers(1, 70))
def test_never_longer_than_the_limit_and_always_sendable(text: str, limit: int) -> None:
    fitted, _ = fit(text, limit)

    assert length(fitted) <= limit
    assert len(fitted.encode("utf-16-le")) == 2 * length(fitted), "no lone surrogate, and the count is right"
    assert fitted == fitted.rstrip()


@given(text=TEXTS, limit=st.integers(1, 70))
def test_a_cut_text_is_a_prefix_with_an_ellipsis(text: str, limit: int) -> None:
    whole, _ = fit(text, 10_000)
    fitted, cut = fit(text, limit)

    assert cut == (length(whole) > limit)
    if cut:
        assert fitted.endswith(ELLIPSIS)
        assert whole.startswith(fitted.removesuffix(ELLIPSIS))
    else:
        assert fitted == whole


@given(text=TEXTS, limit=st.integers(1, 70))
@example(text="0000👩\u200d\n00", limit=9)
def test_a_cut_is_never_before_a_mark_or_beside_a_joiner(text: str, limit: int) -> None:
    whole, _ = fit(text, 10_000)
    fitted, cut = fit(text, limit)
    kept = fitted.removesuffix(ELLIPSIS)
    if cut and kept:
        following = whole[len(kept)]
        assert unicodedata.category(following) not in {"Mn", "Me", "Mc"} or kept[-1].isspace()
        dangling = whole[len(kept) :].lstrip("\u200d")[0].isspace()
        assert following != "\u200d" or dangling, "a joiner is left out only where it joins nothing"
        assert not kept.endswith("\u200d")


@given(text=TEXTS, limit=st.integers(1, 70))
def test_fitting_twice_changes_nothing_more(text: str, limit: int) -> None:
    fitted, _ = fit(text, limit)

    assert fit(fitted, limit) == (fitted, False)
