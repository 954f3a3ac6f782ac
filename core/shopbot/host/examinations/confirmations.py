"""Which messages confirm an order: what a shopper must not miss."""

from collections.abc import Sequence

from shopbot.host.occasions import occasions_of
from shopbot.rules.rule import Rule


def confirmed_by(rules: Sequence[Rule], message: str) -> str | None:
    """Name the rule by which a message confirms orders; None where it confirms none.

    A rule that keeps the order before it sends, confirms it.
    """
    for rule, _, sending in occasions_of(rules, message):
        for step in rule.steps if rule else ():
            if step is sending:
                break
            if step.name == "save_order_reference" and rule is not None:
                return rule.name
    return None
