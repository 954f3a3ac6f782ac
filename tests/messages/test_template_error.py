"""What becomes of an error in a template: one line for the merchant, of bounded length, with its place."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from jinja2.exceptions import TemplateRuntimeError, TemplateSyntaxError

from shopbot.messages.sandbox import TemplateError, TemplateSandbox
from shopbot.messages.template_error import explain
from shopbot.model.money import Money


@pytest.mark.parametrize(
    ("length", "shown"), [(300, "x" * 300), (301, "x" * 300 + "…"), (5000, "x" * 300 + "…")], ids=str
)
def test_a_message_is_whole_up_to_300_characters_and_a_longer_one_says_that_it_goes_on(length: int, shown: str) -> None:
    assert explain(TemplateRuntimeError("x" * length), "t", ()).message == shown


def test_what_names_no_file_is_wrong_in_the_template_itself() -> None:
    assert str(explain(TemplateSyntaxError("unexpected '}'", 2), "messages.hi.text", ())) == (
        "messages.hi.text:2: unexpected '}'"
    )
    assert str(explain(TemplateSyntaxError("unexpected '}'", 2, "b.j2"), "a.j2", ())) == "b.j2:2: unexpected '}'"


def test_an_error_without_a_text_is_named_by_its_kind() -> None:
    def broken(_value: object) -> str:
        raise TemplateRuntimeError

    sandbox = TemplateSandbox([], filters={"broken": broken})

    with pytest.raises(TemplateError) as caught:
        sandbox.render(sandbox.compile_text("{{ 1 | broken }}", "t"), {})
    assert str(caught.value) == "t:1: TemplateRuntimeError"


def test_a_syntax_error_is_one_line() -> None:
    """Jinja's own text repeats the place in lines of its own."""
    with pytest.raises(TemplateError) as caught:
        TemplateSandbox([]).compile_text("x" * (16 * 1024 + 1), "t")

    assert str(caught.value) == "t:1: the template is larger than 16 KiB"


ASK_FIRST = "ask first whether there is one, as in `x is not none and x > 0`"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("total > 5", "'>' does not go with a Money and a number; take the `amount` of the Money"),
        ("5 <= total", "'<=' does not go with a number and a Money; take the `amount` of the Money"),
        ("total + 5", "'+' does not go with a Money and a number; take the `amount` of the Money"),
        ("nothing >= 5", f"'>=' does not go with nothing (none) and a number; {ASK_FIRST}"),
        ("total ** 2", "'**' does not go with a Money and a number; take the `amount` of the Money"),
        ("'5' < 5", "'<' does not go with a text and a number"),
        ("day < 5", "'<' does not go with a moment and a number"),
    ],
)
def test_what_an_operator_does_not_go_with_is_said_in_words(expression: str, message: str) -> None:
    values = {"total": Money(amount=Decimal(7), currency="EUR"), "nothing": None, "day": datetime.now(UTC)}

    with pytest.raises(TemplateError) as caught:
        TemplateSandbox([]).compile_expression(expression, "rules[0].if").evaluate(values)
    assert caught.value.message == f"this cannot be computed: {message}"


def test_what_python_guesses_behind_it_is_left_out() -> None:
    error = TypeError("unsupported operand type(s) for >>: 'int' and 'str'. Did you mean print(file=...)?")

    assert explain(error, "t", ()).message == "this cannot be computed: '>>' does not go with a number and a text"
