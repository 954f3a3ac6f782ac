"""YAML 1.1 reads many bare words as something else than text; each is explained, not just refused."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from shopbot.config.document import parse
from shopbot.config.loader import read_text
from shopbot.config.validation import validate


class Fields(BaseModel):
    word: str = ""
    count: int = 0
    flag: bool = False


def complaint(text: str) -> str:
    document = parse(text, "f")
    instance, problems = validate(Fields, document, (), document.data)
    assert instance is None
    assert len(problems) == 1
    return str(problems[0])


@pytest.mark.parametrize(
    ("bare", "got"),
    [
        ("no", "the boolean false, because YAML reads a bare `no` as false"),
        ("NO", "the boolean false, because YAML reads a bare `NO` as false"),
        ("on", "the boolean true, because YAML reads a bare `on` as true"),
        ("Off", "the boolean false, because YAML reads a bare `Off` as false"),
        ("yes", "the boolean true, because YAML reads a bare `yes` as true"),
        ("true", "the boolean true"),
        ("12:30", "the number 750, because YAML reads a bare `12:30` as 750"),
        ("1:30:05.5", "the number 5405.5, because YAML reads a bare `1:30:05.5` as 5405.5"),
        ("0123", "the number 83, because YAML reads a bare `0123` as 83"),
        ("0x1F", "the number 31, because YAML reads a bare `0x1F` as 31"),
        ("0b11", "the number 3, because YAML reads a bare `0b11` as 3"),
        ("1_000", "the number 1000, because YAML reads a bare `1_000` as 1000"),
        ("+1555", "the number 1555, because YAML reads a bare `+1555` as 1555"),
        ("102290129340398", "the number 102290129340398"),
        ("1.10", "the number 1.1, because YAML reads a bare `1.10` as 1.1"),
        ("1.0e+3", "the number 1000.0, because YAML reads a bare `1.0e+3` as 1000.0"),
        (".inf", "the number inf, because YAML reads a bare `.inf` as inf"),
        ("2026-11-23", "the date 2026-11-23"),
        (
            "2026-11-23 10:00:00",
            "the time 2026-11-23 10:00:00",
        ),
    ],
)
def test_a_bare_word_that_became_something_else_needs_quotes(bare: str, got: str) -> None:
    assert complaint(f"word: {bare}") == f'f:1:7: word: expected text, got {got}; put it in quotes: "{bare}"'


@pytest.mark.parametrize("value", ["1e3", "'no'", '"12:30"', "!!str 0123", "08", "2026-13-45", "0x_", "9" * 101])
def test_what_is_text_to_yaml_or_quoted_is_text(value: str) -> None:
    document = parse(f"word: {value}", "f")

    assert validate(Fields, document, (), document.data)[1] == []


@pytest.mark.parametrize(
    ("bare", "got"),
    [
        ("", "nothing"),
        ("~", "nothing, because YAML reads a bare `~` as nothing"),
        ("null", "nothing, because YAML reads a bare `null` as nothing"),
        ("[a]", "a list"),
        ("{a: b}", "a mapping"),
    ],
)
def test_quotes_are_not_proposed_where_they_would_not_help(bare: str, got: str) -> None:
    assert complaint(f"word: {bare}").endswith(f"word: expected text, got {got}")


def test_a_number_is_shown_as_it_is_written() -> None:
    assert complaint("flag: 0x1F") == "f:1:7: flag: expected true or false, got 0x1F"
    assert complaint("count: 1.50") == "f:1:8: count: expected a whole number, got 1.50"


def test_an_exponent_that_yaml_takes_for_text_is_written_out() -> None:
    assert complaint("count: 1e3") == "f:1:8: count: expected a whole number, got the text '1e3'; write 1000"


def test_a_number_that_is_far_too_long_is_not_converted() -> None:
    assert complaint(f"count: {'1:' * 200_000}1").startswith(
        "f:1:8: count: expected a whole number, got the text '1:1:"
    )


def test_a_boolean_where_a_number_is_wanted_is_explained() -> None:
    loaded = read_text("retry: {attempts: yes}", "f", {})

    assert (
        "f:1:19: retry.attempts: expected a number, got the boolean true, because YAML reads a bare `yes` as true"
        in {str(problem) for problem in loaded.problems}
    )


RULE = """\
shop: {domain: acme.myshopify.com, name: Acme}
rules:
  - name: first
    %s: orders/paid
    steps: [send]
"""


def test_the_key_on_works_without_quotes() -> None:
    loaded = read_text(RULE % "on", "f", {})

    assert loaded.problems == ()
    assert loaded.checked().rules[0].on == ("orders/paid",)


def test_a_slip_in_the_key_on_is_named_as_it_is_written() -> None:
    loaded = read_text(RULE % "yes", "f", {})

    assert [str(problem) for problem in loaded.problems] == [
        "f:3:5: rules[0] has no 'on'",
        "f:4:5: unknown key 'yes'; known here: name, on, when, if, once_per, steps",
    ]


def test_norway_is_told_about_its_problem() -> None:
    text = "shop: {domain: acme.myshopify.com, name: Acme, locale: no, delivery: {country: NO}}"

    assert [str(problem) for problem in read_text(text, "f", {}).problems] == [
        (
            "f:1:56: shop.locale: expected text, got the boolean false, because YAML reads a bare `no` as false; "
            'put it in quotes: "no"'
        ),
        (
            "f:1:80: shop.delivery.country: expected text, got the boolean false, because YAML reads a bare `NO` as "
            'false; put it in quotes: "NO"'
        ),
    ]
