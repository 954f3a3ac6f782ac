"""Messages and quick replies that miss the shopper's question: answers to nobody, taps that nobody answers."""

from collections.abc import Iterator

from shopbot.config.problem import suggest
from shopbot.host.examinations.carried import ACT
from shopbot.host.examinations.examination import Case, Finding
from shopbot.host.occasions import occasions_of
from shopbot.messages.message import ANSWER_PURPOSE, MessageSpec
from shopbot.messages.renderer import ORDER_PAYLOAD
from shopbot.rules.news import News

TAP_TOPIC = "messenger/message"
"""How a tap on a quick reply arrives."""


def examine(case: Case) -> Iterator[Finding]:
    """Hold messages against the rules that send them, and against those that wait for their buttons."""
    for name, spec in case.messages.items():
        path = ("messages", name)
        for rule, *_ in occasions_of(case.rules, name):
            strangers = sorted(rule.topics - ACT.topics) if rule else []
            if spec.purpose == ANSWER_PURPOSE and strangers:
                why = f"a rule sends it for {strangers[0]}, which answers nobody"
                message = f"{ANSWER_PURPOSE} is for answers to what a shopper just did: {why}"
                yield Finding((*path, "tag"), message, "warning")
        yield from _unanswered(case, spec)
    yield from _to_who_wants_none(case)


def _unanswered(case: Case, spec: MessageSpec) -> Iterator[Finding]:
    """Find buttons for whose tap no rule waits."""
    path = ("messages", spec.name, "quick_replies")
    if spec.offers_orders and not _waited_for(case, ORDER_PAYLOAD):
        why = f"no rule has `payload: {ORDER_PAYLOAD}`, so nobody would answer"
        yield Finding(path, f"a tap on an order comes back as {ORDER_PAYLOAD}: {why}")
    payloads = sorted({payload for rule in case.rules for payload in rule.filters.payloads or ()})
    for index, reply in enumerate(spec.quick_replies):
        if "{" not in reply.payload and not _waited_for(case, reply.payload):
            hint = suggest(reply.payload, payloads)
            why = f"no rule on {TAP_TOPIC} has `payload: {reply.payload}`, so nobody would answer a tap on it{hint}"
            yield Finding((*path, index, "payload"), why, "warning")


def _waited_for(case: Case, payload: str) -> bool:
    tap = News(tapped=payload)
    return any(TAP_TOPIC in rule.topics and rule.filters.mismatch(tap) is None for rule in case.rules)


def _to_who_wants_none(case: Case) -> Iterator[Finding]:
    """Find messages behind `opt_out` that are no answers: whoever wants no messages gets nothing else."""
    for path, _, rule, _ in case.each_rule():
        out = False
        for number, step in enumerate(rule.steps):
            out = step.name == "opt_out" or (out and step.name != "opt_in")
            spec = case.messages.get(step.argument or "") if step.name == "send_message" else None
            if not out or spec is None:
                continue
            place = (*path, "steps", number, "send_message")
            if spec.purpose != ANSWER_PURPOSE:
                hint = f"give it `tag: {ANSWER_PURPOSE}`"
                yield Finding(place, f"'{spec.name}' never goes out: behind 'opt_out' only answers do; {hint}")
            elif not rule.filters.asks:
                why = "behind 'opt_out' only answers to words or taps do"
                yield Finding(
                    place, f"'{spec.name}' never goes out: {why}; give the rule `text_matches:` or `payload:`"
                )
