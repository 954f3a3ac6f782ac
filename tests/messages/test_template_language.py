"""What the language of messages has is compiled and counted; what it lacks is refused before anything is rendered."""

from __future__ import annotations

import pytest

from shopbot.messages.sandbox import TemplateError, TemplateSandbox
from shopbot.messages.template_language import check_name
from support.rendering import render


@pytest.mark.parametrize(
    "name", ["a.j2", "order_confirmation.pt-BR.txt.j2", "mails/v1.2/a.j2", "_a.j2", "1/a@b.j2", "order_status.txt.j2"]
)
def test_a_plain_name_inside_the_directories_is_one_of_a_template(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("../a.j2", "a/../../b.j2", "..", "/etc/a.j2", "//a.j2", "a//b.j2", "./a.j2", "a/./b.j2", "~/a.j2"),
        *("C:/a.j2", "a\\b.j2", "a.j2\n", "\na.j2", "a b.j2", "", ".j2", ".hidden.j2", "a/.j2", "é.j2", 5, None),
    ],
)
def test_a_name_that_could_lead_out_of_the_directories_is_none(name: object) -> None:
    with pytest.raises(ValueError, match="is not the name of a template"):
        check_name(name)


def test_a_name_without_the_suffix_is_shown_with_it() -> None:
    with pytest.raises(ValueError, match=r"ends in \.j2: 'order\.txt\.j2'\?"):
        check_name("order.txt")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% for i in [1] recursive %}{% endfor %}", "recursive loops are not part of the language of messages"),
        ("{% set a.b = 1 %}", "'set name.field' is not part of the language of messages"),
        ("{% autoescape true %}{% endautoescape %}", "'autoescape' is not part of the language of messages"),
        ("{{ lipsum }}", "'lipsum' is not part of the language of messages"),
        ("{{ order._token }}", "'_token': names that begin with an underscore cannot be read"),
        ("{{ 1 | mony }}", "there is no filter 'mony'; did you mean 'money'?"),
        ("{{ 1 is od }}", "there is no test 'od'; did you mean 'odd'?"),
        ("{% include name %}", "the name of another template must be written out, in quotes"),
        ("{% include 5 %}", "5 is not the name of a template: a plain name inside the template directories"),
        ("{% include [5] %}", "5 is not the name of a template: a plain name inside the template directories"),
        ("{% include [] %}", "at least one template must be named"),
        ("{% extends none %}", "None is not the name of a template: a plain name inside the template directories"),
        ("{% import '../a.j2' as a %}", "'../a.j2' is not the name of a template: a plain name inside the template"),
        ("{% from 'a.txt' import b %}", "the name of a template ends in .j2: 'a.txt.j2'?"),
    ],
)  # fmt: skip
def test_what_messages_lack_is_refused_with_its_line_even_where_nothing_leads_to_it(source: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        TemplateSandbox([]).compile_text(f"\n{{% if false %}}\n{source}{{% endif %}}", "t")

    assert caught.value.message.startswith(message)
    assert caught.value.line == 3


def test_a_name_may_end_in_an_underscore() -> None:
    sandbox = TemplateSandbox([])

    assert sandbox.render(sandbox.compile_text("{{ order.class_ }}", "t"), {"order": {"class_": "x"}}) == "x"


_UNSEEN = "{% if false %}{% endif %}" * 40
"""Parts that cost nothing but that they are there."""
_WITH_CALLER = "{% macro m() %}{{ caller() }}{% endmacro %}"
_HEAVY = "{% set a = 'a' %}" + "{% set a = (a, a) %}" * 12
"""Some 8,000 texts, each of which is looked at when the whole is hashed or compared."""


@pytest.mark.parametrize(
    ("before", "repeated", "turns"),
    [
        (f"{{% macro m() %}}{_UNSEEN}{{% endmacro %}}", "{{ m() }}", 3000),
        (
            f"{_WITH_CALLER}{{% macro n() %}}{{% call m() %}}{_UNSEEN}{{% endcall %}}{{% endmacro %}}",
            "{{ n() }}",
            2000,
        ),
        ("", _UNSEEN, 3000),
        (_HEAVY, "{% set x = {}[a] is defined %}", 100),
        (_HEAVY, "{% set x = a == 1 %}", 100),
        (_HEAVY, "{% set x = 1 == a %}", 100),
        (_HEAVY, "{% set x = a[:1] %}", 100),
    ],
    ids=["a macro", "a call", "a loop", "a key", "an operand", "another operand", "a slice"],
)  # fmt: skip
def test_what_is_done_often_costs_what_it_does(before: str, repeated: str, turns: int) -> None:
    loop = f"{before}{{% for i in range(TURNS) %}}{repeated}{{% endfor %}}"

    assert render(loop.replace("TURNS", "3")).strip() == ""
    with pytest.raises(TemplateError, match="too many steps"):
        render(loop.replace("TURNS", str(turns)))


def test_a_loop_of_some_parts_may_turn_as_often_as_is_allowed() -> None:
    assert render("{% for i in range(10000) %}{% if i == 9999 %}last{% endif %}{% endfor %}") == "last"


@pytest.mark.parametrize("statement", ["include", "extends", "import"])
def test_what_names_a_missing_template_is_refused_before_anything_is_rendered(statement: str) -> None:
    with pytest.raises(TemplateError, match=r"there is no template 'nope\.j2'") as caught:
        TemplateSandbox([]).compile_text(f"\n{{% {statement} 'nope.j2' {'as m ' * (statement == 'import')}%}}", "t")
    assert caught.value.line == 2
