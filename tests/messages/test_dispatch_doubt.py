"""Sends of which nobody can say whether they went out, and a store that is away when they end."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from shopbot.model.outcome import Status
from shopbot.plugin import InDoubt, Reason
from shopbot.store.claims import Claim, ClaimState, Ticket
from support.dispatch_desk import (
    DEADLINE,
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


class TestDoubt:
    @pytest.mark.parametrize("failure", [InDoubt("no answer came"), RuntimeError("a bug")])
    async def test_a_sender_that_broke_off_may_have_sent(self, tmp_path: Path, failure: Exception) -> None:
        second = Told()
        async with a_desk(tmp_path, Told(failure), second) as desk:
            outcome = await desk.dispatcher.send(a_request())
            claim = await desk.claim()

            assert short(outcome) == (Status.HELD, Reason.IN_DOUBT, "senders[0]:told0")
            assert str(failure) in outcome.detail
            assert outcome.retry_after_seconds == DEADLINE.total_seconds()
            assert claim is not None
            assert claim.state is ClaimState.IN_DOUBT
            assert second.received == []
            result = "in_doubt" if isinstance(failure, InDoubt) else "failed"
            assert desk.calls() == {("senders[0]:told0", result): 1}

    async def test_an_echo_that_was_faster_than_the_failure_settles_it(self, tmp_path: Path) -> None:
        sender = Told(InDoubt("no answer came"))
        async with a_desk(tmp_path, sender) as desk:

            async def echo() -> None:
                claim = await desk.claim()
                assert claim is not None
                await desk.echoes.arrived(f"{RULE}:{SUBJECT}", claim.token, "m_echoed", desk.now)

            sender.meanwhile = echo
            outcome = await desk.dispatcher.send(a_request())
            reference = await desk.references.find(PSID, ORDER_ID)

            assert short(outcome) == (Status.DONE, None, "senders[0]:told0")
            assert outcome.detail == "m_echoed, by its echo"
            assert reference is not None
            assert reference.confirmed_at == NOW
            assert await desk.in_line() == []

    async def test_a_message_that_another_process_has_sent_meanwhile_is_not_this_ones(self, tmp_path: Path) -> None:
        """This one was held up for so long that its claim was settled and taken by others."""
        sender = Told(InDoubt("no answer came"))
        async with a_desk(tmp_path, sender) as desk:

            async def others() -> None:
                await desk.store.client.delete(KEYS.claim(RULE, SUBJECT))
                theirs = a_ticket("webhook:other")
                await take(desk, theirs)
                await desk.claims.sent(theirs, "m_other", desk.now)

            sender.meanwhile = others
            outcome = await desk.dispatcher.send(a_request())

            assert outcome.reason is Reason.IN_DOUBT
            assert await desk.references.find(PSID, ORDER_ID) is None

    async def test_a_store_that_lost_the_claim_meanwhile_does_not_end_the_doubt(self, tmp_path: Path) -> None:
        sender = Told(InDoubt("no answer came"))
        async with a_desk(tmp_path, sender) as desk:
            sender.meanwhile = desk.store.client.flushall
            outcome = await desk.dispatcher.send(a_request())

        assert short(outcome) == (Status.HELD, Reason.IN_DOUBT, "senders[0]:told0")

    @pytest.mark.parametrize(
        ("moments", "calls"), [((100.0, 100.0, 110.0), 1), ((100.0, 110.0, 110.0), 1), ((100.0, 100.0, 110.5), 0)]
    )
    async def test_a_process_that_was_frozen_between_claim_and_call_does_not_call(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moments: tuple[float, ...], calls: int
    ) -> None:
        """Others may have settled the claim, and the message may be out by now."""
        monkeypatch.setattr("shopbot.messages.dispatch.uptime_seconds", partial(next, iter(moments)))
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            outcome = await desk.dispatcher.send(a_request())
            claim = await desk.claim()

            assert len(sender.received) == calls
            assert outcome.plugin == "senders[0]:told0"
            assert claim is not None
            assert claim.state is (ClaimState.SENT if calls else ClaimState.IN_DOUBT)
            assert outcome.reason is (None if calls else Reason.IN_DOUBT)

    @pytest.mark.parametrize("settled", [True, False])
    async def test_a_process_that_was_frozen_until_it_read_the_claims_answer_asks_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, settled: bool
    ) -> None:
        """The answer is as old as the freeze: by now others may have found no echo, and have sent the message."""
        moments = iter([100.0, 500.0, 500.0, 500.0, 500.0])
        monkeypatch.setattr("shopbot.messages.dispatch.uptime_seconds", lambda: next(moments))
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            take_once = desk.claims.take

            async def frozen(ticket: Ticket, now: datetime, *, ttl_seconds: float) -> Claim:
                claim = await take_once(ticket, now, ttl_seconds=ttl_seconds)
                desk.claims.take = take_once  # type: ignore[method-assign]
                if settled:
                    await desk.claims.doubt(ticket, now)
                    await desk.claims.free(ticket, now)
                    theirs = replace(ticket, token="theirs")
                    await take(desk, theirs)
                    await desk.claims.sent(theirs, "m_theirs", now)
                return claim

            desk.claims.take = frozen  # type: ignore[method-assign]
            outcome = await desk.dispatcher.send(a_request())

            assert len(sender.received) == (0 if settled else 1)
            assert outcome.status is Status.DONE
            assert outcome.detail.startswith("m_theirs, as recorded before" if settled else "m_1, ")


class TestAStoreThatIsAway:
    async def test_a_verdict_is_written_when_it_is_back(self, tmp_path: Path) -> None:
        """A lost verdict would leave a message in doubt that the shopper has."""
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            sender.meanwhile = desk.store.go_away

            async def back() -> None:
                while not sender.received:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.3)
                await desk.store.come_back()

            outcome, _ = await asyncio.gather(desk.dispatcher.send(a_request()), back())
            claim = await desk.claim()

            assert outcome.status is Status.DONE
            assert claim is not None
            assert claim.state is ClaimState.SENT
            assert len(sender.received) == 1

    async def test_it_is_tried_for_a_quarter_of_a_minute_and_then_the_fault_comes_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The event stays with its worker; delivered again, its message is in doubt."""
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)

        async def away(*_: object) -> bool:
            raise ConnectionError("the store is away")

        async with a_desk(tmp_path, Told()) as desk:
            monkeypatch.setattr(desk.claims, "sent", away)
            monkeypatch.setattr(
                "shopbot.messages.dispatch.asyncio",
                SimpleNamespace(sleep=sleep, get_running_loop=asyncio.get_running_loop),
            )
            with pytest.raises(ConnectionError):
                await desk.dispatcher.send(a_request())

            again = await desk.dispatcher.send(a_request())

        assert 15.0 < sum(pauses) < 16.0
        assert pauses[0] < 0.1  # most often it is back at once
        assert all(1.9 < later / earlier < 2.6 for earlier, later in itertools.pairwise(pauses))
        assert again.reason is Reason.IN_DOUBT
