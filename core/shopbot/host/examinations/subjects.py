"""`once_per:` for something that the rule's events are not about."""

from collections.abc import Iterator, Mapping

from shopbot.host.examinations.carried import NEWS, PARCEL, REFUND, Cargo, bring_none, own_rule
from shopbot.host.examinations.examination import Case, Finding, listed

_SUBJECTS: Mapping[str, tuple[str, Cargo]] = {
    "order": ("orders", NEWS),
    "fulfillment": ("parcels", PARCEL),
    "refund": ("refunds", REFUND),
}


def examine(case: Case) -> Iterator[Finding]:
    """Hold each rule's `once_per:` against its topics."""
    for path, settings, _, topics in case.each_rule():
        if settings.once_per not in _SUBJECTS:
            continue
        counted, cargo = _SUBJECTS[settings.once_per]
        without = cargo.lacking(topics)
        message = f"`once_per: {settings.once_per}` counts {counted}, and {bring_none(without)}" if without else ""
        if without and len(without) == len(topics):
            why = f"the rule never runs; it runs for {listed(cargo.topics, 'or')}"
            yield Finding((*path, "once_per"), f"{message}: {why}")
        elif without:
            why = f"the rule never runs there; {own_rule(without)}"
            yield Finding((*path, "once_per"), f"{message}: {why}", "warning")
