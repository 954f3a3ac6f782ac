from __future__ import annotations

import pytest

from shopbot.config.document import parse
from shopbot.config.environment import expand
from shopbot.config.topics import KNOWN_TOPICS, NO_EVENTS, is_slip, unfamiliar_names
from shopbot.rules.news import ACT_TOPICS


def warnings(text: str, **environ: str) -> list[str]:
    return [str(problem) for problem in unfamiliar_names(expand(parse(text, "f"), environ))]


NEVER = "so the rule would never match"


def test_a_topic_that_looks_like_a_slip_is_a_warning_with_the_right_one() -> None:
    assert warnings("rules:\n  - on: [orders/paid, order/paid]\n  - on: orders/update\n") == [
        f"f:2:23: warning: 'order/paid' is no topic that shopbot knows, {NEVER}; did you mean 'orders/paid'?",
        f"f:3:9: warning: 'orders/update' is no topic that shopbot knows, {NEVER}; did you mean 'orders/updated'?",
    ]


@pytest.mark.parametrize("topic", sorted(KNOWN_TOPICS))
def test_known_topics_are_fine(topic: str) -> None:
    assert warnings(f"rules: [{{on: {topic}}}]") == []


def test_a_topic_like_no_other_may_be_a_plugin_s() -> None:
    assert warnings("rules: [{on: telephone/rang}]") == []


def test_states_that_an_order_never_has_are_warnings() -> None:
    text = "rules:\n  - when: {financial_status: [paid, payed], fulfillment_status: done}\n"

    assert warnings(text) == [
        f"f:2:37: warning: 'payed' is no financial_status that shopbot knows, {NEVER}; did you mean 'paid'?",
        (
            f"f:2:65: warning: 'done' is no fulfillment_status that shopbot knows, {NEVER}; "
            "known: fulfilled, partial, pending, restocked, unfulfilled"
        ),
    ]


def test_a_value_from_the_environment_is_not_shown() -> None:
    assert warnings("rules: [{on: '${TOPIC}'}]", TOPIC="order/paid") == [
        f"f:1:14: warning: the value of ${{TOPIC}} is no topic that shopbot knows, {NEVER}"
    ]


@pytest.mark.parametrize("text", ["rules: 5", "rules: [5, {on: 5}, {when: 5}, {on: [5]}, {on: '${NOPE}'}]", "{}"])
def test_what_is_broken_in_other_ways_is_left_to_others(text: str) -> None:
    assert warnings(text) == []


def test_of_messengers_topics_those_are_events_that_shoppers_bring_about() -> None:
    assert {topic for topic in KNOWN_TOPICS if topic.startswith("messenger/")} - ACT_TOPICS == NO_EVENTS


@pytest.mark.parametrize(("topic", "slip"), [("orders/paid", False), ("orders/piad", True), ("telephone/rang", False)])
def test_a_slip_is_like_a_known_topic_and_none(topic: str, slip: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert is_slip(topic) is slip
