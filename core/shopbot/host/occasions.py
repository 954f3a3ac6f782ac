"""When a message is sent: by which rules, and for how many orders that they have found."""

from collections.abc import Sequence
from typing import NamedTuple

from shopbot.rules.rule import Rule, Step

FOUND = ("one", "several", "none")
"""How many orders `find_orders` may have found."""


class Occasion(NamedTuple):
    """A step that sends the message."""

    rule: Rule | None
    """None stands for a message that no rule sends."""
    found: Sequence[str]
    """For which of `FOUND` it is sent."""
    step: Step | None = None


def occasions_of(rules: Sequence[Rule], message: str) -> Sequence[Occasion]:
    """Give the steps that send a message, in the order of shopbot.yaml."""
    occasions: list[Occasion] = []
    for rule in rules:
        for step in rule.steps:
            found = [number for number in FOUND if _sends(step, number) == message]
            if found:
                occasions.append(Occasion(rule, found, step))
    return occasions


def _sends(step: Step, found: str) -> str | None:
    """Name the message that a step sends for a number of found orders; None for other steps."""
    return step.otherwise.get(found, step.argument) if step.name == "send_message" else None
