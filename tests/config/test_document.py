from __future__ import annotations

from dataclasses import replace

import pytest

from shopbot.config.compose import DEEPEST_NESTING, LARGEST_TEXT_BYTES, MOST_ALIASED_VALUES
from shopbot.config.document import parse


def complaints(text: str) -> list[str]:
    return [str(problem) for problem in parse(text, "f").problems]


NESTED = """\
shop:
  name: Acme
rules:
  - name: first
    steps: [one, {two: three}]
  - name: second
    when:
      test: false
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("shop",), (2, 3), (1, 1)),
        (("shop", "name"), (2, 9), (2, 3)),
        (("rules", 0), (4, 5), (4, 5)),
        (("rules", 0, "name"), (4, 11), (4, 5)),
        (("rules", 0, "steps", 1), (5, 18), (5, 18)),
        (("rules", 0, "steps", 1, "two"), (5, 24), (5, 19)),
        (("rules", 1, "when", "test"), (8, 13), (8, 7)),
        ((), (1, 1), (1, 1)),
    ],
)
def test_every_key_and_value_has_its_place(
    path: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int]
) -> None:
    document = parse(NESTED, "f")

    assert document.position(path) == value
    assert document.position_of_key(path) == key


@pytest.mark.parametrize("path", [("rules", 1, "when", "tset"), ("rules", 1, "when", "test", "x", 3)])
def test_a_missing_key_has_the_place_of_the_nearest_parent(path: tuple[str | int, ...]) -> None:
    expected = (8, 7) if path[-1] == "tset" else (8, 13)

    assert parse(NESTED, "f").position(path) == expected


def test_a_list_index_out_of_range_has_the_place_of_the_list() -> None:
    assert parse(NESTED, "f").position(("rules", 7)) == (4, 3)
    assert parse(NESTED, "f").position(("rules", -1)) == (4, 3)


def test_columns_count_characters_behind_a_byte_order_mark_and_in_other_scripts() -> None:
    document = parse("\ufeffname: {größe: 1, x: 2}\r\nother: 3\r\n", "f")

    assert document.problems == ()
    assert document.position_of_key(("name",)) == (1, 1)
    assert document.position_of_key(("name", "x")) == (1, 18)
    assert document.position(("other",)) == (2, 8)


def test_data_is_what_pyyaml_gives_except_that_keys_are_texts() -> None:
    document = parse("on: [1, 2.5, yes, ~, x, 'no']\n12: {a: null}\nyes: 0x10\n", "f")

    assert document.data == {"on": [1, 2.5, True, None, "x", "no"], "12": {"a": None}, "yes": 16}


def test_a_duplicate_key_is_reported_where_it_stands_and_names_the_first() -> None:
    text = "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 4\n"

    assert complaints(text) == [
        "f:5:3: duplicate key 'c'; the first one is in line 3",
        "f:6:1: duplicate key 'a'; the first one is in line 1",
    ]


def test_keys_that_differ_only_in_yaml_s_reading_are_different_keys() -> None:
    assert complaints("on: 1\ntrue: 2\nyes: 3\n") == []
    assert complaints("on: 1\n'on': 2\n") == ["f:2:1: duplicate key 'on'; the first one is in line 1"]


def test_an_alias_repeats_a_value_and_keeps_the_place_where_it_is_written() -> None:
    document = parse("a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n  own: 2\n", "f")

    assert document.data == {"a": {"k": 1}, "b": {"k": 1}, "c": {"k": 1, "own": 2}}
    assert document.position(("b", "k")) == (1, 11)
    assert document.position_of_key(("c", "own")) == (5, 3)


def test_merged_keys_give_way_to_own_keys_and_earlier_merges_win() -> None:
    text = "a: &a {k: 1, l: 1}\nb: &b {k: 2, l: 2, m: 2}\nc: {<<: [*a, *b], k: 3}\n"

    assert parse(text, "f").data["c"] == {"k": 3, "l": 1, "m": 2}


def test_aliases_cannot_fill_the_memory() -> None:
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join(['*' + before] * 9)}]")

    assert complaints("\n".join(lines)) == [f"f:5:8: aliases repeat more than {MOST_ALIASED_VALUES} values"]


def test_an_alias_inside_its_own_value_is_refused() -> None:
    assert complaints("a: &x [1, *x]") == ["f:1:11: the alias '*x' stands inside the value that it repeats"]


def test_a_character_may_be_escaped_as_json_does_but_not_by_half() -> None:
    assert parse(r'{"a": "\ud83d\udce6 x", "\ud83d\udce6": 1}', "f").data == {"a": "📦 x", "📦": 1}
    assert complaints(r'a: "\ud83d x"') == [
        "f:1:4: an escape such as \\ud83d is half a character: write both halves, or the character"
    ]
    assert complaints('a: "\ufffd"') == []


def test_deep_nesting_is_refused_where_it_begins() -> None:
    assert complaints("- " * 10_000) == [
        f"f:1:{2 * DEEPEST_NESTING + 1}: nested more than {DEEPEST_NESTING} levels deep"
    ]
    assert complaints("[" * 10_000)[0].endswith("levels deep")


def test_nor_can_aliases_nest_deeper() -> None:
    half = DEEPEST_NESTING // 2
    nested = f"a: &a {'[' * half}1{']' * half}\nb: {{c: &c {'[' * half}*a{']' * half}}}\n"

    assert complaints(nested) == [f"f:2:{half + 11}: nested more than {DEEPEST_NESTING} levels deep"]
    assert complaints(nested.replace("[", "", 4).replace("]", "", 4)) == []


def test_a_text_beyond_the_limit_is_refused_unread() -> None:
    assert complaints("#" * (LARGEST_TEXT_BYTES + 1)) == ["f: larger than 1048576 bytes: this is no configuration"]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a remark\n", "---\n", "~"])
def test_an_empty_file_is_one_problem(text: str) -> None:
    assert [message.split(": ", 1)[1] for message in complaints(text)] == ["the file is empty"]


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "12"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    assert complaints(text) == ["f:1:1: expected 'key: value' lines, as in 'shop:'"]


def test_a_second_document_is_refused_where_it_starts() -> None:
    assert complaints("a: 1\n---\nb: 2\n") == ["f:2:1: a second document ('---') starts here: put everything into one"]


TAG_HINT = "a file is not included and a secret is written ${NAME}; a text that starts with '!' needs quotes"


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("!include other.yaml", "!include"),
        ("!secret x", "!secret"),
        ("!!python/object/apply:os.system [ls]", "!!python/object/apply:os.system"),
        ("!!binary aGk=", "!!binary"),
        ("!!set {a, b}", "!!set"),
        ("!!timestamp 2026-11-23", "!!timestamp"),
    ],
)
def test_tags_are_refused_each_at_its_place(tag: str, shown: str) -> None:
    document = parse(f"a: 1\nb: {tag}\n", "f")

    assert [str(problem) for problem in document.problems] == [f"f:2:4: the tag '{shown}' is not supported: {TAG_HINT}"]
    assert document.is_broken(("b",))
    assert document.is_broken(("b", "below", 0))
    assert not document.is_broken(("a",))


def test_standard_tags_are_allowed_where_they_fit() -> None:
    document = parse("a: !!str 0123\nb: !!int '7'\nc: !!map {d: 1}\ne: !!seq [1]\n", "f")

    assert document.problems == ()
    assert document.data == {"a": "0123", "b": 7, "c": {"d": 1}, "e": [1]}


@pytest.mark.parametrize("value", ["!!int x", "!!int", "!!bool maybe", "!!float x"])
def test_standard_tags_that_do_not_fit_are_refused(value: str) -> None:
    assert "does not fit its tag" in complaints(f"a: {value}")[0]


def test_a_template_without_quotes_is_explained_and_nothing_else_is_said_about_it() -> None:
    document = parse("a: {{ order.name }}\n", "f")

    assert [str(problem) for problem in document.problems] == [
        "f:1:4: a key must be a word; a text that starts with '{' or '[' needs quotes"
    ]
    assert document.is_broken(("a",))


BRACKETS = "; a text with '{{ }}' or '${ }' needs quotes where brackets stand next to it"
COLON = (
    "a ':' is not expected here: a text that holds ': ' needs quotes; otherwise look at the indentation, "
    "and whether the line above lacks its own ': '"
)
INDENTED = "this line is indented differently from the lines that it belongs to"
APOSTROPHE = "the apostrophe in front of this ends the text that a ' began: put the text between \"…\", or write ''"
SPACE = "the space here is none that YAML knows (U+00A0): type the indentation anew"
BEHIND = "text behind a closing quote or bracket: put the whole value in quotes"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:\n\tb: 1", "2:1: a tab: YAML is indented with spaces only"),
        ("a: 1\n  b: 2", f"2:4: {COLON}"),
        ("a: b: c", f"1:5: {COLON}"),
        ("name:Acme\ndomain: x", f"2:7: {COLON}"),
        ("a:\n  - x\n b: 1", f"3:2: {INDENTED}"),
        ("a:\n  - b\n - c", f"3:2: {INDENTED}"),
        ('a: 1\nb: "x\nc: 2', "2:4: the quote that opens here is never closed"),
        (
            'a: "x\nb: "y"\nc: 1',
            "1:4: the quote that opens here is closed only in line 2: one is missing",
        ),
        ("a: 'it's'", f"1:8: {APOSTROPHE}"),
        ('a: "x" y', f"1:8: {BEHIND}"),
        ("shop:\n\u00a0\u00a0name: Acme\n  locale: en", f"2:1: {SPACE}"),
        ("shop:\n  name: Acme\n \u00a0locale: en", f"3:2: {SPACE}"),
        ("a: |\n  \u00a0x\nb: 1\nc: [1\nd: 2", "5:2: ',' or ']' is missing for the '[' in line 4"),
        ("a: [1, 2\nb: 3", "2:2: ',' or ']' is missing for the '[' in line 1"),
        ("a: {b: 1\nc: 3", "2:2: ',' or '}' is missing for the '{' in line 1"),
        ("a: [${X}]", f"1:6: ',' or ']' is missing for the '[' in line 1{BRACKETS}"),
        ("a: {k: ${X}}", f"1:9: ',' or '}}' is missing for the '{{' in line 1{BRACKETS}"),
        ("a: {{ x }} hi", f"1:12: {BEHIND}{BRACKETS}"),
        ("a: @x", "1:4: a value cannot start with '@': put it in quotes"),
        ("a: `x", "1:4: a value cannot start with '`': put it in quotes"),
        ("a: **bold**", "1:4: a value cannot start with '*' or '&': put it in quotes"),
        ("a: *x", "1:4: no anchor '&x' above this alias; a text that starts with '*' needs quotes"),
        ("a: &x 1\nb: &x 2", "2:4: a second anchor '&x'"),
        (
            'a: "\\d"',
            "1:6: a backslash between double quotes starts an escape: use single quotes, or write '\\\\'",
        ),
        ("a: 1\nb\nc: 2", "2:1: this key has no ': ' behind it"),
        ("a: - b", "1:4: a list entry '- …' must start on a line of its own"),
        (
            "key: value\n- x",
            "2:1: a list entry among the keys of a mapping: indent it below the key that it belongs to",
        ),
        ("a: [b, , c]", "1:8: a value is missing in front of ',', or the text needs quotes"),
        (
            "a: > x",
            "1:4: behind '|' or '>' the text begins on the next line; a text that starts with one needs quotes",
        ),
        (
            " a: 1\nb: 2",
            "2:1: this line is indented differently from the first one, or follows the end of the document",
        ),
        ("a: !e!x y", "1:4: a value cannot start with '!': put it in quotes"),
        ("a: ? b", "1:4: a value cannot start with '? ': put it in quotes"),
        ("%YAML x", "1:1: a line cannot start with '%': put it in quotes"),
        ("a: 1\nb: x\x07", "2:5: the character U+0007 is not allowed in YAML"),
        ('a: "\\UFFFFFFFF"', "1:7: an escape or a directive with a number that is far too large"),
        ("x: {<<: 3}", "1:9: '<<' takes the keys of a mapping: write '<<: *name'"),
        ("? \n: 1", "1:2: a ':' without a key in front of it"),
        ("a:\n  : 1", "2:3: a ':' without a key in front of it"),
    ],
)
def test_syntax_errors_are_explained_in_plain_words_where_the_hand_has_to_go(text: str, problem: str) -> None:
    assert complaints(text) == [f"f:{problem}"]


def test_data_of_a_document_is_not_in_its_repr() -> None:
    assert "hunter2" not in repr(parse("password: hunter2", "f"))


@pytest.mark.parametrize(
    ("secrets", "message", "masked"),
    [
        (("hunter2",), "no step named 'hunter2'", "no step named '${…}'"),
        (("en",), "the shop speaks en and English, not open", "the shop speaks ${…} and English, not open"),
        (("one-long", "one"), "one-long or one", "${…} or ${…}"),
        (("a.b",), "a.b and axb", "${…} and axb"),
        ((), "nothing to hide", "nothing to hide"),
        (("line\nbreak",), "got 'line\\nbreak'", "a value from the environment is the matter"),
    ],
)
def test_what_came_from_the_environment_is_left_out_of_a_message(
    secrets: tuple[str, ...], message: str, masked: str
) -> None:
    assert replace(parse("a: 1", "f"), secrets=secrets).masked(message) == masked
