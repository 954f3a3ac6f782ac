"""A message is claimed and handed to the senders in their order, and what they say is recorded, whatever goes wrong."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shopbot.model.outcome import Status
from shopbot.plugin import ChannelDown, Reason, Refused, Retry
from shopbot.store.channels import PROBE_SECONDS, ChannelState
from shopbot.store.claims import ClaimState
from support.attacked_shop import message
from support.dispatch_desk import (
    ANSWER,
    ORDER_ID,
    PSID,
    RULE,
    SUBJECT,
    Told,
    a_desk,
    a_request,
    a_ticket,
    short,
    take,
)
from support.store_parts import KEYS, NOW


class TestWhatSendersSay:
    async def test_a_message_that_is_taken_is_recorded_and_its_order_confirmed(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            outcome = await desk.dispatcher.send(a_request())
            claim, reference = await desk.claim(), await desk.references.find(PSID, ORDER_ID)

            assert short(outcome) == (Status.DONE, None, "senders[0]:told0")
            assert outcome.detail == (
                "m_1, UPDATE: no Messenger webhook is configured that would tell of the shopper's activity"
            )
            assert claim is not None
            assert (claim.state, claim.message_id, claim.event_id) == (ClaimState.SENT, "m_1", "webhook:1")
            assert sender.received[0].claim == f"shopbot|{RULE}:{SUBJECT}|{claim.token}"
            assert reference is not None
            assert reference.confirmed_at == NOW
            assert await desk.in_line() == []
            assert await desk.store.client.exists(KEYS.unsent(PSID)) == 0
            assert desk.calls() == {("senders[0]:told0", "sent"): 1}

    async def test_the_time_that_a_sender_takes_is_measured(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told()) as desk:
            before = asyncio.get_running_loop().time()
            await desk.dispatcher.send(a_request())
            [sends] = desk.metrics.sends.collect()
            [seconds] = [sample.value for sample in sends.samples if sample.name.endswith("_sum")]

        assert 0 <= seconds < before  # the loop's clock counts from when the machine was started

    async def test_a_message_that_confirms_nothing_leaves_the_order_as_it_is(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told()) as desk:
            assert (await desk.dispatcher.send(a_request(confirms_order=False))).status is Status.DONE
            assert await desk.references.find(PSID, ORDER_ID) is None

    async def test_an_event_without_an_order_confirms_none(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told(), messages=ANSWER) as desk:
            request = a_request()
            outcome = await desk.dispatcher.send(replace(request, about=replace(request.about, order=None)))

        assert outcome.status is Status.DONE

    async def test_two_sends_never_share_a_token(self, tmp_path: Path) -> None:
        """Whoever could guess one could forge an echo."""
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            for number in range(3):
                await desk.dispatcher.send(a_request(f"webhook:{number}", subject=f"order:{number}"))

        tokens = {received.claim.rpartition("|")[2] for received in sender.received}
        assert len(tokens) == 3
        assert min(len(token) for token in tokens) >= 24

    async def test_what_one_sender_passes_the_next_one_sends(self, tmp_path: Path) -> None:
        first, second, third = Told(None), Told(), Told()
        async with a_desk(tmp_path, first, second, third) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.DONE, None, "senders[1]:told1")
            assert (len(first.received), len(second.received), len(third.received)) == (1, 1, 0)
            assert desk.calls() == {("senders[0]:told0", "passed"): 1, ("senders[1]:told1", "sent"): 1}

    async def test_what_no_sender_takes_is_given_up_and_can_be_sent_again(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told(None), Told(None)) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.FAILED, Reason.NO_SENDER, "senders[1]:told1")
            assert await desk.claim() is None
            assert await desk.in_line() == []

    async def test_a_refusal_ends_it_and_nobody_waits_behind_it(self, tmp_path: Path) -> None:
        second = Told()
        async with a_desk(tmp_path, Told(Refused("blocked")), second) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.FAILED, Reason.MESSAGE_SEND_FAILED, "senders[0]:told0")
            assert outcome.detail == "blocked"
            assert second.received == []
            assert await desk.claim() is None
            assert await desk.in_line() == []
            assert desk.calls() == {("senders[0]:told0", "refused"): 1}

    async def test_a_failure_that_may_pass_keeps_the_place_in_the_line_and_not_the_claim(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told(Retry("busy", after_seconds=7.0), None)) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.DEFERRED, Reason.MESSAGE_SEND_FAILED, "senders[0]:told0")
            assert (outcome.detail, outcome.retry_after_seconds) == ("busy", 7.0)
            assert await desk.claim() is None
            assert await desk.in_line() == ["webhook:1"]
            assert desk.calls() == {("senders[0]:told0", "retry"): 1}

    @pytest.mark.parametrize(
        ("failure", "reason", "state", "result"),
        [
            (ChannelDown("the token is revoked"), Reason.CHANNEL_DOWN, ChannelState.DOWN, "channel_down"),
            (Retry("too many calls", pauses_channel=True), Reason.CHANNEL_PAUSED, ChannelState.PAUSED, "retry"),
        ],
    )
    async def test_a_failure_of_the_channel_closes_it_and_frees_the_message(
        self, tmp_path: Path, failure: Exception, reason: Reason, state: ChannelState, result: str
    ) -> None:
        async with a_desk(tmp_path, Told(failure)) as desk:
            outcome = await desk.dispatcher.send(a_request())
            closure = await desk.channels.closure("told0", desk.now)

            assert short(outcome) == (Status.HELD, reason, "senders[0]:told0")
            assert outcome.detail == str(failure)
            assert closure is not None
            assert closure.state is state
            assert await desk.claim() is None
            assert await desk.in_line() == ["webhook:1"]
            assert desk.calls() == {("senders[0]:told0", result): 1}

    async def test_a_closed_channel_is_asked_before_the_message_is_claimed(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            await desk.channels.down("told0", "revoked", desk.now)
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.HELD, Reason.CHANNEL_DOWN, "")
            assert await desk.claim() is None
            assert sender.received == []

    async def test_a_later_senders_closed_channel_frees_the_message(self, tmp_path: Path) -> None:
        second = Told()
        async with a_desk(tmp_path, Told(None), second) as desk:
            await desk.channels.down("told1", "revoked", desk.now)
            outcome = await desk.dispatcher.send(a_request())

            assert (outcome.status, outcome.reason) == (Status.HELD, Reason.CHANNEL_DOWN)
            assert await desk.claim() is None
            assert second.received == []

    async def test_each_sender_goes_through_its_own_gate(self, tmp_path: Path) -> None:
        """The probe that got through opens the channel of the one that sent, and no other."""
        async with a_desk(tmp_path, Told(None), Told()) as desk:
            for name in ("told0", "told1"):
                await desk.channels.down(name, "revoked", desk.now)
            desk.now += timedelta(seconds=PROBE_SECONDS)

            assert (await desk.dispatcher.send(a_request())).status is Status.DONE

            first = await desk.channels.closure("told0", desk.now)
            assert first is not None
            assert await desk.channels.closure("told1", desk.now) is None

    async def test_a_message_that_is_not_sent_after_all_leaves_the_probe_to_the_next(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            await take(desk, a_ticket("webhook:other"))
            await desk.channels.down("told0", "revoked", desk.now)
            desk.now += timedelta(seconds=PROBE_SECONDS)
            outcome = await desk.dispatcher.send(a_request())
            closure = await desk.channels.closure("told0", desk.now)

            assert outcome.reason is Reason.IN_PROGRESS
            assert closure is not None
            assert closure.may_be_tried(desk.now)
            assert sender.received == []


async def test_a_template_that_fails_claims_nothing(tmp_path: Path) -> None:
    sender = Told()
    async with a_desk(tmp_path, sender, messages=message(text="{{ 1 // (order.name | length - 3) }}")) as desk:
        outcome = await desk.dispatcher.send(a_request(name="#12"))

        assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.TEMPLATE_FAILED)
        assert outcome.detail
        assert await desk.claim() is None
        assert await desk.in_line() == []
        assert sender.received == []


@pytest.mark.parametrize(
    ("topic", "asked", "sent"),
    [
        pytest.param("messenger/message", True, True, id="what they asked for"),
        pytest.param("messenger/message", False, False, id="an answer to whatever they write"),
        pytest.param("orders/paid", True, False, id="news"),
    ],
)
async def test_who_wants_no_messages_gets_what_they_ask_for_and_nothing_else(
    tmp_path: Path,
    topic: str,
    *,
    asked: bool,
    sent: bool,
) -> None:
    sender = Told()
    async with a_desk(tmp_path, sender, messages=ANSWER) as desk:
        await desk.conversations.opt_out(PSID, desk.now)
        outcome = await desk.dispatcher.send(a_request(topic=topic, asked=asked))

        assert outcome.reason is (None if sent else Reason.OPTED_OUT)
        assert len(sender.received) == sent
        assert await desk.in_line() == []


async def test_a_message_that_is_to_be_sent_later_has_its_place_now(tmp_path: Path) -> None:
    async with a_desk(tmp_path, Told()) as desk:
        for number in (2, 1):
            await desk.dispatcher.line_up(PSID, a_request(f"webhook:{number}", minutes=number).event)

        assert await desk.in_line() == ["webhook:1", "webhook:2"]


class TestAnOrderThatWasCalledOff:
    async def test_gets_no_message_and_nobody_waits_behind_it(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            request = replace(a_request(), called_off=True)
            await desk.dispatcher.line_up(PSID, request.event)
            outcome = await desk.dispatcher.send(request)

            assert short(outcome) == (Status.SKIPPED, Reason.CANCELLED, "")
            assert outcome.detail == "the order was cancelled before its message could go out"
            assert (sender.received, await desk.claim(), await desk.in_line()) == ([], None, [])

    async def test_keeps_the_events_place_in_the_line_for_another_message(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told()) as desk:
            request = replace(a_request(), called_off=True, keeps_place=True)
            await desk.dispatcher.line_up(PSID, request.event)
            await desk.dispatcher.send(request)

            assert await desk.in_line() == ["webhook:1"]

    async def test_gets_none_though_another_event_has_the_message(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told()) as desk:
            await take(desk, a_ticket("webhook:2"))
            outcome = await desk.dispatcher.send(replace(a_request(), called_off=True))

            assert short(outcome) == (Status.SKIPPED, Reason.CANCELLED, "")

    async def test_is_told_what_has_begun_to_its_end(self, tmp_path: Path) -> None:
        """The process may have died behind the call: then the message is out, and the bookkeeping is to be done."""
        async with a_desk(tmp_path, Told()) as desk:
            ticket = a_ticket("webhook:1")
            await take(desk, ticket)
            await desk.claims.sent(ticket, "m_1", NOW)
            outcome = await desk.dispatcher.send(replace(a_request(), called_off=True))

            assert (outcome.status, outcome.detail) == (Status.DONE, "m_1, as recorded before")
