"""What becomes of an event whose rules ended in different ways, and which of them run at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shopbot.model.event import Event, Source
from shopbot.model.outcome import JournalEntry, Status
from shopbot.plugin import Reason
from shopbot.rules.attempt import Attempt
from shopbot.rules.engine import Engine, opens_window
from shopbot.store.queue import Delivery, Disposition, Settlement
from shopbot.testing.host import CONFIG, shop_under_test
from support.orders import drop_in
from support.store_parts import NOW

TOLD = '''
"""A step that does what the event's body says under the step's name."""
import json

from shopbot.plugin import Event, Outcome, PluginConfig, Reason, Run, hookimpl

_NAME = "NAME"


class Plugin:
    def __init__(self, config: PluginConfig) -> None:
        pass

    @hookimpl
    async def run_step(self, event: Event, run: Run) -> Outcome:
        match json.loads(event.body).get(_NAME, "done"):
            case "done":
                return Outcome.done(_NAME)
            case "skipped":
                return Outcome.skipped(Reason.FILTERED, _NAME)
            case "failed":
                return Outcome.failed(Reason.PLUGIN_FAILED, _NAME)
            case "free":
                return Outcome.deferred(Reason.LIMIT_REACHED, _NAME, retry_after_seconds=0.001)
            case "free, some time":
                return Outcome.deferred(Reason.LIMIT_REACHED, _NAME)
            case seconds:
                return Outcome.deferred(Reason.PLUGIN_FAILED, _NAME, retry_after_seconds=seconds)
'''
RULES = """\
rules:
  - {name: first, on: carts/update, steps: [one, two]}
  - {name: second, on: carts/update, steps: [three]}
  - {name: other, on: carts/create, steps: [three]}
plugins: [{use: one}, {use: two}, {use: three}]
messages:
"""
SETTINGS = CONFIG.replace("first: 50ms", "first: 100s").replace("max: 1s", "max: 1h")
TOLD_SHOP = SETTINGS[: SETTINGS.index("rules:\n")] + RULES + SETTINGS.partition("messages:\n")[2]


def a_delivery(
    parts: Mapping[str, object] | bytes,
    *,
    attempts: int = 0,
    journal: tuple[JournalEntry, ...] = (),
    only_rule: str = "",
    topic: str = "carts/update",
) -> Delivery:
    body = parts if isinstance(parts, bytes) else json.dumps(parts).encode()
    event = Event(id="webhook:1", topic=topic, source=Source.WEBHOOK, received_at=NOW, body=body)
    return Delivery("1-0", event, attempts, journal, only_rule)


@asynccontextmanager
async def an_engine(tmp_path: Path) -> AsyncIterator[Engine]:
    for name in ("one", "two", "three"):
        drop_in(tmp_path, name, TOLD.replace('"NAME"', f'"{name}"'))
    async with shop_under_test(tmp_path, config=TOLD_SHOP, clock=lambda: NOW) as shop:
        yield shop.host._worker._engine


def lines(attempt: Attempt) -> list[tuple[str, str, str]]:
    return [(entry.rule, entry.step, entry.status.value) for entry in attempt.entries]


def wait_seconds(settlement: Settlement) -> float:
    assert settlement.due_at is not None
    return (settlement.due_at - NOW).total_seconds()


async def test_of_several_rules_the_one_that_needs_another_attempt_decides(tmp_path: Path) -> None:
    """One that failed must not take it away; it is a dead letter when nothing is left to try."""
    cases: list[tuple[Mapping[str, object], Disposition, Status, Reason | None]] = [
        ({}, Disposition.FINISHED, Status.DONE, None),
        ({"three": "skipped"}, Disposition.FINISHED, Status.DONE, None),
        ({"one": "skipped", "three": "skipped"}, Disposition.FINISHED, Status.SKIPPED, Reason.FILTERED),
        ({"three": "failed"}, Disposition.DEAD, Status.FAILED, Reason.PLUGIN_FAILED),
        ({"one": "failed"}, Disposition.DEAD, Status.FAILED, Reason.PLUGIN_FAILED),
        ({"one": "failed", "three": 5}, Disposition.RETRY, Status.DEFERRED, Reason.PLUGIN_FAILED),
        ({"one": 5, "three": "failed"}, Disposition.RETRY, Status.DEFERRED, Reason.PLUGIN_FAILED),
        ({"one": 5}, Disposition.RETRY, Status.DEFERRED, Reason.PLUGIN_FAILED),
    ]
    async with an_engine(tmp_path) as engine:
        for parts, disposition, status, reason in cases:
            _, settlement = await engine.process(a_delivery(parts))

            assert (settlement.disposition, settlement.status, settlement.reason) == (disposition, status, reason)
            assert settlement.attempts == 1
            assert (settlement.due_at is None) is (disposition is not Disposition.RETRY)


async def test_a_rule_ends_at_the_first_step_that_does_not_come_to_its_end(tmp_path: Path) -> None:
    async with an_engine(tmp_path) as engine:
        for how, status in (("failed", "failed"), (5, "deferred")):
            attempt, _ = await engine.process(a_delivery({"one": how}, only_rule="first"))
            assert lines(attempt) == [("first", "1:one", status), ("first", "", status)]

        attempt, _ = await engine.process(a_delivery({"one": "skipped"}, only_rule="first"))
        assert lines(attempt) == [
            ("first", "1:one", "skipped"),
            ("first", "2:two", "done"),
            ("first", "", "skipped"),
        ]


async def test_of_two_steps_that_had_nothing_to_do_the_first_says_why(tmp_path: Path) -> None:
    async with an_engine(tmp_path) as engine:
        attempt, _ = await engine.process(a_delivery({"one": "skipped", "two": "skipped"}, only_rule="first"))

    assert [entry.detail for entry in attempt.entries] == ["one", "two", "one"]


async def test_only_the_rules_of_the_topic_run_and_of_a_replay_only_its_own(tmp_path: Path) -> None:
    async with an_engine(tmp_path) as engine:
        attempt, _ = await engine.process(a_delivery({}))
        assert {entry.rule for entry in attempt.entries} == {"first", "second"}

        attempt, _ = await engine.process(a_delivery({}, only_rule="second"))
        assert lines(attempt) == [("second", "1:three", "done"), ("second", "", "done")]

        for delivery in (a_delivery({}, only_rule="other"), a_delivery({}, topic="carts/delete")):
            attempt, settlement = await engine.process(delivery)
            assert lines(attempt) == [("", "", "skipped")]
            assert (settlement.disposition, settlement.reason) == (Disposition.FINISHED, Reason.NO_RULE)


async def test_what_an_earlier_attempt_has_finished_is_not_run_again(tmp_path: Path) -> None:
    def line(rule: str, step: str, status: Status = Status.DONE) -> JournalEntry:
        return JournalEntry(at=NOW, attempt=1, rule=rule, step=step, status=status)

    earlier = (line("first", "1:one"), line("second", ""), line("first", "2:two", Status.DEFERRED))
    async with an_engine(tmp_path) as engine:
        attempt, settlement = await engine.process(a_delivery({"one": "failed"}, attempts=1, journal=earlier))

    assert lines(attempt) == [("first", "2:two", "done"), ("first", "", "done")]
    assert {entry.attempt for entry in attempt.entries} == {2}
    assert (settlement.status, settlement.attempts) == (Status.DONE, 2)


async def test_a_retry_waits_for_the_longer_of_two_times(tmp_path: Path) -> None:
    """What the other side asks for, and the settings' wait, which grows with the attempts and varies by a quarter."""
    async with an_engine(tmp_path) as engine:
        for asked_seconds, attempts, least_seconds, most_seconds in (
            (900, 0, 900, 900),
            (1, 0, 75, 100),
            (1, 1, 150, 200),
        ):
            _, settlement = await engine.process(a_delivery({"one": asked_seconds}, attempts=attempts))

            assert settlement.disposition is Disposition.RETRY
            assert least_seconds <= wait_seconds(settlement) <= most_seconds


async def test_the_last_attempt_makes_it_a_dead_letter_with_the_same_reason(tmp_path: Path) -> None:
    async with an_engine(tmp_path) as engine:
        _, before = await engine.process(a_delivery({"one": 5}, attempts=1))
        _, last = await engine.process(a_delivery({"one": 5}, attempts=2))

    assert (before.disposition, before.attempts) == (Disposition.RETRY, 2)
    assert (last.disposition, last.status, last.reason, last.attempts, last.due_at) == (
        Disposition.DEAD,
        Status.FAILED,
        Reason.PLUGIN_FAILED,
        3,
        None,
    )


async def test_waiting_for_ones_turn_uses_up_no_attempt_and_takes_as_long_as_it_says(tmp_path: Path) -> None:
    async with an_engine(tmp_path) as engine:
        _, settlement = await engine.process(a_delivery({"one": "free"}, attempts=7))
        assert (settlement.disposition, settlement.attempts) == (Disposition.RETRY, 7)
        assert wait_seconds(settlement) == pytest.approx(0.001)

        _, settlement = await engine.process(a_delivery({"one": "free, some time"}))
        assert settlement.attempts == 0
        assert 75 <= wait_seconds(settlement) <= 100


async def test_waiting_leaves_only_what_is_new_in_the_journal(tmp_path: Path) -> None:
    async with an_engine(tmp_path) as engine:
        delivery = a_delivery({"one": "free"}, only_rule="first")
        _, first = await engine.process(delivery)
        assert len(first.journal) == 2

        again = a_delivery({"one": "free"}, only_rule="first", journal=tuple(first.journal))
        _, second = await engine.process(again)
        assert list(second.journal) == []

        other = a_delivery({"one": 5}, only_rule="first", journal=tuple(first.journal))
        _, third = await engine.process(other)
        assert len(third.journal) == 2

        waits = a_delivery({"one": "free"}, only_rule="first", journal=tuple(third.journal))
        _, fourth = await engine.process(waits)
        assert [entry.reason for entry in fourth.journal] == [Reason.LIMIT_REACHED] * 2


async def test_a_body_that_cannot_be_read_fails_where_a_rule_would_have_read_it(tmp_path: Path) -> None:
    async with an_engine(tmp_path) as engine:
        for topic in ("carts/update", "carts/delete"):
            attempt, settlement = await engine.process(a_delivery(b"{", topic=topic))

            assert lines(attempt) == [("", "", "failed")]
            assert (settlement.disposition, settlement.reason) == (Disposition.DEAD, Reason.WEBHOOK_PROCESSING_ERROR)
            assert settlement.journal[0].detail


@pytest.mark.parametrize(
    ("topic", "attempts", "forget"),
    [("orders/paid", 0, False), ("orders/paid", 1, True), ("messenger/message", 0, True)],
)
async def test_an_event_of_an_erased_person_ends_before_any_rule_and_is_in_no_index(
    tmp_path: Path, topic: str, attempts: int, *, forget: bool
) -> None:
    """Of one whose own id names them, or whose earlier attempts left lines, nothing at all is kept."""
    psid, earlier = "7312345678901234", JournalEntry(at=NOW, attempt=1, rule="r", step="", status=Status.DEFERRED)
    body = json.dumps({"id": 1001, "sender": {"id": psid}, "message": {"text": "Hi"}}).encode()
    async with an_engine(tmp_path) as engine:
        await engine._redaction._erased.mark([1001], [psid], NOW)
        journal = (earlier,) * attempts
        attempt, settlement = await engine.process(a_delivery(body, topic=topic, attempts=attempts, journal=journal))

        assert lines(attempt) == [("", "", "skipped")]
        assert (settlement.disposition, settlement.status, settlement.reason) == (
            Disposition.FINISHED,
            Status.SKIPPED,
            Reason.REDACTED,
        )
        assert (settlement.order_id, settlement.psid, settlement.attempts) == (None, None, attempts + 1)
        assert list(settlement.journal) == attempt.entries
        assert settlement.forget is forget
        assert await engine._conversations.last_active(psid) is None


@pytest.mark.parametrize(("act", "opened"), [("message", True), ("optin", False)])
async def test_what_a_shopper_does_is_kept_under_them_and_may_open_the_window(
    tmp_path: Path, act: str, *, opened: bool
) -> None:
    psid = "7312345678901234"
    body = json.dumps({"sender": {"id": psid}, act: {"text": "Hi"}}).encode()
    async with an_engine(tmp_path) as engine:
        _, settlement = await engine.process(a_delivery(body, topic=f"messenger/{act}"))
        active = await engine._conversations.last_active(psid)

    assert settlement.psid == psid
    assert (active is not None) is opened


@pytest.mark.parametrize("topic", ["messenger/message", "messenger/postback", "messenger/referral"])
def test_messages_taps_and_links_open_the_window(topic: str) -> None:
    assert opens_window(topic, {})


@pytest.mark.parametrize("topic", ["messenger/optin", "messenger/echo", "messenger/read", "orders/paid"])
def test_nothing_else_does(topic: str) -> None:
    assert not opens_window(topic, {"reaction": {"action": "react"}})


@pytest.mark.parametrize(
    ("payload", "opens"),
    [
        ({"reaction": {"action": "react"}}, True),
        ({"reaction": {"action": "unreact"}}, False),
        ({"reaction": {}}, True),
        ({"reaction": "love"}, False),
        ({}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_reaction_does_unless_it_is_taken_back(payload: object, *, opens: bool) -> None:
    assert opens_window("messenger/reaction", payload) is opens
