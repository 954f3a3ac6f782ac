"""Steps that never do anything for the events of their rule: what they work on is not there."""

from collections.abc import Iterator, Mapping, Sequence

from shopbot.config.nodes import KeyPath
from shopbot.host.examinations.carried import ACT, CHECKOUT, NEWS, ORDER, Cargo, bring_none, own_rule
from shopbot.host.examinations.examination import Case, Finding, listed
from shopbot.rules.steps import STEP_NAMES

_WORKS_ON: Mapping[str, Cargo] = {
    **dict.fromkeys(("resolve_psid", "clear_cart", "save_order_reference"), ORDER),
    "update_order_reference": NEWS,
    "note_checkout": CHECKOUT,
    **dict.fromkeys(("opt_out", "opt_in"), ACT),
}
"""By each step, what it works on."""

_FINDS_SHOPPER: Mapping[str, Cargo] = {"resolve_psid": ORDER, "update_order_reference": NEWS}
"""Steps behind which the shopper is known, and of what they find it out."""

_NEEDS_SHOPPER = ("clear_cart", "find_orders", "send_message")


def examine(case: Case) -> Iterator[Finding]:
    """Walk through each rule's steps as its events do."""
    for path, settings, _, topics in case.each_rule():
        known = set(topics) & ACT.topics
        for number, (name, _) in enumerate(settings.plan):
            if name not in STEP_NAMES and name not in case.hooks.steps:
                break  # who knows what it was meant to find
            place = (*path, "steps", number)
            found = [*_on_nothing(place, name, topics)]
            if not found and name in _NEEDS_SHOPPER:
                found = [*_for_nobody(place, name, topics, set(topics) - known)]
            yield from found
            if name in _FINDS_SHOPPER:
                known |= set(topics) & _FINDS_SHOPPER[name].topics


def _on_nothing(place: KeyPath, step: str, topics: Sequence[str]) -> Iterator[Finding]:
    cargo = _WORKS_ON.get(step)
    without = cargo.lacking(topics) if cargo else []
    if cargo is None or not without:
        return
    message = f"the step '{step}' works on {cargo.name}, and {bring_none(without)}"
    if len(without) == len(topics):
        yield Finding(place, f"{message}: it never does anything; it comes with {listed(cargo.topics, 'or')}")
    else:
        yield Finding(place, f"{message}: {own_rule(without)}", "warning")


def _for_nobody(place: KeyPath, step: str, topics: Sequence[str], without: set[str]) -> Iterator[Finding]:
    """Find steps before which nobody has said who the shopper is."""
    if not without:
        return
    hints = [f"'{name}'" for name, cargo in _FINDS_SHOPPER.items() if without <= cargo.topics]
    hint = f"put {hints[0]} in front of it" if hints else "these events do not say whose they are"
    message = f"the step '{step}' does not know the shopper for {listed(without)}"
    alone = len(without) == len(topics)
    yield Finding(place, f"{message}: {hint}", "error" if alone else "warning")
