"""The steps that every host has, one by one: whom they ask, what they write down, and what they hand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shopbot.model.cart import CartResult
from shopbot.model.outcome import JournalEntry, Outcome, Status
from shopbot.model.psid import Resolution
from shopbot.plugin import Reason, Retry
from shopbot.rules.news import read_news
from shopbot.rules.phrases import Phrases
from shopbot.rules.rule import Filters, OncePer, Rule, Step
from shopbot.rules.steps import STEP_NAMES
from shopbot.testing.orders import cancelled_order, paid_order
from support.attacked_shop import message
from support.conversation import fulfillment, refund
from support.dispatch_desk import ORDER_ID, PSID
from support.store_parts import KEYS, NOW, a_line
from support.told_steps import (
    CLEAR,
    RESOLVE,
    RULE,
    SAVE,
    SEND,
    TRUSTED,
    TYPED,
    Clears,
    Finds,
    Parts,
    Stamps,
    an_attempt,
    parts,
    said,
)

ABOUT = "{{ order.name if order }}|{{ orders | length }}|{{ parcel.number if parcel }}|{{ refund.id if refund }}"
UNCANCELLED = replace(RULE, filters=Filters(cancelled=False))
NOT_FOUND = (Status.SKIPPED, Reason.PSID_NOT_FOUND, "", "resolvers[0]:finds0")


class TestResolvePsid:
    async def test_the_first_resolver_that_knows_the_shopper_is_the_last_one_asked(self, tmp_path: Path) -> None:
        resolvers = (Finds(None), Finds(TRUSTED), Finds(TRUSTED))
        async with parts(tmp_path, *resolvers) as shop:
            attempt = an_attempt()
            outcomes = await shop.run(attempt, RESOLVE)

            assert said(outcomes) == [NOT_FOUND, (Status.DONE, None, "…1234", "resolvers[1]:finds1")]
            assert (attempt.psid, attempt.no_psid) == (PSID, None)
            assert [resolver.asked for resolver in resolvers] == [1, 1, 0]
            assert await shop.shoppers.of_order(ORDER_ID) == PSID

    async def test_a_shopper_who_was_resolved_before_is_not_looked_for_again(self, tmp_path: Path) -> None:
        """The cart that vouched for them may be cleared by now."""
        resolver = Finds(None)
        async with parts(tmp_path, resolver) as shop:
            await shop.shoppers.remember(ORDER_ID, PSID)
            attempt = an_attempt()
            outcomes = await shop.run(attempt, RESOLVE)

        assert said(outcomes) == [(Status.DONE, None, "…1234, as resolved before", "")]
        assert (attempt.psid, resolver.asked) == (PSID, 0)

    async def test_of_a_shopper_whom_nobody_knows_the_steps_behind_it_hear_why(self, tmp_path: Path) -> None:
        async with parts(tmp_path, Finds(None)) as shop:
            attempt = an_attempt()
            outcomes = await shop.run(attempt, RESOLVE)

        assert said(outcomes) == [NOT_FOUND, (Status.SKIPPED, Reason.PSID_NOT_FOUND, "", "")]
        assert (attempt.psid, attempt.no_psid, attempt.lined_up) == (None, outcomes[-1], False)

    @pytest.mark.parametrize("last", [TRUSTED, None])
    async def test_a_psid_that_nobody_vouches_for_lets_the_next_resolver_answer_and_is_the_reason_if_none_does(
        self, tmp_path: Path, last: Resolution | None
    ) -> None:
        async with parts(tmp_path, Finds(None), Finds(TYPED), Finds(last)) as shop:
            attempt = an_attempt()
            outcomes = await shop.run(attempt, RESOLVE)

            not_trusted = outcomes[1]
            assert (not_trusted.status, not_trusted.reason) == (Status.SKIPPED, Reason.PSID_NOT_TRUSTED)
            assert not_trusted.plugin == "resolvers[1]:finds1"
            assert "holds no cart" in not_trusted.detail
            assert attempt.psid == (PSID if last else None)
            assert attempt.no_psid == (None if last else not_trusted)
            assert outcomes[3:] == ([] if last else [not_trusted])
            assert await shop.shoppers.of_order(ORDER_ID) == attempt.psid

    @pytest.mark.parametrize("other", [TRUSTED, None])
    @pytest.mark.parametrize(
        ("fault", "reason", "detail", "after_seconds"),
        [
            (Retry("the bot is busy", after_seconds=7.0), Reason.PSID_NOT_FOUND, "the bot is busy", 7.0),
            (ValueError("a bug"), Reason.PLUGIN_FAILED, "ValueError in resolve_psid: a bug", None),
        ],
    )
    async def test_a_resolver_that_could_not_be_asked_is_asked_again_unless_another_one_knows(
        self,
        tmp_path: Path,
        fault: Exception,
        reason: Reason,
        detail: str,
        after_seconds: float | None,
        other: Resolution | None,
    ) -> None:
        async with parts(tmp_path, Finds(fault), Finds(other)) as shop:
            attempt = an_attempt()
            outcomes = await shop.run(attempt, RESOLVE)

        assert said(outcomes)[0] == (Status.DEFERRED, reason, detail, "resolvers[0]:finds0")
        assert outcomes[0].retry_after_seconds == after_seconds
        assert [outcome.status for outcome in outcomes[1:]] == [Status.DONE if other else Status.SKIPPED]
        assert (attempt.psid, attempt.no_psid) == (PSID if other else None, None)

    async def test_an_event_without_an_order_is_nobodys(self, tmp_path: Path) -> None:
        async with parts(tmp_path, Finds(TRUSTED)) as shop:
            outcomes = await shop.run(an_attempt("carts/update", {"id": "c1"}), RESOLVE)

        assert said(outcomes) == [(Status.SKIPPED, Reason.NO_ORDER, "", "")]


class TestThePlaceInTheLine:
    @pytest.mark.parametrize(
        ("earlier", "steps", "lined_up"),
        [
            ((), RULE.steps, True),
            ((a_line(CLEAR.place),), RULE.steps, True),
            ((a_line(SEND.place),), RULE.steps, False),
            ((a_line(SEND.place),), (*RULE.steps, Step("5:send_message", "send_message", "thanks", ordinal=2)), True),
            ((), (RESOLVE, CLEAR, SAVE), False),
        ],
    )
    async def test_it_is_taken_once_the_shopper_is_known_and_something_is_left_to_send(
        self, tmp_path: Path, earlier: Sequence[JournalEntry], steps: Sequence[Step], *, lined_up: bool
    ) -> None:
        rule = Rule(RULE.name, RULE.topics, steps, once_per="order")
        async with parts(tmp_path, Finds(TRUSTED)) as shop:
            attempt = an_attempt(earlier=earlier)
            await shop.run(attempt, RESOLVE, rule)

            assert attempt.lined_up is lined_up
            assert await shop.desk.in_line() == ["webhook:1"] * lined_up

    async def test_no_other_step_takes_it(self, tmp_path: Path) -> None:
        async with parts(tmp_path, Clears(CartResult.CLEARED)) as shop:
            attempt = an_attempt(psid=PSID)
            for step in (CLEAR, SAVE):
                await shop.run(attempt, step)

            assert not attempt.lined_up
            assert await shop.desk.in_line() == []


class TestClearCart:
    async def test_every_backend_is_asked_and_what_one_does_wrong_is_its_own(self, tmp_path: Path) -> None:
        carts = [
            *(Clears(result) for result in CartResult),
            Clears(Retry("try later", after_seconds=9.0)),
            Clears(ValueError("a bug")),
        ]
        async with parts(tmp_path, *carts) as shop:
            outcomes = await shop.run(an_attempt(psid=PSID), CLEAR)

        assert said(outcomes) == [
            (Status.DONE, None, "cleared", "carts[0]:clears0"),
            (Status.DONE, None, "already_empty", "carts[1]:clears1"),
            (Status.DONE, None, "kept", "carts[2]:clears2"),
            (Status.DEFERRED, Reason.CART_CLEAR_FAILED, "try later", "carts[3]:clears3"),
            (Status.DEFERRED, Reason.CART_CLEAR_FAILED, "ValueError in clear_cart: a bug", "carts[4]:clears4"),
        ]
        assert [outcome.retry_after_seconds for outcome in outcomes] == [None, None, None, 9.0, None]

    async def test_a_backend_that_has_done_its_part_is_not_asked_again(self, tmp_path: Path) -> None:
        carts = (Clears(CartResult.CLEARED), Clears(CartResult.CLEARED))
        async with parts(tmp_path, *carts) as shop:
            attempt = an_attempt(psid=PSID, earlier=(a_line(CLEAR.place, plugin="carts[0]:clears0"),))
            outcomes = await shop.run(attempt, CLEAR)

        assert [outcome.plugin for outcome in outcomes] == ["carts[1]:clears1"]
        assert [cart.asked for cart in carts] == [0, 1]

    async def test_without_an_order_or_a_shopper_no_cart_is_touched(self, tmp_path: Path) -> None:
        cart = Clears(CartResult.CLEARED)
        async with parts(tmp_path, cart) as shop:
            without_order = await shop.run(an_attempt("carts/update", {"id": "c1"}, psid=PSID), CLEAR)
            attempt = an_attempt()
            attempt.no_psid = Outcome.skipped(Reason.PSID_NOT_TRUSTED, "typed")
            without_shopper = await shop.run(attempt, CLEAR)

        assert said(without_order) == [(Status.SKIPPED, Reason.NO_ORDER, "", "")]
        assert without_shopper == [attempt.no_psid]
        assert cart.asked == 0


class TestSaveOrderReference:
    @pytest.mark.parametrize(("psid", "detail"), [(PSID, ""), (None, "kept as unresolved")])
    async def test_an_order_is_kept_under_its_shopper_or_as_unresolved(
        self, tmp_path: Path, psid: str | None, detail: str
    ) -> None:
        async with parts(tmp_path) as shop:
            attempt = an_attempt(psid=psid)
            outcomes = await shop.run(attempt, SAVE)

            assert said(outcomes) == [(Status.DONE, None, detail, "")]
            assert attempt.reference_saved
            assert attempt.reference == await shop.desk.references.find(psid, ORDER_ID)
            for whose in (PSID, None):
                assert (await shop.desk.references.find(whose, ORDER_ID) is not None) is (whose == psid)

    async def test_what_brings_no_order_keeps_none(self, tmp_path: Path) -> None:
        async with parts(tmp_path) as shop:
            attempt = an_attempt("refunds/create", refund(ORDER_ID), psid=PSID)
            outcomes = await shop.run(attempt, SAVE)

        assert said(outcomes) == [(Status.SKIPPED, Reason.NO_ORDER, "", "")]
        assert not attempt.reference_saved
        assert attempt.reference is None


class TestSendMessage:
    async def test_without_a_shopper_nothing_is_sent(self, tmp_path: Path) -> None:
        async with parts(tmp_path) as shop:
            outcomes = await shop.run(an_attempt(), SEND)

        assert [(outcome.status, outcome.reason) for outcome in outcomes] == [(Status.SKIPPED, Reason.PSID_NOT_FOUND)]
        assert shop.sender.received == []

    @pytest.mark.parametrize(("saved", "once_per", "lived_seconds"), [(True, "order", 5000), (False, "event", 1000)])
    async def test_a_message_counts_as_sent_as_long_as_what_it_is_sent_for(
        self,
        tmp_path: Path,
        once_per: OncePer,
        lived_seconds: int,
        *,
        saved: bool,
    ) -> None:
        """It confirms the order if the rule keeps that."""
        rule = Rule(RULE.name, RULE.topics, RULE.steps, once_per=once_per)
        async with parts(tmp_path) as shop:
            attempt = an_attempt(psid=PSID)
            attempt.reference_saved = saved
            outcomes = await shop.run(attempt, SEND, rule)
            subject = f"order:{ORDER_ID}" if once_per == "order" else "event:webhook:1"
            life_seconds = await shop.desk.store.client.ttl(KEYS.claim(RULE.name, subject))
            reference = await shop.desk.references.find(PSID, ORDER_ID)

        assert said(outcomes) == [(Status.DONE, None, outcomes[0].detail, "senders[0]:told0")]
        assert lived_seconds - 100 < life_seconds <= lived_seconds
        assert (reference is not None and reference.confirmed_at is not None) is saved

    async def test_each_of_a_rules_messages_is_one_of_its_own(self, tmp_path: Path) -> None:
        messages = message(text="first") | {"thanks": {"tag": "order_update", "text": "second"}}
        async with parts(tmp_path, messages=messages) as shop:
            attempt = an_attempt(psid=PSID)
            for _ in range(2):
                for step in (SEND, Step("5:send_message", "send_message", "thanks", ordinal=2)):
                    await shop.run(attempt, step)

        assert [(sent.psid, sent.text) for sent in shop.sender.received] == [(PSID, "first"), (PSID, "second")]

    @pytest.mark.parametrize(("count", "text"), [(0, "none"), (1, "the one"), (2, "choose"), (3, "choose")])
    async def test_how_many_orders_were_found_decides_what_is_sent(self, tmp_path: Path, count: int, text: str) -> None:
        texts = {"order_confirmation": "the one", "no_order": "none", "which": "choose"}
        messages = {name: {"tag": "order_update", "text": text} for name, text in texts.items()}
        step = Step(SEND.place, SEND.name, SEND.argument, otherwise={"none": "no_order", "several": "which"})
        async with parts(tmp_path, messages=messages) as shop:
            for number in range(count):
                order = read_news("orders/paid", paid_order(order_id=number + 1)).order
                assert order is not None
                await shop.desk.references.save(order, PSID)
            attempt = an_attempt(psid=PSID)
            attempt.orders = await shop.desk.references.newest(PSID, 5)
            await shop.run(attempt, step)

        assert [sent.text for sent in shop.sender.received] == [text]

    @pytest.mark.parametrize(
        ("topic", "body", "text"),
        [
            ("orders/paid", paid_order(order_id=ORDER_ID), "#1234|0||"),
            ("fulfillments/create", fulfillment(ORDER_ID), "|0|00340434161094042557|"),
            ("refunds/create", refund(ORDER_ID), "|0||929361465"),
        ],
    )
    async def test_its_template_can_name_what_the_event_brings(
        self, tmp_path: Path, topic: str, body: Mapping[str, object], text: str
    ) -> None:
        async with parts(tmp_path, messages=message(text=ABOUT)) as shop:
            await shop.run(an_attempt(topic, body, psid=PSID), SEND)

        assert [sent.text for sent in shop.sender.received] == [text]

    @pytest.mark.parametrize(("text", "language"), [("Wo ist mein Paket?", "de"), ("Where is it?", "en")])
    async def test_an_answer_speaks_the_language_of_the_question_and_goes_out_even_to_who_wants_no_messages(
        self, tmp_path: Path, text: str, language: str
    ) -> None:
        phrases = Phrases({"de": ["wo ist"], "": ["where"]})
        asking = Rule("status", frozenset({"messenger/message"}), (SEND,), filters=Filters(phrases=phrases))
        chatty = Rule("greeting", frozenset({"messenger/message"}), (SEND,))
        answer = message(tag="order_answer", text="order_not_found.txt.j2")
        async with parts(tmp_path, messages=answer) as shop:
            await shop.desk.conversations.opt_out(PSID, NOW - timedelta(days=1))
            attempt = an_attempt("messenger/message", {"sender": {"id": PSID}, "message": {"text": text}}, psid=PSID)
            answered = await shop.run(attempt, SEND, asking)
            not_answered = await shop.run(attempt, SEND, chatty)

        assert [outcome.status for outcome in answered] == [Status.DONE]
        assert [outcome.reason for outcome in not_answered] == [Reason.OPTED_OUT]
        assert [sent.locale for sent in shop.sender.received] == [language]


class TestAnOrderThatIsCancelledMeanwhile:
    """The rule's event is older than the cancellation: it is late, or its message has waited."""

    @pytest.mark.parametrize("earlier", [False, True])
    async def test_is_not_confirmed_any_more(self, tmp_path: Path, *, earlier: bool) -> None:
        async with parts(tmp_path) as shop:
            await note_cancellation(shop)
            attempt = an_attempt(psid=PSID)
            if not earlier:  # else an earlier attempt has kept the order, and this one knows nothing of it
                await shop.run(attempt, SAVE, UNCANCELLED)
            outcomes = await shop.run(attempt, SEND, UNCANCELLED)

        why = "the order was cancelled before its message could go out"
        assert said(outcomes) == [(Status.SKIPPED, Reason.CANCELLED, why, "")]
        assert shop.sender.received == []

    @pytest.mark.parametrize("cancelled", [None, True])
    async def test_makes_no_difference_to_rules_that_do_not_ask_for_others(
        self, tmp_path: Path, *, cancelled: bool | None
    ) -> None:
        async with parts(tmp_path) as shop:
            await note_cancellation(shop)
            rule = replace(UNCANCELLED, filters=Filters(cancelled=cancelled))
            outcomes = await shop.run(an_attempt(psid=PSID), SEND, rule)

        assert [outcome.status for outcome in outcomes] == [Status.DONE]

    @pytest.mark.parametrize("known", [False, True])
    async def test_an_order_that_is_not_is_confirmed(self, tmp_path: Path, *, known: bool) -> None:
        async with parts(tmp_path) as shop:
            if known:
                await shop.run(an_attempt(psid=PSID), SAVE, UNCANCELLED)
            outcomes = await shop.run(an_attempt(psid=PSID), SEND, UNCANCELLED)

        assert [outcome.status for outcome in outcomes] == [Status.DONE]

    async def test_what_brings_no_order_is_sent(self, tmp_path: Path) -> None:
        async with parts(tmp_path, messages=message(text="Your money is on its way")) as shop:
            await note_cancellation(shop)
            outcomes = await shop.run(an_attempt("refunds/create", refund(ORDER_ID), psid=PSID), SEND, UNCANCELLED)

        assert [outcome.status for outcome in outcomes] == [Status.DONE]


async def note_cancellation(shop: Parts) -> None:
    order = read_news("orders/updated", cancelled_order(order_id=ORDER_ID)).order
    assert order is not None
    await shop.desk.references.save(order, PSID)


class TestAStepOfTheShopsOwn:
    @pytest.mark.parametrize(
        ("answer", "status", "reason", "detail", "after_seconds"),
        [
            (Outcome.done("stamped"), Status.DONE, None, "stamped", None),
            (Outcome.failed(Reason.FILTERED, "no"), Status.FAILED, Reason.FILTERED, "no", None),
            (Outcome.done("as", plugin="somebody else"), Status.DONE, None, "as", None),
            (Outcome(status=Status.FAILED, detail="no"), Status.FAILED, Reason.PLUGIN_FAILED, "no", None),
            (Outcome(status=Status.SKIPPED, detail="no"), Status.SKIPPED, None, "no", None),
            (Retry("soon", after_seconds=3.0), Status.DEFERRED, Reason.PLUGIN_FAILED, "soon", 3.0),
            (ValueError("a bug"), Status.DEFERRED, Reason.PLUGIN_FAILED, "ValueError in run_step: a bug", None),
            (
                Outcome.held(Reason.LIMIT_REACHED, deadline_seconds=5.0),
                Status.FAILED,
                Reason.PLUGIN_FAILED,
                "run_step answered held",
                None,
            ),
        ],
    )
    async def test_what_it_says_is_kept_under_its_own_place(
        self,
        tmp_path: Path,
        answer: object,
        status: Status,
        reason: Reason | None,
        detail: str,
        after_seconds: float | None,
    ) -> None:
        stamps = Stamps(answer)
        async with parts(tmp_path, stamps) as shop:
            outcomes = await shop.run(an_attempt(psid=PSID), Step("2:stamps0", "stamps0"))

        assert [(run.rule, run.psid) for run in stamps.seen] == [(RULE.name, PSID)]
        assert said(outcomes) == [(status, reason, detail, "plugins[0]:stamps0")]
        assert outcomes[0].retry_after_seconds == after_seconds


async def test_each_name_stands_for_its_own_step(tmp_path: Path) -> None:
    """Without an order and a shopper each of them says something of its own, if only why it has nothing to do."""
    async with parts(tmp_path) as shop:
        ran = {
            name: await shop.run(an_attempt("carts/update", {"id": "c1"}), Step(f"1:{name}", name))
            for name in (*STEP_NAMES, "privacy.erase_shop")
        }

    ends = {name: (outcomes[0].reason, outcomes[0].detail) for name, outcomes in ran.items()}
    no_shopper = (Reason.PSID_NOT_FOUND, "no step before this one resolves the shopper")
    assert ends == {
        "resolve_psid": (Reason.NO_ORDER, ""),
        "clear_cart": (Reason.NO_ORDER, ""),
        "save_order_reference": (Reason.NO_ORDER, ""),
        "send_message": no_shopper,
        "note_checkout": (None, "note_checkout"),
        "find_orders": no_shopper,
        "update_order_reference": (Reason.NO_ORDER, ""),
        "opt_out": (Reason.NO_SHOPPER, ""),
        "opt_in": (Reason.NO_SHOPPER, ""),
        "privacy.erase_shop": (None, "privacy.erase_shop"),
    }
