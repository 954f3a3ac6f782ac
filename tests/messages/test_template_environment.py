"""Where templates are found, what they may read and call, and what is said of a value that is not there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from shopbot.messages.sandbox import TemplateError, TemplateSandbox
from shopbot.messages.template_environment import TemplateDirectories
from support.rendering import failure, render


class TestDirectories:
    @pytest.fixture
    def files(self, tmp_path: Path) -> TemplateDirectories:
        for name in ("templates/mails/hi.j2", "templates/mails/hi.de.j2", "secret.j2"):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        return TemplateDirectories([tmp_path / "templates"])

    def test_a_file_beside_the_directories_is_not_found(self, files: TemplateDirectories) -> None:
        for look in (files.find, files.source, files.translations, lambda name: files.find_first([name])):
            with pytest.raises(ValueError, match="is not the name of a template"):
                look("../secret.j2")

    def test_a_folder_s_files_have_translations(self, files: TemplateDirectories) -> None:
        assert files.translations("mails/hi.j2") == ["mails/hi.de.j2", "mails/hi.j2"]

    def test_what_is_no_utf_8_is_named_with_its_line(self, tmp_path: Path) -> None:
        (tmp_path / "a.j2").write_bytes(b"\n\nK\xe4se")

        with pytest.raises(TemplateError, match=r"a\.j2:3: the file is not in UTF-8"):
            TemplateSandbox([tmp_path]).compile_file("a.j2")

    def test_the_mark_that_some_editors_put_before_a_text_is_no_part_of_it(self, tmp_path: Path) -> None:
        (tmp_path / "a.j2").write_bytes(b"\xef\xbb\xbfHi\r\nthere")
        (tmp_path / "b.j2").write_bytes(b"\xef\xbb\xbf\n\nK\xe4se")
        sandbox = TemplateSandbox([tmp_path])

        assert sandbox.render(sandbox.compile_file("a.j2"), {}) == "Hi\nthere"
        with pytest.raises(TemplateError, match=r"b\.j2:3: the file is not in UTF-8"):
            sandbox.compile_file("b.j2")


def test_half_a_character_from_an_escape_is_a_text() -> None:
    """YAML has escapes of 16 bits, in which an emoji are two."""
    assert render("\ud83d!") == "\ud83d!"


def test_what_jinja_says_of_a_missing_value_is_kept() -> None:
    assert failure("{{ [] | first }}") == "No first item, sequence was empty."


def test_statements_leave_neither_a_line_nor_their_indent() -> None:
    assert render("a\n  {% if true %}\n  b\n  {% endif %}\nc") == "a\n  b\nc"


class TestWhatStandsInBrackets:
    @pytest.mark.parametrize(
        ("source", "text"),
        [
            ("{{ 'abc'[-3] }}{{ 'abc'[2] }}{{ [1, 2][-2] }}{{ (1, 2)[1] }}{{ range(5)[4] }}", "ac124"),
            ("{{ {1: 'a'}[1] }}{{ {none: 'b'}[none] }}{{ {'items': 'c'}['items'] }}", "abc"),
            (
                "{{ 'abc'[3] is defined }} {{ 'abc'[-4] is defined }} {{ {1: 'a'}[[1]] is defined }}",
                "False False False",
            ),
            ("{{ 5[0] is defined }} {{ [1][none] is defined }} {{ [1]['x'] is defined }}", "False False False"),
        ],
    )
    def test_is_read_where_it_exists(self, source: str, text: str) -> None:
        assert render(source) == text

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("{{ 'abc'[3] }}", "a text has no '3'"),
            ("{{ 'abc'[-4] }}", "a text has no '-4'"),
            ("{{ {1: 'a'}[2] }}", "a mapping has no '2'"),
            ("{{ 5[0] }}", "a number has no '0'"),
            ("{{ [1][none] }}", "a list has no 'nothing (none)'"),
            ("{{ {}[[1]] }}", "a mapping has no 'a list'"),
        ],
    )
    def test_is_named_where_it_does_not(self, source: str, message: str) -> None:
        assert failure(source) == message


@pytest.mark.parametrize("function", [[1].append, "a".format, Path().unlink, date.today, int.from_bytes, len, print])
def test_a_function_that_templates_could_not_read_cannot_be_called_where_a_context_has_it(
    function: Callable[..., object],
) -> None:
    assert failure("{{ f() }}", f=function) == "this cannot be called in a message"


def test_a_method_that_templates_can_read_may_be_kept_and_called() -> None:
    assert render("{% set f = 'a'.upper %}{{ f() }}") == "A"


def test_what_a_macro_or_a_block_holds_may_be_as_long_as_any_text() -> None:
    longest = "{{ 'x' * 65536 }}"

    assert render("{% set a %}" + longest + "{% endset %}{{ a | length }}") == "65536"
    assert render("{% macro m() %}" + longest + "{% endmacro %}{{ m() | length }}") == "65536"


def test_a_text_is_shown_for_less_than_what_has_to_be_written_by_language() -> None:
    loop = "{% for i in range(4000) %}{{ SHOWN }}{% endfor %}"

    assert render(loop.replace("SHOWN", "'x'")) == "x" * 4000
    assert failure(loop.replace("SHOWN", "i")).startswith("this takes too many steps")
