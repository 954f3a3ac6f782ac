"""Expressions that strangers' texts are held against: refused when a text could keep them busy."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from shopbot.config.phrase import LONGEST_TEXT, check_phrase

HARMLESS = [
    "where('?s| is| are)? (my|the) (orders?|package|parcel|delivery)",
    r"\b(order|delivery) status\b",
    "where.*my.*order",
    "where.*my.*(order|parcel)",
    "^stop[.!]*$",
    r"^\s*stop[.!]*\s*$",
    "d[oó]nde est[aá] (mi|el) (pedido|paquete)",
    "[أا]ين (طلبي|شحنتي)",
    "(ha)+",
    "(?:very ){0,3}late",
    "(?i)Order",
    "(?<=my )order",
    "(order|parcel) \\1",
    "",
]
DANGEROUS = [
    "(a+)+",
    "(a|a)*b",
    "(a|aa)+$",
    "(.*)*",
    "(x+x+)+y",
    "([a-z]+)*$",
    ".*.*.*x",
    "(?:a?){30}a{30}",
    "(.{0,9}){9}",
    r"(\w+\s?)*$",
    "(a{1,50}){1,50}",
    "(?=(a+)+b)",
    "(?:(?:a|b)|ab)*c",
    r"\s*\s*\s*\s*x",
]


@pytest.mark.parametrize("pattern", HARMLESS)
def test_phrases_that_people_write_are_taken(pattern: str) -> None:
    assert check_phrase(pattern) == pattern


@pytest.mark.parametrize("pattern", DANGEROUS)
def test_what_a_text_could_keep_busy_is_refused_with_advice(pattern: str) -> None:
    with pytest.raises(PydanticCustomError) as refusal:
        check_phrase(pattern)

    assert "quickly searched" in str(refusal.value)


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "a{2,1}", "(?P<x>a)(?P<x>b)"])
def test_what_is_no_expression_is_refused_as_such(pattern: str) -> None:
    with pytest.raises(PydanticCustomError) as refusal:
        check_phrase(pattern)

    assert "a regular expression:" in str(refusal.value)


atoms = st.sampled_from(["a", "b", ".", "[ab]", "ab", r"\w", "^", "$"])
patterns = st.recursive(
    atoms,
    lambda inner: (
        st.tuples(inner, inner).map("".join)
        | st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})")
        | st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{0,3}", "{2,}", "{3}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        )
    ),
    max_leaves=8,
)


@given(patterns, st.text("ab", min_size=0, max_size=6))
def test_what_is_taken_ends_on_every_text(pattern: str, text: str) -> None:
    """Were the count wrong, this would run into the test's time limit: the texts are the worst kind, all alike."""
    try:
        expression = re.compile(check_phrase(pattern), re.IGNORECASE)
    except PydanticCustomError:
        return
    for longest in ((text * LONGEST_TEXT)[:LONGEST_TEXT], "a" * (LONGEST_TEXT - 1) + "c", "ab" * (LONGEST_TEXT // 2)):
        expression.search(longest)
