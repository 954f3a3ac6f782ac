"""What the steps and rules of one event hand on to each other, and what they keep to themselves."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from shopbot.model.cart import CartResult
from shopbot.model.event import Event, Source
from shopbot.model.outcome import JournalEntry, Outcome, Status
from shopbot.plugin import ChannelDown, InDoubt, Reason, Receipt, Refused, Retry
from shopbot.rules.backoff import Backoff
from shopbot.rules.engine import Engine
from shopbot.rules.news import read_news
from shopbot.rules.redaction import Redaction
from shopbot.rules.rule import Filters, OncePer, Rule, Step
from shopbot.store.erased import Erased
from shopbot.store.queue import Delivery, Disposition
from shopbot.testing.orders import order_bytes, paid_order
from support.attacked_shop import message
from support.dispatch_desk import DEADLINE, ORDER_ID, PSID, SENT, Told, a_request, a_ticket, take
from support.store_parts import KEYS, NOW, a_line
from support.told_steps import CLEAR, RESOLVE, RULE, SAVE, SEND, TRUSTED, Clears, Finds, Parts, Stamps, parts

STAMP = Step("1:stamps0", "stamps0")
STAMPING = Rule("stamping", RULE.topics, (STAMP,))
OTHER = "webhook:other"
ORDERS = "{{ orders | map(attribute='number') | join(' ') or 'no orders' }}"


def an_engine(shop: Parts, *rules: Rule, first_seconds: float = 100.0) -> Engine:
    return Engine(
        rules=rules,
        steps=shop.steps,
        claims=shop.desk.claims,
        conversations=shop.desk.conversations,
        redaction=Redaction(Erased(shop.desk.store.client, KEYS)),
        backoff=Backoff(attempts=3, first_seconds=first_seconds, factor=2.0, max_seconds=3600.0),
        clock=lambda: NOW,
        chance=random.Random(1),  # noqa: S311 - jitter, no secret
    )


def a_delivery(
    topic: str = "orders/paid", body: Mapping[str, object] | None = None, *, journal: Sequence[JournalEntry] = ()
) -> Delivery:
    raw = order_bytes(paid_order(order_id=ORDER_ID) if body is None else dict(body))
    event = Event(id="webhook:1", topic=topic, source=Source.WEBHOOK, received_at=NOW, body=raw)
    return Delivery("1-0", event, len(journal), tuple(journal), "")


async def confirmed(shop: Parts) -> bool:
    reference = await shop.desk.references.find(PSID, ORDER_ID)
    return reference is not None and reference.confirmed_at is not None


@pytest.mark.parametrize("finder_first", [True, False])
async def test_what_one_rule_has_found_is_not_the_next_ones_but_the_event_is_found_by_its_shopper(
    tmp_path: Path, *, finder_first: bool
) -> None:
    """Else the second rule would send to whom the first one's filters let through, and confirm what it never kept."""
    stamps = Stamps(Outcome.done())
    async with parts(tmp_path, Finds(TRUSTED), stamps) as shop:
        rules = (RULE, STAMPING) if finder_first else (STAMPING, RULE)
        attempt, settlement = await an_engine(shop, *rules).process(a_delivery())

        assert [run.psid for run in stamps.seen] == [None]
        assert (settlement.status, settlement.psid, settlement.order_id) == (Status.DONE, PSID, ORDER_ID)
        assert await confirmed(shop)
    if finder_first:
        assert (attempt.psid, attempt.lined_up, attempt.reference_saved, attempt.orders) == (None, False, False, ())


@pytest.mark.parametrize("kept_before", [True, False])
async def test_a_retried_message_confirms_the_order_that_the_first_attempt_has_kept(
    tmp_path: Path, *, kept_before: bool
) -> None:
    """And one whose rule has only done something else before confirms none. Its shopper is looked for again."""
    first = SAVE if kept_before else replace(STAMP, place="3:stamps0")
    rule = Rule(RULE.name, RULE.topics, (RESOLVE, first, SEND))
    async with parts(tmp_path, Finds(TRUSTED), Stamps(Outcome.done())) as shop:
        await an_engine(shop, rule).process(a_delivery(journal=[a_line(RESOLVE.place), a_line(first.place)]))

        assert len(shop.sender.received) == 1
        assert await confirmed(shop) is kept_before


@pytest.mark.parametrize(
    ("finding", "topic", "body"),
    [
        ("find_orders", "messenger/message", {"sender": {"id": PSID}, "message": {"text": "Where is it?"}}),
        ("update_order_reference", "orders/updated", paid_order(order_id=ORDER_ID)),
    ],
)
async def test_a_retried_message_is_about_the_orders_that_the_first_attempt_has_found(
    tmp_path: Path, finding: str, topic: str, body: Mapping[str, object]
) -> None:
    """Orders are in no journal: they are looked for again."""
    step, send = Step(f"1:{finding}", finding), replace(SEND, place="2:send_message")
    rule = Rule(RULE.name, frozenset({topic}), (step, send))
    order = read_news("orders/paid", paid_order(order_id=ORDER_ID)).order
    assert order is not None
    async with parts(tmp_path, messages=message(text=ORDERS)) as shop:
        await shop.desk.references.save(order, PSID)
        await shop.shoppers.remember(ORDER_ID, PSID)
        await an_engine(shop, rule).process(a_delivery(topic, body, journal=[a_line(step.place)]))

    assert [sent.text for sent in shop.sender.received] == [order.name]


async def test_a_rule_that_cannot_find_the_shopper_takes_none_from_a_rule_before_it(tmp_path: Path) -> None:
    again = Rule("again", RULE.topics, (SEND,))
    async with parts(tmp_path, Finds(TRUSTED)) as shop:
        attempt, _ = await an_engine(shop, RULE, again).process(a_delivery())

    assert [(line.status, line.reason) for line in attempt.entries if line.rule == "again"] == [
        (Status.SKIPPED, Reason.PSID_NOT_FOUND)
    ] * 2
    assert len(shop.sender.received) == 1


@pytest.mark.parametrize("once_per", ["order", "event"])
async def test_what_a_rules_filters_keep_out_is_kept_out_although_nobody_has_its_message(
    tmp_path: Path, once_per: OncePer
) -> None:
    rule = replace(STAMPING, filters=Filters(financial_status=("pending",)), once_per=once_per)
    stamps = Stamps(Outcome.done())
    async with parts(tmp_path, stamps) as shop:
        _, settlement = await an_engine(shop, rule).process(a_delivery())

    assert (settlement.status, settlement.reason, stamps.asked) == (Status.SKIPPED, Reason.NOT_PAID, 0)


async def test_a_retry_may_be_as_soon_as_the_settings_say(tmp_path: Path) -> None:
    async with parts(tmp_path, Stamps(Retry("soon"))) as shop:
        _, settlement = await an_engine(shop, STAMPING, first_seconds=0.1).process(a_delivery())

    assert settlement.due_at is not None
    assert timedelta(seconds=0.075) <= settlement.due_at - NOW <= timedelta(seconds=0.1)


@pytest.mark.parametrize(
    ("failure", "disposition", "reason", "wait"),
    [
        (ChannelDown("the token is revoked"), Disposition.PARKED, Reason.CHANNEL_DOWN, timedelta()),
        (Retry("slow down", pauses_channel=True), Disposition.PARKED, Reason.CHANNEL_PAUSED, timedelta()),
        (InDoubt("no answer"), Disposition.HELD, Reason.IN_DOUBT, DEADLINE),
    ],
)
async def test_what_waits_for_something_other_than_time_uses_up_no_attempt(
    tmp_path: Path, failure: Exception, disposition: Disposition, reason: Reason, wait: timedelta
) -> None:
    async with parts(tmp_path, Finds(TRUSTED), sender=Told(failure)) as shop:
        _, settlement = await an_engine(shop, RULE).process(a_delivery())

    assert (settlement.disposition, settlement.status, settlement.reason) == (disposition, Status.HELD, reason)
    assert (settlement.attempts, settlement.due_at) == (0, NOW + wait)


async def test_a_cart_that_could_not_be_cleared_is_tried_again_after_the_message(tmp_path: Path) -> None:
    """Also where a step behind it had nothing to do, which by itself would end the event."""
    rule = Rule(RULE.name, RULE.topics, (RESOLVE, CLEAR, SEND, replace(STAMP, place="4:stamps0")))
    stamps = Stamps(Outcome.skipped(Reason.FILTERED))
    async with parts(tmp_path, Finds(TRUSTED), Clears(Retry("it is locked")), stamps) as shop:
        attempt, settlement = await an_engine(shop, rule).process(a_delivery())

    assert len(shop.sender.received) == stamps.asked == 1
    assert (settlement.disposition, settlement.reason) == (Disposition.RETRY, Reason.CART_CLEAR_FAILED)
    assert (attempt.entries[-1].step, attempt.entries[-1].detail) == ("", "it is locked")


async def test_a_step_that_gives_up_ends_the_rule_even_for_a_cart(tmp_path: Path) -> None:
    rule = Rule(RULE.name, RULE.topics, (RESOLVE, STAMP, SEND))
    stamps = Stamps(Outcome.failed(Reason.CART_CLEAR_FAILED))
    async with parts(tmp_path, Finds(TRUSTED), stamps) as shop:
        _, settlement = await an_engine(shop, rule).process(a_delivery())

    assert (settlement.disposition, settlement.reason) == (Disposition.DEAD, Reason.CART_CLEAR_FAILED)
    assert shop.sender.received == []


async def test_a_dead_letter_has_a_reason_although_the_step_that_put_the_event_off_gave_none(tmp_path: Path) -> None:
    async with parts(tmp_path, Stamps(Outcome(status=Status.DEFERRED, detail="not today"))) as shop:
        earlier = [a_line("0:other", Status.DEFERRED)] * 2
        _, settlement = await an_engine(shop, STAMPING).process(a_delivery(journal=earlier))

    assert (settlement.disposition, settlement.status) == (Disposition.DEAD, Status.FAILED)
    assert settlement.reason is Reason.WEBHOOK_PROCESSING_ERROR


async def test_of_two_cart_steps_the_first_that_failed_says_why(tmp_path: Path) -> None:
    first, second = CLEAR, replace(CLEAR, place="5:clear_cart")
    rule = Rule(RULE.name, RULE.topics, (RESOLVE, first, second))
    carts = Clears(Retry("one")), Clears(Retry("two"))
    async with parts(tmp_path, Finds(TRUSTED), *carts) as shop:
        # The first step's second backend is done with.
        journal = [a_line(first.place, plugin="carts[1]:clears1")]
        attempt, _ = await an_engine(shop, rule).process(a_delivery(journal=journal))

    assert [entry.detail for entry in attempt.entries] == ["…1234", "one", "one", "two", "one"]


async def test_of_two_backends_the_one_that_failed_is_asked_again(tmp_path: Path) -> None:
    carts = Clears(CartResult.CLEARED), Clears(CartResult.CLEARED)
    rule = Rule(RULE.name, RULE.topics, (RESOLVE, CLEAR))
    async with parts(tmp_path, Finds(TRUSTED), *carts) as shop:
        journal = [a_line(RESOLVE.place), a_line(CLEAR.place, plugin="carts[0]:clears0")]
        await an_engine(shop, rule).process(a_delivery(journal=journal))

    assert [cart.asked for cart in carts] == [0, 1]


async def test_without_a_cart_backend_there_is_nothing_to_clear_and_that_is_done(tmp_path: Path) -> None:
    rule = Rule(RULE.name, RULE.topics, (RESOLVE, CLEAR))
    async with parts(tmp_path, Finds(TRUSTED)) as shop:
        attempt, settlement = await an_engine(shop, rule).process(a_delivery())

    assert (settlement.disposition, settlement.status) == (Disposition.FINISHED, Status.DONE)
    assert [line.step for line in attempt.entries] == ["1:resolve_psid", ""]


@pytest.mark.parametrize(
    ("whose", "sent", "once_per", "reason", "detail"),
    [
        (OTHER, True, "order", Reason.ALREADY_CONFIRMED, f"by {OTHER}"),
        (OTHER, False, "order", Reason.IN_PROGRESS, f"carried by {OTHER}"),
        ("webhook:1", True, "order", None, ""),
        (OTHER, True, "event", None, ""),
    ],
)
async def test_a_message_that_another_event_has_is_left_to_it_before_any_step_runs(
    tmp_path: Path, whose: str, once_per: OncePer, reason: Reason | None, detail: str, *, sent: bool
) -> None:
    rule = Rule(RULE.name, RULE.topics, (STAMP,), once_per=once_per)
    stamps = Stamps(Outcome.done())
    async with parts(tmp_path, stamps) as shop:
        ticket = a_ticket(whose)
        await take(shop.desk, ticket)
        if sent:
            await shop.desk.claims.sent(ticket, "m_1", NOW)
        attempt, settlement = await an_engine(shop, rule).process(a_delivery())

    assert (settlement.reason, attempt.entries[-1].detail) == (reason, detail)
    assert stamps.asked == (reason is None)


async def test_the_journal_says_how_long_each_step_and_the_whole_rule_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.accumulate((1.0, 2.0, 4.0, 8.0), initial=100.0)
    async with parts(tmp_path, Stamps(Outcome.done())) as shop:
        monkeypatch.setattr("shopbot.rules.engine.time", SimpleNamespace(monotonic=lambda: next(seconds)))
        attempt, _ = await an_engine(shop, STAMPING).process(a_delivery())

    assert [(line.step, line.milliseconds) for line in attempt.entries] == [("1:stamps0", 2000.0), ("", 7000.0)]


async def test_a_shopper_who_writes_brings_back_what_found_the_window_closed_and_the_log_says_how_many(
    tmp_path: Path,
) -> None:
    """Once: what they write next finds nothing that waits, and the log has nothing to say."""
    body = {"sender": {"id": PSID}, "message": {"text": "Hi"}}
    async with parts(tmp_path) as shop:
        await shop.desk.store.client.zadd(KEYS.dead, {OTHER: 1})
        await shop.desk.conversations.wait(PSID, OTHER, NOW)
        with capture_logs() as logged:
            for _ in range(2):
                await an_engine(shop).process(a_delivery("messenger/message", body))

        assert await shop.desk.store.client.xlen(KEYS.inbox) == 1
        assert [(line["event"], line["count"]) for line in logged] == [("messages_released", 1)]


async def test_an_act_of_nobody_opens_no_window(tmp_path: Path) -> None:
    async with parts(tmp_path) as shop:
        body = {"sender": {"id": "nobody"}, "message": {"text": "Hi"}}
        _, settlement = await an_engine(shop).process(a_delivery("messenger/message", body))

        assert (settlement.reason, settlement.psid) == (Reason.NO_RULE, None)
        assert await shop.desk.store.client.keys(KEYS.conversation("*")) == []


@pytest.mark.parametrize("ruled", [True, False])
async def test_a_body_that_breaks_its_topics_promise_fails_only_where_a_rule_would_read_it(
    tmp_path: Path, *, ruled: bool
) -> None:
    stamps = Stamps(Outcome.done())
    async with parts(tmp_path, stamps) as shop:
        rules = (STAMPING,) if ruled else ()
        attempt, settlement = await an_engine(shop, *rules).process(a_delivery(body={"name": "no id"}))

    wanted = Reason.WEBHOOK_PROCESSING_ERROR if ruled else Reason.NO_RULE
    assert (settlement.reason, [line.reason for line in attempt.entries]) == (wanted, [wanted])
    assert stamps.asked == 0


@pytest.mark.parametrize("waits_first", [True, False])
async def test_a_rule_whose_attempts_are_used_up_does_not_take_along_what_another_one_waits_for(
    tmp_path: Path, *, waits_first: bool
) -> None:
    """A message that is held until tomorrow would be a dead letter by tonight, and nobody had refused it."""
    stamps, limited = Stamps(Retry("down")), message(limit="1/day")
    async with parts(tmp_path, Finds(TRUSTED), stamps, messages=limited) as shop:
        await shop.desk.dispatcher.send(a_request("webhook:0", subject="order:0"))
        engine = an_engine(shop, *((RULE, STAMPING) if waits_first else (STAMPING, RULE)))
        last_one = replace(a_delivery(), attempts=2)
        _, held = await engine.process(last_one)

        assert (held.disposition, held.reason, held.attempts) == (Disposition.RETRY, Reason.LIMIT_REACHED, 2)
        assert held.due_at == NOW + timedelta(days=1)

        # Once the message is out, the other one has had its attempts.
        shop.desk.now += timedelta(days=2)
        _, ended = await engine.process(last_one)

        assert (ended.disposition, ended.reason, len(shop.sender.received)) == (
            Disposition.DEAD,
            Reason.PLUGIN_FAILED,
            2,
        )


async def test_before_its_last_attempt_a_rule_that_fails_uses_one_up_whatever_else_waits(tmp_path: Path) -> None:
    async with parts(tmp_path, Finds(TRUSTED), Stamps(Retry("down")), messages=message(limit="1/day")) as shop:
        await shop.desk.dispatcher.send(a_request("webhook:0", subject="order:0"))
        _, settlement = await an_engine(shop, RULE, STAMPING).process(replace(a_delivery(), attempts=1))

    assert (settlement.disposition, settlement.reason) == (Disposition.RETRY, Reason.PLUGIN_FAILED)
    assert settlement.attempts == 2


async def test_in_its_last_attempt_an_event_in_doubt_waits_for_its_echo_whatever_else_waits(tmp_path: Path) -> None:
    messages = message(limit="1/day") | {"thanks": {"tag": "payment_update", "text": "Thank you"}}
    doubtful = replace(RULE, name="second", steps=(RESOLVE, replace(SEND, argument="thanks")))
    async with parts(tmp_path, Finds(TRUSTED), sender=Told(SENT, InDoubt("?")), messages=messages) as shop:
        await shop.desk.dispatcher.send(a_request("webhook:0", subject="order:0"))
        _, settlement = await an_engine(shop, RULE, doubtful).process(replace(a_delivery(), attempts=2))

    assert (settlement.disposition, settlement.reason) == (Disposition.HELD, Reason.IN_DOUBT)


async def test_what_a_limit_has_dropped_holds_no_dead_letter_up(tmp_path: Path) -> None:
    dropped = message(limit="1/day", on_limit="drop")
    async with parts(tmp_path, Finds(TRUSTED), Stamps(Retry("down")), messages=dropped) as shop:
        await shop.desk.dispatcher.send(a_request("webhook:0", subject="order:0"))
        _, settlement = await an_engine(shop, RULE, STAMPING).process(replace(a_delivery(), attempts=2))

    assert (settlement.disposition, settlement.reason) == (Disposition.DEAD, Reason.PLUGIN_FAILED)


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ((Retry("later"),), Status.DONE),
        ((InDoubt("no answer came"),), Status.DONE),
        ((Retry("later"), Refused("blocked")), Status.FAILED),
    ],
)
async def test_an_event_keeps_its_place_for_a_message_that_is_not_out_when_another_one_of_its_is(
    tmp_path: Path, answers: Sequence[Exception], status: Status
) -> None:
    """Else the shopper's next order would be confirmed before this one."""
    second, sender = replace(RULE, name="second"), Told(*answers)
    async with parts(tmp_path, Finds(TRUSTED), sender=sender) as shop:
        attempt, _ = await an_engine(shop, RULE, second).process(a_delivery())
        next_order = await shop.desk.dispatcher.send(a_request("webhook:2", subject="order:2", minutes=1.0))

        assert [line.status for line in attempt.entries if (line.rule, line.step) == ("second", "")] == [status]
        assert next_order.reason is Reason.WAITING_FOR_EARLIER


@pytest.mark.parametrize(
    ("answers", "in_line"), [((), []), ((Retry("later"),), ["webhook:1"]), ((SENT, Retry("later")), ["webhook:1"])]
)
async def test_it_keeps_its_place_however_many_of_its_messages_are_out_but_not_once_all_are(
    tmp_path: Path, answers: Sequence[Receipt | Exception], in_line: Sequence[str]
) -> None:
    rules = [RULE, *(replace(RULE, name=name) for name in ("second", "third"))]
    async with parts(tmp_path, Finds(TRUSTED), sender=Told(*answers)) as shop:
        await an_engine(shop, *rules).process(a_delivery())

        assert len(shop.sender.received) == len(rules)
        assert await shop.desk.in_line() == in_line


@pytest.mark.parametrize("steps", [(*RULE.steps, replace(STAMP, place="5:stamps0")), (STAMP, SEND)])
async def test_an_event_whose_messages_are_out_holds_nobody_up_for_a_step_that_is_tried_again(
    tmp_path: Path, steps: Sequence[Step]
) -> None:
    """Nor for a message whose shopper is not known yet: its turn is found once they are."""
    waits, second = replace(RULE, steps=steps), replace(RULE, name="second")
    async with parts(tmp_path, Finds(TRUSTED), Stamps(Retry("later"))) as shop:
        _, settlement = await an_engine(shop, waits, second).process(a_delivery())

        assert settlement.disposition is Disposition.RETRY
        assert await shop.desk.in_line() == []


async def test_nor_for_a_message_that_its_limit_holds(tmp_path: Path) -> None:
    messages = message(limit="1/day") | {"thanks": {"tag": "order_update", "text": "Thank you"}}
    second = replace(RULE, name="second", steps=(RESOLVE, replace(SEND, argument="thanks")))
    async with parts(tmp_path, Finds(TRUSTED), messages=messages) as shop:
        await shop.desk.dispatcher.send(a_request("webhook:0", subject="order:0"))
        _, settlement = await an_engine(shop, RULE, second).process(a_delivery())

        assert (settlement.reason, len(shop.sender.received)) == (Reason.LIMIT_REACHED, 2)
        assert await shop.desk.in_line() == []
