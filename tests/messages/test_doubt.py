"""A send in doubt is settled by its echo; without one it is sent again on evidence only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shopbot.messages.doubt import Doubt, DoubtPolicy
from shopbot.model.outcome import Outcome, Status
from shopbot.plugin import Reason
from shopbot.store.claims import Claim, Claims, ClaimState, Ticket
from shopbot.store.echoes import Echoes
from support.store_parts import KEYS, NOW
from support.stores import running_store

RULE, SUBJECT = "order_confirmation", "order:1001"
DEADLINE = timedelta(minutes=2)
TICKET = Ticket(RULE, SUBJECT, "first", "webhook:1", "7312345678901234", NOW)


@dataclass
class Case:
    """One send that was claimed and never concluded."""

    claims: Claims
    echoes: Echoes
    resend: bool
    now: datetime = NOW

    async def claim(self) -> Claim | None:
        return await self.claims.look(RULE, SUBJECT)

    async def settle(self) -> Outcome | None:
        """Settle it, as the next attempt does: with a token of its own."""
        doubt = Doubt(
            claims=self.claims, echoes=self.echoes, policy=DoubtPolicy(DEADLINE, self.resend), clock=lambda: self.now
        )
        claim = await self.claim()
        assert claim is not None
        return await doubt.settle(replace(TICKET, token="second"), claim)

    async def another_is_echoed(self) -> None:
        """Have a later message sent and its echo arrive: evidence that echoes come."""
        self.now += timedelta(seconds=1)
        other = replace(TICKET, subject="order:2", token="other", event_id="webhook:2", in_line=False)
        await self.claims.take(other, self.now, ttl_seconds=3600.0)
        await self.claims.sent(other, "m_2", self.now)
        await self.echoes.arrived(f"{RULE}:order:2", "other", "m_2", self.now)


@asynccontextmanager
async def a_case(tmp_path: Path, *, in_doubt: bool = True, resend: bool = True) -> AsyncIterator[Case]:
    async with running_store("embedded", tmp_path) as store:
        case = Case(Claims(store.client, KEYS, line_ttl_seconds=3600.0), Echoes(store.client, KEYS), resend)
        await case.echoes.listening(NOW - timedelta(hours=1))
        assert (await case.claims.take(TICKET, NOW, ttl_seconds=3600.0)).state is ClaimState.NEW
        if in_doubt:
            await case.claims.doubt(TICKET, NOW)
        yield case


async def test_a_send_that_broke_off_comes_into_doubt_from_now_on(tmp_path: Path) -> None:
    async with a_case(tmp_path, in_doubt=False) as case:
        case.now += timedelta(hours=1)
        outcome, claim = await case.settle(), await case.claim()

    assert outcome is not None
    assert (outcome.status, outcome.reason, outcome.retry_after_seconds) == (Status.HELD, Reason.IN_DOUBT, 120.0)
    assert outcome.plugin == ""
    assert claim is not None
    assert (claim.state, claim.at, claim.token) == (ClaimState.IN_DOUBT, case.now, "first")


@pytest.mark.parametrize(("passed_seconds", "left_seconds"), [(0.0, 120.0), (50.0, 70.0), (119.999, 0.001)])
async def test_it_waits_for_the_rest_of_the_deadline(
    tmp_path: Path, passed_seconds: float, left_seconds: float
) -> None:
    async with a_case(tmp_path) as case:
        case.now += timedelta(seconds=passed_seconds)
        outcome, claim = await case.settle(), await case.claim()

    assert outcome is not None
    assert (outcome.status, outcome.reason) == (Status.HELD, Reason.IN_DOUBT)
    assert outcome.retry_after_seconds == pytest.approx(left_seconds)
    assert claim is not None
    assert claim.state is ClaimState.IN_DOUBT


@pytest.mark.parametrize("passed_seconds", [120.0, -0.001], ids=["the deadline", "a clock that was put back"])
async def test_without_an_echo_and_without_evidence_a_person_decides(tmp_path: Path, passed_seconds: float) -> None:
    async with a_case(tmp_path) as case:
        case.now += timedelta(seconds=passed_seconds)
        outcome, claim = await case.settle(), await case.claim()

    assert outcome is not None
    assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.IN_DOUBT)
    assert "--not-received" in outcome.detail
    assert claim is not None
    assert claim.state is ClaimState.IN_DOUBT


async def test_on_evidence_the_claim_is_given_back(tmp_path: Path) -> None:
    async with a_case(tmp_path) as case:
        await case.another_is_echoed()
        case.now += DEADLINE

        assert await case.settle() is None
        assert await case.claim() is None


async def test_evidence_changes_nothing_before_the_deadline(tmp_path: Path) -> None:
    async with a_case(tmp_path) as case:
        await case.another_is_echoed()
        outcome, claim = await case.settle(), await case.claim()

    assert outcome is not None
    assert outcome.status is Status.HELD
    assert claim is not None


async def test_where_the_shop_forbids_it_evidence_changes_nothing(tmp_path: Path) -> None:
    async with a_case(tmp_path, resend=False) as case:
        await case.another_is_echoed()
        case.now += DEADLINE
        outcome, claim = await case.settle(), await case.claim()

    assert outcome is not None
    assert outcome.status is Status.FAILED
    assert claim is not None
