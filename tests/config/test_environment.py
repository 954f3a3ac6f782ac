from __future__ import annotations

from collections.abc import Mapping

import pytest

from shopbot.config.document import Document, parse
from shopbot.config.environment import expand, required_variables


def expanded(text: str, environ: Mapping[str, str]) -> Document:
    return expand(parse(text, "f"), environ)


def complaints(text: str, **environ: str) -> list[str]:
    return [str(problem) for problem in expanded(text, environ).problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "one"),
        ("x${A}y${B}z", "xoneytwoz"),
        ("${A:-other}", "one"),
        ("${MISSING:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${MISSING:-}", ""),
        ("${MISSING:-a:b-c d/e}", "a:b-c d/e"),
        ("$${A}", "${A}"),
        ("$${A} ${A}", "${A} one"),
        ("$$${A}", "$${A}"),
        ("$A $ {A}", "$A $ {A}"),
        ("$${{ order.total }}", "${{ order.total }}"),
        ("{{ order.total }}", "{{ order.total }}"),
    ],
)
def test_variables_are_filled_in(text: str, value: str) -> None:
    document = expanded(f"a: '{text}'", {"A": "one", "B": "two", "EMPTY": ""})

    assert document.problems == ()
    assert document.data == {"a": value}


def test_a_value_is_never_looked_through_again() -> None:
    assert expanded("a: ${A}", {"A": "${B}", "B": "two"}).data == {"a": "${B}"}


def test_a_value_stays_a_text_whatever_yaml_would_make_of_it() -> None:
    data = expanded("a: ${A}\nb: ${B}", {"A": "no", "B": "x: [1]\n- y"}).data

    assert data == {"a": "no", "b": "x: [1]\n- y"}


def test_variables_work_in_lists_block_texts_and_behind_aliases() -> None:
    text = "a: &a ['${A}', 5]\nb: *a\nc: |\n  line ${A}\nd: {e: {f: '${A}'}}\n"
    document = expanded(text, {"A": "one"})

    assert document.data == {
        "a": ["one", 5],
        "b": ["one", 5],
        "c": "line one\n",
        "d": {"e": {"f": "one"}},
    }
    assert set(document.origins) == {("a", 0), ("b", 0), ("c",), ("d", "e", "f")}


def test_keys_are_left_alone() -> None:
    assert expanded("${A}: 1", {"A": "one"}).data == {"${A}": 1}


def test_an_unset_variable_is_named_at_its_place() -> None:
    assert complaints("a: 1\nb: [x, '${NOPE}']") == ["f:2:8: the environment variable 'NOPE' is not set"]


def test_an_empty_variable_counts_as_missing() -> None:
    assert complaints("a: ${NOPE}", NOPE="") == ["f:1:4: the environment variable 'NOPE' is set but empty"]


def test_a_slip_in_a_name_is_recognised() -> None:
    assert complaints("a: ${MESENGER_SECRET}", MESSENGER_SECRET="hidden-value") == [
        "f:1:4: the environment variable 'MESENGER_SECRET' is not set; did you mean 'MESSENGER_SECRET'?"
    ]


def test_all_missing_variables_are_reported_once_each() -> None:
    assert complaints("a: &x ${ONE}-${TWO}\nb: *x\nc: ${ONE}") == [
        "f:1:4: the environment variable 'ONE' is not set",
        "f:1:4: the environment variable 'TWO' is not set",
        "f:3:4: the environment variable 'ONE' is not set",
    ]


FORMS = "write ${NAME} or ${NAME:-default}, and $${ for the characters ${ themselves"


@pytest.mark.parametrize("text", ["${}", "${A", "${1A}", "${A-x}", "${A:?x}", "${A:-${B}}", "${ A }"])
def test_other_forms_are_refused_with_the_right_ones(text: str) -> None:
    assert complaints(f"a: '{text}'", A="one", B="two")[0] == f"f:1:4: '${{' without a variable's name: {FORMS}"


def test_a_dollar_sign_before_a_template_expression_is_told_how_to_be_written() -> None:
    assert complaints('a: "Total: ${{ order.total }}"') == [
        "f:1:4: '${{' is no variable: write '$${{ … }}' for a dollar sign before an expression"
    ]


def test_what_came_from_the_environment_is_known_and_not_shown() -> None:
    document = expanded("a: ${A}\nb: x${A}${B}\nc: ${C:-plain}\n", {"A": "hunter2", "B": "hunter3"})

    assert document.origins == {("a",): ("A",), ("b",): ("A", "B")}
    assert "hunter" not in repr(document)


def test_a_path_without_its_variable_is_not_talked_about_again() -> None:
    assert expanded("a: ${NOPE}", {}).is_broken(("a",))


def test_the_variables_that_a_document_cannot_do_without_can_be_listed() -> None:
    document = parse("a: ${A}\nb: [x, 'y${B}z${C:-c}']\nc: {d: '$${D} ${{ e }}', f: '${A:-a}'}\n${K}: 1\n", "f")

    assert required_variables(document) == {"A", "B"}
