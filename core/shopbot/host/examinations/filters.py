"""Filters that let nothing through: on what the rule's topics do not carry, or against what a topic stands for."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from shopbot.config.nodes import KeyPath
from shopbot.config.rule import WhenSettings
from shopbot.config.topics import FINANCIAL_STATUSES, FULFILLMENT_STATUSES
from shopbot.host.examinations.carried import ORDER, PARCEL, WORDS, Cargo, bring_none, own_rule
from shopbot.host.examinations.examination import Case, Finding, listed
from shopbot.model.parcel import EVENT_STATUSES
from shopbot.rules.news import FULFILLMENT_EVENT_TOPIC

_ABOUT: Mapping[str, Cargo] = {
    **dict.fromkeys(("financial_status", "fulfillment_status", "source_name", "cancelled", "test"), ORDER),
    "parcel_status": PARCEL,
    **dict.fromkeys(("text_matches", "payload"), WORDS),
}
"""By each filter, what it looks at."""


@dataclass(frozen=True, slots=True)
class _Promise:
    """What a topic stands for."""

    key: str
    """The filter that looks at it."""
    values: frozenset[object]
    """What that filter can find."""
    words: str
    hint: str
    certain: bool = True
    """False where only the platform says so."""


_ANY_STATE = "orders/updated brings every change of an order"
_PAID = _Promise(
    "financial_status",
    frozenset({"paid", "partially_refunded", "refunded"}),
    "orders that are paid",
    _ANY_STATE,
    certain=False,
)
_SENT = _Promise(
    "fulfillment_status",
    frozenset({"fulfilled", "partial", "restocked"}),
    "orders of which something was sent",
    _ANY_STATE,
    certain=False,
)
_PROMISES: Mapping[str, _Promise] = {
    "orders/cancelled": _Promise("cancelled", frozenset({True}), "orders that are cancelled", _ANY_STATE),
    "orders/paid": _PAID,
    "orders/fulfilled": _SENT,
    "orders/partially_fulfilled": _SENT,
    FULFILLMENT_EVENT_TOPIC: _Promise(
        "parcel_status",
        frozenset(EVENT_STATUSES),
        "what the carrier says of a parcel",
        "fulfillments/update brings what the shop does with it",
    ),
}
"""https://shopify.dev/docs/api/admin-graphql/latest/enums/WebhookSubscriptionTopic"""


_STATES: Mapping[str, AbstractSet[object]] = {
    "financial_status": FINANCIAL_STATUSES,
    "fulfillment_status": FULFILLMENT_STATUSES,
}


def examine(case: Case) -> Iterator[Finding]:
    """Hold each rule's `when:` against its topics."""
    for path, settings, _, topics in case.each_rule():
        place = (*path, "when")
        yield from list(_on_nothing(place, settings.when, topics)) or _in_vain(place, settings.when, topics)


def _on_nothing(path: KeyPath, when: WhenSettings, topics: Sequence[str]) -> Iterator[Finding]:
    """Find filters on what events do not carry: the first on each kind of thing."""
    given = [key for key in _ABOUT if getattr(when, key) is not None]
    lacking = {_ABOUT[key]: _ABOUT[key].lacking(topics) for key in given}
    alone = [few for few in lacking.values() if len(few) == len(topics)]
    if topics and not alone and set(topics) == set().union(*lacking.values()):
        names = listed(cargo.name for cargo in lacking)
        yield Finding(path, f"no event brings {names} together, so the rule never matches: make two", at_key=True)
        return
    for cargo, without in lacking.items():
        if not without:
            continue
        key = next(key for key in given if _ABOUT[key] is cargo)
        why = f"`{key}:` looks at {cargo.name}, and {bring_none(without)}"
        if len(without) == len(topics):
            message = f"{why}: the rule never matches; it comes with {listed(cargo.topics, 'or')}"
            yield Finding((*path, key), message, at_key=True)
        else:
            message = f"{why}: the rule never matches there; {own_rule(without)}, without this filter"
            yield Finding((*path, key), message, "warning", at_key=True)


def _in_vain(path: KeyPath, when: WhenSettings, topics: Sequence[str]) -> Iterator[Finding]:
    """Find filters that want what a topic's events never are."""
    vain = [topic for topic in topics if topic in _PROMISES and _refuses(when, _PROMISES[topic])]
    for topic in vain:
        promise = _PROMISES[topic]
        only = len(vain) == len(topics)
        why = f"{topic} brings {promise.words}, so the rule never matches{'' if only else ' for it'}"
        certain = only and all(_PROMISES[other].certain for other in vain)
        yield Finding((*path, promise.key), f"{why}; {promise.hint}", "error" if certain else "warning", at_key=True)


def _refuses(when: WhenSettings, promise: _Promise) -> bool:
    wanted = getattr(when, promise.key)
    if wanted is None:
        return False
    values = set(wanted if isinstance(wanted, tuple) else [wanted])
    # A state that no order has is said to be one, and nothing follows from it.
    known = _STATES.get(promise.key, values)
    return bool(values & known) and promise.values.isdisjoint(values)
