"""Topics whose events nobody brings."""

from collections.abc import Iterator

from shopbot.host.examinations.carried import ACT
from shopbot.host.examinations.examination import Case, Finding, is_no_event, listed
from shopbot.model.request import Origin
from shopbot.polling import POLLED_TOPIC

_MESSENGER = "messenger/"


def examine(case: Case) -> Iterator[Finding]:
    """Hold the topics of all rules against those who bring events."""
    yield from _no_events(case)
    if case.complete:
        yield from _unpolled(case)
        yield from _unverified(case)


def _no_events(case: Case) -> Iterator[Finding]:
    """Find Messenger topics that look like events and are none."""
    for path, settings, _, topics in case.each_rule():
        never = [topic for topic in settings.on if is_no_event(topic)]
        if never:
            what = f"shopbot makes no events of {listed(never)}, so the rule never matches{' for it' if topics else ''}"
            known = f"what shoppers do comes as {listed(ACT.topics, 'or')}"
            yield Finding((*path, "on"), f"{what}; {known}", "warning" if topics else "error", at_key=True)


def _unpolled(case: Case) -> Iterator[Finding]:
    # Without rules they have a mistake of their own, or it is plain to see.
    if case.settings.pollers and case.rules and not any(POLLED_TOPIC in rule.topics for rule in case.rules):
        message = f"polled orders count as {POLLED_TOPIC}, and no rule listens to that: lost webhooks are not made good"
        yield Finding(("pollers",), message, "warning")


def _unverified(case: Case) -> Iterator[Finding]:
    """Find rules of whose topics no request is ever taken: a warning, as one may look at messages before going live."""
    judged = {origin for origin in Origin if case.hooks.judges(origin)}
    for path, _, _, topics in case.each_rule():
        needed = {Origin.MESSENGER if topic.startswith(_MESSENGER) else Origin.SHOPIFY for topic in topics}
        if not needed or needed & judged or (case.settings.pollers and POLLED_TOPIC in topics):
            continue
        verifiers = listed((f"`use: {origin}_hmac`" for origin in needed), "or")
        message = (
            f"nobody brings {listed(topics, 'or')}: no entry of `verify:` vouches for such webhooks; add {verifiers}"
        )
        yield Finding((*path, "on"), message, "warning", at_key=True)
