"""Whose message it is: another event that has it already, and the shopper's line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from shopbot.model.outcome import Status
from shopbot.plugin import Reason, Retry
from shopbot.store.claims import ClaimState
from support.dispatch_desk import ANSWER, DEADLINE, ORDER_ID, PSID, RULE, Told, a_desk, a_request, a_ticket, take
from support.store_parts import NOW


class TestWhoeverHasTheMessage:
    async def test_what_this_event_has_sent_is_only_booked_again(self, tmp_path: Path) -> None:
        """The process ended between the record of the send and the rest."""
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            ticket = a_ticket("webhook:1")
            await take(desk, ticket)
            await desk.claims.sent(ticket, "m_0", NOW)
            desk.now += timedelta(minutes=1)

            outcome = await desk.dispatcher.send(a_request())
            reference = await desk.references.find(PSID, ORDER_ID)

            assert (outcome.status, outcome.detail) == (Status.DONE, "m_0, as recorded before")
            assert reference is not None
            assert reference.confirmed_at == NOW
            assert await desk.in_line() == []
            assert sender.received == []

    @pytest.mark.parametrize(("sent", "reason"), [(True, Reason.ALREADY_CONFIRMED), (False, Reason.IN_PROGRESS)])
    async def test_what_another_event_has_is_left_to_it(self, tmp_path: Path, reason: Reason, *, sent: bool) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            ticket = a_ticket("webhook:other")
            await take(desk, ticket)
            if sent:
                await desk.claims.sent(ticket, "m_0", NOW)
            outcome = await desk.dispatcher.send(a_request())

            assert (outcome.status, outcome.reason) == (Status.SKIPPED, reason)
            assert "webhook:other" in outcome.detail
            assert await desk.in_line() == []
            assert await desk.references.find(PSID, ORDER_ID) is None
            assert sender.received == []

    async def test_another_events_message_in_doubt_is_left_to_it(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            ticket = a_ticket("webhook:other")
            await take(desk, ticket)
            await desk.claims.doubt(ticket, NOW)
            desk.now += DEADLINE

            assert (await desk.dispatcher.send(a_request())).reason is Reason.IN_PROGRESS
            assert sender.received == []

    async def test_its_own_unfinished_send_is_in_doubt_and_not_repeated(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            await take(desk, a_ticket("webhook:1"))
            outcome = await desk.dispatcher.send(a_request())
            claim = await desk.claim()

            assert (outcome.status, outcome.reason) == (Status.HELD, Reason.IN_DOUBT)
            assert claim is not None
            assert claim.state is ClaimState.IN_DOUBT
            assert sender.received == []

    async def test_on_evidence_that_it_was_lost_it_is_claimed_anew_and_sent(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            await desk.echoes.listening(NOW - timedelta(hours=1))
            lost, echoed = a_ticket("webhook:1"), a_ticket("webhook:2", subject="order:2")
            await take(desk, lost)
            await desk.claims.doubt(lost, desk.now)
            desk.now += timedelta(seconds=1)
            await take(desk, echoed)
            await desk.claims.sent(echoed, "m_2", desk.now)
            await desk.echoes.arrived(f"{RULE}:order:2", echoed.token, "m_2", desk.now)
            desk.now += DEADLINE

            outcome = await desk.dispatcher.send(a_request())
            claim = await desk.claim()

            assert outcome.status is Status.DONE
            assert claim is not None
            assert claim.state is ClaimState.SENT
            assert claim.token != lost.token
            assert len(sender.received) == 1


class TestTheShoppersLine:
    @pytest.mark.parametrize(("waited_seconds", "pause_seconds"), [(0.0, 0.5), (20.0, 5.0), (3600.0, 15.0)])
    async def test_behind_an_earlier_event_it_looks_again_the_later_the_longer_it_has_waited(
        self, tmp_path: Path, waited_seconds: float, pause_seconds: float
    ) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            await desk.claims.join(PSID, "webhook:0", NOW - timedelta(minutes=1))
            desk.now += timedelta(seconds=waited_seconds)
            outcome = await desk.dispatcher.send(a_request())

            assert (outcome.status, outcome.reason) == (Status.DEFERRED, Reason.WAITING_FOR_EARLIER)
            assert outcome.detail == "behind webhook:0"
            assert outcome.retry_after_seconds == pause_seconds
            assert await desk.in_line() == ["webhook:0", "webhook:1"]
            assert sender.received == []

    async def test_a_place_is_taken_by_arrival_before_anything_holds_the_message_up(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told()) as desk:
            await desk.channels.down("told0", "revoked", desk.now)
            await desk.dispatcher.send(a_request("webhook:2", minutes=2, subject="order:2"))
            await desk.dispatcher.send(a_request("webhook:1", minutes=1))

            assert await desk.in_line() == ["webhook:1", "webhook:2"]

    async def test_an_answer_takes_no_place_and_waits_for_nobody(self, tmp_path: Path) -> None:
        sender = Told(Retry("busy"), None)
        async with a_desk(tmp_path, sender, messages=ANSWER) as desk:
            await desk.claims.join(PSID, "webhook:0", NOW - timedelta(minutes=1))
            request = a_request("messenger:1", topic="messenger/message", subject="event:messenger:1")
            outcome = await desk.dispatcher.send(request)

            assert outcome.reason is Reason.MESSAGE_SEND_FAILED
            assert sender.received[0].delivery == "RESPONSE"
            assert await desk.in_line() == ["webhook:0"]
