"""What filters and tests take, what they cost and what they refuse, each before it is done."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from shopbot.messages.sandbox import TemplateError, TemplateSandbox
from support import rendering

SANDBOX = TemplateSandbox(
    [],
    filters={"swallow": lambda *_args, **_options: None},
    tests={"there": lambda *_args, **_options: True},
)
render = partial(rendering.render, sandbox=SANDBOX)
failure = partial(rendering.failure, sandbox=SANDBOX)

LINES = [{"title": "Mug", "count": 2}, {"title": "Cup", "count": 1}]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ lines | join(', ', attribute='title') }}", "Mug, Cup"),
        ("{{ lines | join(attribute='title') }}", "MugCup"),
        ("{{ [1, none, 'a'] | join('-') }}", "1--a"),
        ("{{ [1, 2] | join(0) }}", "102"),
        ("{{ pairs | join(attribute=1) }}", "bd"),
        ("{{ lines | sum(attribute='count') }}", "3"),
        ("{{ pairs | map('last') | list | length }} {{ [(1, 2), (3, 4)] | sum(attribute=1) }}", "2 6"),
        ("{{ [] | sum }} {{ [1.5, 2] | sum }} {{ [1, 2] | sum(start=10) }}", "0 3.5 13"),
        ("{{ amounts | sum }}", "3.75"),
        ("{{ '%s-%s' | format('a', 1) }} {{ '%(a)s' | format(a=2) }} {{ 5 | format }}", "a-1 2 5"),
        ("{{ none | string }}|{{ amounts[0] | string }}", "|1.25"),
        ("{{ amounts[0] | upper }} {{ none | upper }} {{ amounts[0] | replace('.', ',') }}", "1.25  1,25"),
        ("{{ 'a\nb' | indent }}", "a\n    b"),
        ("{{ 'a\nb' | indent('>', true) }}", ">a\n>b"),
        ("[{{ ' a ' | trim(none) }}]", "[a]"),
        ("{{ 'a\nb' | indent(width=2, first=true) }}", "  a\n  b"),
        ("{{ 'aa bb' | wordwrap(3, wrapstring='|') }} {{ 'a b' | wordwrap }}", "aa|bb a b"),
        ("[{{ 'a' | center | length }}]", "[80]"),
        ("{{ 1.25 | round(1, 'floor') }} {{ 15 | round(-1) }} {{ 1.6 | round }}", "1.2 20 2.0"),
        ("{{ [1, 2, 3] | batch(linecount=2) | list | length }} {{ [1] | batch(1000) | list | length }}", "2 1"),
        ("{{ [1, 2, 3] | slice(slices=3) | list | length }} {{ [1, 2] | slice(1) | list | length }}", "3 1"),
        ("{{ 'a' is there(1, x=2) }} {{ 4 is divisibleby(num=2) }}", "True True"),
    ],
)  # fmt: skip
def test_filters_take_their_arguments_by_place_and_by_name(source: str, text: str) -> None:
    context: Mapping[str, Any] = {
        "lines": LINES,
        "pairs": [("a", "b"), ("c", "d")],
        "amounts": [Decimal("1.25"), Decimal("2.50")],
    }
    assert render(source, **context) == text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ 'a' | replace([1], 'b') }}", "the filter 'replace' takes texts and numbers"),
        ("{{ 'a' | replace(old='a', new=[1]) }}", "the filter 'replace' takes texts and numbers"),
        ("{{ 'a' | truncate({}) }}", "the filter 'truncate' takes texts and numbers"),
        ("{{ ['a'] | sum }}", "sum adds numbers"),
        ("{{ [[1]] | sum(start=[]) }}", "sum adds numbers"),
        ("{{ [(1,)] | sum(start=()) }}", "sum adds numbers"),
        ("{{ 'a' | indent([1]) }}", "the filter 'indent' takes texts and numbers"),
        ("{{ 'a' | indent(-1) }}", "a width must be a number from 0 to 200"),
        ("{{ 'a' | wordwrap(0) }}", "a width must be a number from 1"),
        ("{{ 'a' | wordwrap(1.5) }}", "a width must be a number from 1"),
        ("{{ [1] | batch(0) }}", "a number from 1 to 1000 is needed"),
        ("{{ [1] | batch(1001) }}", "a number from 1 to 1000 is needed"),
        ("{{ [1] | batch }}", "a number from 1 to 1000 is needed"),
        ("{{ [1] | batch('2') }}", "a number from 1 to 1000 is needed"),
        ("{{ [1] | slice(slices=1001) }}", "a number from 1 to 1000 is needed"),
        ("{{ [1] | slice(0) }}", "a number from 1 to 1000 is needed"),
        ("{{ 1.5 | round(31) }}", "the precision must be a small number"),
        ("{{ 1.5 | round(-31) }}", "the precision must be a small number"),
        ("{{ 1.5 | round(1.5) }}", "the precision must be a small number"),
        ("{{ 'a' | trim('x' * 201) }}", "at most 200 characters to strip"),
        ("{{ 'a' | center(201) }}", "a width must be a number from 0 to 200"),
        ("{{ 'a' | center(x=1) }}", "the filter 'center' failed: "),
        ("{{ 1 is divisibleby(0) }}", "the test 'divisibleby' failed: "),
        ("{{ nobody is odd }}", "'nobody' is not defined"),
    ],
)  # fmt: skip
def test_other_arguments_are_refused_with_what_is_needed(source: str, message: str) -> None:
    assert failure(source).startswith(message)


def test_what_is_just_allowed_is_done() -> None:
    assert render("{{ 1.5 | round(30) }} {{ 1.5 | round(-30) }}") == "1.5 0.0"
    assert render("{{ ('x' * 65532) | indent | length }}") == "65532"
    assert render("{{ 'a' | indent(200, true) | length }} {{ 'aa' | wordwrap(1) | length }}") == "201 3"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ('x' * 65532) | indent(SOME, true) | length }}",
        "{{ ('x' * 65532) | indent('>' * SOME, true) | length }}",
        "{{ ('\n' * 6552 ~ 'x' * 6) | indent(SOME + 5, true, true) | length }}",
    ],
)
def test_an_indent_is_refused_where_the_text_would_grow_beyond_the_limit(source: str) -> None:
    assert int(render(source.replace("SOME", "4"))) <= 65536
    assert failure(source.replace("SOME", "5")) == "the text grows beyond 65536 characters"


def test_wrapped_lines_are_counted_as_if_each_character_had_one() -> None:
    assert render("{{ ('x ' * 16384) | wordwrap(79) | length > 32000 }}") == "True"
    assert "grows beyond" in failure("{{ ('x ' * 16385) | wordwrap(79) }}")
    assert "grows beyond" in failure("{{ ('x ' * 10000) | wordwrap(79, wrapstring='abc') }}")


def test_a_list_that_is_joined_may_be_as_long_as_any_text() -> None:
    assert render("{{ ['x' * 65534] | join(', ') | length }}") == "65534"
    assert "grows beyond" in failure("{{ ['x' * 65000, 'x' * 600] | join }}")
    assert "grows beyond" in failure("{{ ['x', 'x'] | join('x' * 65530 ~ 'yyyyyy') }}")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ('a' * 500) | replace('a', 'x' * 65536) }}",
        "{{ ('\n' * 60000) | indent(200, true, true) }}",
        "{{ ('\n' * 60000) | indent('>' * 200, true, true) }}",
        "{{ ('x ' * 32000) | wordwrap(1, wrapstring='-' * 1000) }}",
        "{% set a = 'x' * 65536 %}{{ [" + "a, " * 30 + "] | join(a) }}",
    ],
)
def test_what_would_be_too_long_is_refused_before_it_is_made(source: str) -> None:
    """Of two short texts a filter makes gigabytes."""
    template = SANDBOX.compile_text(source, "t")
    tracemalloc.start()
    try:
        with pytest.raises(TemplateError, match="grows beyond"):
            SANDBOX.render(template, {})
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 1_000_000


_LONG = "{% set a = 'x' * 40000 %}"
_HEAVY = "{% set a = 'a' %}" + "{% set a = (a, a) %}" * 12


@pytest.mark.parametrize(
    ("before", "once", "turns"),
    [
        (_LONG, "a | swallow", 20),
        (_LONG, "1 | swallow(a)", 300),
        (_LONG, "1 | swallow(x=a)", 300),
        (_HEAVY, "a | swallow", 20),
        (_HEAVY, "1 | swallow(a)", 20),
        (_HEAVY, "1 | swallow(x=a)", 20),
        (_HEAVY, "a is there", 20),
        (_HEAVY, "1 is there(a)", 20),
        (_HEAVY, "1 is there(x=a)", 20),
        ("", "range(10000) | first", 20),
        ("", "1 | number", 3000),
        ("{% set a = range(4000) | list %}", "a | join", 20),
    ],
)
def test_what_a_filter_or_a_test_looks_at_is_charged(before: str, once: str, turns: int) -> None:
    loop = f"{before}{{% for i in range(TURNS) %}}{{% set x = {once} %}}{{% endfor %}}"

    assert render(loop.replace("TURNS", "2")) == ""
    assert failure(loop.replace("TURNS", str(turns))).startswith("this takes too many steps")


def test_a_test_says_yes_or_no() -> None:
    sandbox = TemplateSandbox([], tests={"large": lambda value: value > 40 and "very"})

    assert sandbox.render(sandbox.compile_text("{{ 41 is large }} {{ 1 is large }}", "t"), {}) == "True False"
