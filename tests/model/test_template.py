from __future__ import annotations

import pytest

from shopbot.model.template import TemplateDefinition


@pytest.mark.parametrize(
    ("body", "values", "words"),
    [
        ("Order {{1}} arrives on {{ 2 }}.", ("#1234", "Feb 10"), "Order #1234 arrives on Feb 10."),
        ("{{2}} and {{1}} and {{2}}.", ("a", "b"), "b and a and b."),
        ("Hello {{1}}.", (" a\n\tb ",), "Hello a b."),
        ("Hello {{1}}.", ("",), "Hello -."),
        ("Hello {{1}}, {{2}}.", ("{{2}}",), "Hello {{2}}, {{2}}."),
    ],
    ids=["in order", "as often as asked", "one line", "empty", "too few"],
)
def test_values_are_put_into_their_places(body: str, values: tuple[str, ...], words: str) -> None:
    assert TemplateDefinition(name="t", language="en", body=body).filled(values) == words
