"""`if:` expressions: read in every branch, and tried on a made-up event of each of the rule's topics."""

from collections.abc import Iterator, Mapping, Sequence

from shopbot.config.nodes import KeyPath
from shopbot.host.examinations.carried import ORDER, PARCEL, REFUND, WORDS, Cargo, bring_none, own_rule
from shopbot.host.examinations.examination import Case, Finding, listed
from shopbot.host.samples import sample_event, sample_orders, sample_parcels, sample_refunds
from shopbot.messages.sandbox import TemplateError
from shopbot.plugin import Shop
from shopbot.rules.attempt import READABLE, Attempt
from shopbot.rules.news import News
from shopbot.rules.rule import Expression

_BROUGHT_BY: Mapping[str, Cargo] = {
    "order": ORDER,
    "customer": ORDER,
    "parcel": PARCEL,
    "refund": REFUND,
    "text": WORDS,
}
"""By each name, what an event must carry for it to be anything."""

_SAMPLE_TEXT = "Where's my order?"


def examine(case: Case) -> Iterator[Finding]:
    """Read and try each rule's `if:`; one that is no expression is named already."""
    for path, settings, rule, topics in case.each_rule():
        if settings.condition is None or rule.condition is None:
            continue
        reading = case.sandbox.read_expression(settings.condition, READABLE)
        place = (*path, "if")
        if reading.slips:
            yield Finding(place, f"`if:` {reading.slips[0].message}")
        elif not reading.names:
            yield from _without_names(place, rule.condition)
        elif "payload" not in reading.names:  # nobody knows what stands in it
            yield from _tried(place, reading.names, sorted(topics), rule.condition, case.shop)


def _without_names(place: KeyPath, condition: Expression) -> Iterator[Finding]:
    if condition.evaluate({}):
        yield Finding(place, "`if:` is always true: leave it out", "warning")
    else:
        yield Finding(place, "`if:` is never true, so the rule never runs")


def _tried(
    place: KeyPath, names: frozenset[str], topics: Sequence[str], condition: Expression, shop: Shop
) -> Iterator[Finding]:
    failures: dict[str, list[str]] = {}
    for topic in topics:
        try:
            condition.evaluate(_attempt(topic, shop).context())
        except TemplateError as error:
            failures.setdefault(error.message, []).append(topic)
    for message, failed in failures.items():
        absent = [name for name, cargo in _BROUGHT_BY.items() if name in names and cargo.lacking(failed)]
        if not absent:
            yield Finding(place, f"`if:` {message}")
            continue
        name, cargo = absent[0], _BROUGHT_BY[absent[0]]
        why = f"`if:` asks for '{name}', and {bring_none(cargo.lacking(failed))}"
        what = f"write `{name} is not none and …`, or {own_rule(failed)}"
        hint = f"'{name}' comes with {listed(cargo.topics, 'or')}" if len(failed) == len(topics) else what
        yield Finding(place, f"{why}: the rule fails there; {hint}")


def _attempt(topic: str, shop: Shop) -> Attempt:
    """Make the attempt at an event that has everything its topic can bring."""
    event = sample_event(topic)
    news = News(
        order=sample_orders(shop)[0] if topic in ORDER.topics else None,
        parcel=sample_parcels()[0] if topic in PARCEL.topics else None,
        refund=sample_refunds()[0] if topic in REFUND.topics else None,
        text=_SAMPLE_TEXT if topic in WORDS.topics else None,
    )
    return Attempt(event=event, number=1, earlier=(), clock=lambda: event.received_at, news=news)
