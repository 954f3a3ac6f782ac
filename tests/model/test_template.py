from __future__ import annotations

from shopbot.model.template import TemplateDefinition


def test_a_template_with_its_values_reads_as_the_shopper_reads_it() -> None:
    template = TemplateDefinition(name="sent", language="en", body="Order {{1}} of {{ 2 }}, again: {{1}}.")

    assert template.filled(["#1", "{{1}}"]) == "Order #1 of {{1}}, again: #1."


def test_a_value_that_is_missing_leaves_its_placeholder() -> None:
    template = TemplateDefinition(name="sent", language="en", body="Order {{1}} of {{2}}.")

    assert template.filled(["#1"]) == "Order #1 of {{2}}."
