"""`once_per:` for something that the rule's events are not about, and its absence where they come again."""

from collections.abc import Iterator, Mapping

from shopbot.host.examinations.carried import NEWS, PARCEL, REFUND, Cargo, bring_none, own_rule
from shopbot.host.examinations.examination import Case, Finding, RuleCase, listed
from shopbot.rules.news import ORDER_TOPICS, PARCEL_TOPICS

_SUBJECTS: Mapping[str, tuple[str, Cargo]] = {
    "order": ("orders", NEWS),
    "fulfillment": ("parcels", PARCEL),
    "refund": ("refunds", REFUND),
}


_NOUNS = {"order": "order", "fulfillment": "parcel"}
_COMES_AGAIN: Mapping[str, tuple[frozenset[str], str, str]] = {
    "order": (ORDER_TOPICS, "orders/updated", "with every change of an order"),
    "fulfillment": (PARCEL_TOPICS, "fulfillments/update", "with every change of a parcel"),
}
"""By what a rule may count: the topics that are about it, the one that comes several times, and when."""


def examine(case: Case) -> Iterator[Finding]:
    """Hold each rule's `once_per:` against its topics."""
    for one in case.each_rule():
        if one.settings.once_per in _SUBJECTS:
            yield from _on_nothing(one)
        elif "once_per" not in one.settings.model_fields_set:
            yield from _again(one)


def _on_nothing(one: RuleCase) -> Iterator[Finding]:
    """Find rules that count what their events are not about."""
    counted, cargo = _SUBJECTS[one.settings.once_per]
    without = cargo.lacking(one.topics)
    if not without:
        return
    path = (*one.path, "once_per")
    message = f"`once_per: {one.settings.once_per}` counts {counted}, and {bring_none(without)}"
    if len(without) == len(one.topics):
        why = f"the rule never runs; it runs for {listed(cargo.topics, 'or')}"
        yield Finding(path, f"{message}: {why}")
    else:
        yield Finding(path, f"{message}: the rule never runs there; {own_rule(without)}", "warning")


def _again(one: RuleCase) -> Iterator[Finding]:
    """Find rules that send with each event of the same thing, where nobody has said that this is meant."""
    if not any(step.name == "send_message" for step in one.rule.steps):
        return
    for subject, (topics, again, when) in _COMES_AGAIN.items():
        several = topics & set(one.topics)
        if len(several) > 1:
            why = f"the rule sends with each of {listed(several)}, which come for the same {_NOUNS[subject]}"
        elif again in several:
            why = f"the rule sends with each {again}, which comes {when}"
        else:
            continue
        hint = f"write `once_per: {subject}`, or `once_per: event` where that is meant"
        yield Finding((*one.path, "on"), f"{why}: {hint}", "warning", at_key=True)
