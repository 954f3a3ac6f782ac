"""Messages that go out twice: a claim is its rule's own, so of two rules that send the same, none keeps the other back.

Rules are not tried until one matches. All that match run, so one never swallows another; it repeats it.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum

from shopbot.config.nodes import KeyPath
from shopbot.config.rule import RuleSettings, WhenSettings
from shopbot.host.examinations.examination import Case, Finding

_SIMPLE = ("financial_status", "fulfillment_status", "source_name", "cancelled", "test", "parcel_status")
_SUBJECTS = {"order": "order", "fulfillment": "parcel", "refund": "refund", "event": "event"}


class _Overlap(IntEnum):
    """How much of what one rule takes another one takes, too."""

    NONE = 0
    """Nothing, or nobody can say."""
    SOME = 1
    ALL = 2


def examine(case: Case) -> Iterator[Finding]:
    """Hold the sends of all rules against each other."""
    rules = [(path, settings) for path, settings, *_ in case.each_rule()]
    for number, (path, later) in enumerate(rules):
        earlier = [rule for _, rule in rules[:number]]
        yield from _in_one(path, later)
        for place, message in _sends(path, later):
            yield from _in_two(place, message, later, [rule for rule in earlier if message in _messages(rule)])
        for rule in earlier:
            if _messages(rule) and _messages(later) and _messages(rule).isdisjoint(_messages(later)):
                yield from _asked_alike(path, rule, later)


def _in_one(path: KeyPath, rule: RuleSettings) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for place, message in _sends(path, rule):
        number = int(place[3])
        if seen.setdefault(message, number) != number:
            first = seen[message] + 1
            yield Finding(place, f"'{message}' is sent by step {first} already, so the shopper reads it twice")


def _in_two(place: KeyPath, message: str, later: RuleSettings, earlier: Sequence[RuleSettings]) -> Iterator[Finding]:
    """Find a message that one of the earlier rules sends as well; of several, the one that surely does."""
    overlaps = [(max(_overlap(rule, later), _overlap(later, rule)), rule) for rule in earlier]
    overlap, rule = max(overlaps, key=lambda found: found[0], default=(_Overlap.NONE, later))
    what = f"the rule '{rule.name}' sends '{message}' for the same {_SUBJECTS[later.once_per]}"
    if overlap is _Overlap.ALL:
        often = "each rule counts for itself, so the shopper reads it twice"
        yield Finding(place, f"{what}: {often}; make one rule of them, with the topics of both")
    elif overlap is _Overlap.SOME:
        often = "each rule counts for itself, so where both match the shopper reads it twice"
        yield Finding(place, f"{what}: {often}; let their `when:` exclude each other", "warning")


def _asked_alike(path: KeyPath, earlier: RuleSettings, later: RuleSettings) -> Iterator[Finding]:
    """Find what a shopper may say or tap to be answered by two rules."""
    if not set(earlier.on) & set(later.on) or earlier.condition or later.condition:
        return
    for key, common in (
        ("text_matches", _phrases(earlier.when) & _phrases(later.when)),
        ("payload", {mine for mine in later.when.payload or () if _taken(mine, earlier.when.payload or ())}),
    ):
        if common:
            why = f"the rule '{earlier.name}' waits for '{min(common)}', too: both answer it"
            yield Finding((*path, "when", key), why, "warning", at_key=True)


def _sends(path: KeyPath, rule: RuleSettings) -> Iterator[tuple[KeyPath, str]]:
    """Give every message that a rule may send, with its place."""
    for number, (name, setting) in enumerate(rule.plan):
        place: KeyPath = (*path, "steps", number, name)
        if name == "send_message" and isinstance(setting, str):
            yield place, setting
        elif name == "send_message" and isinstance(setting, Mapping):
            yield from (((*place, key), str(message)) for key, message in setting.items())


def _messages(rule: RuleSettings) -> set[str]:
    return {message for _, message in _sends((), rule)}


def _overlap(wider: RuleSettings, narrower: RuleSettings) -> _Overlap:
    """Say how much of what *narrower* takes *wider* takes, too."""
    same_subject = wider.once_per == narrower.once_per != "event"
    shared = set(wider.on) & set(narrower.on)
    if not shared and not same_subject:
        return _Overlap.NONE
    topics = _Overlap.ALL if shared == set(narrower.on) else _Overlap.SOME
    return min(
        topics,
        *(_of_values(getattr(wider.when, key), getattr(narrower.when, key)) for key in _SIMPLE),
        _of_words(wider.when, narrower.when),
        _of_conditions(wider.condition, narrower.condition),
    )


def _of_values(wider: object, narrower: object) -> _Overlap:
    if wider is None or wider == narrower:
        return _Overlap.ALL
    if narrower is None:
        return _Overlap.SOME
    one, other = (set(value) if isinstance(value, tuple) else {value} for value in (wider, narrower))
    if other <= one:
        return _Overlap.ALL
    return _Overlap.SOME if one & other else _Overlap.NONE


def _of_words(wider: WhenSettings, narrower: WhenSettings) -> _Overlap:
    """Compare what a shopper must say or tap; nobody can say whether two expressions find the same."""
    if wider.text_matches is None and wider.payload is None:
        return _Overlap.ALL
    if (wider.text_matches, wider.payload) == (narrower.text_matches, narrower.payload):
        return _Overlap.ALL
    if narrower.text_matches is None and narrower.payload is None:
        return _Overlap.SOME
    common = _phrases(wider) & _phrases(narrower)
    taps = [mine for mine in narrower.payload or () if _taken(mine, wider.payload or ())]
    return _Overlap.SOME if common or taps else _Overlap.NONE


def _of_conditions(wider: str | None, narrower: str | None) -> _Overlap:
    if wider is None or wider == narrower:
        return _Overlap.ALL
    return _Overlap.SOME if narrower is None else _Overlap.NONE


def _phrases(when: WhenSettings) -> set[str]:
    several = when.text_matches or ()
    if isinstance(several, dict):
        return {phrase for phrases in several.values() for phrase in phrases}
    return set(several)


def _taken(payload: str, payloads: Sequence[str]) -> bool:
    """Say whether a tap that carries *payload* is also waited for by others: `A` takes `A:1`."""
    return any(payload == other or payload.startswith(f"{other}:") for other in payloads)
