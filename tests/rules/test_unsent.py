"""A person's word that a message did not arrive frees that message, and no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shopbot.rules.rule import Rule, Step
from shopbot.rules.unsent import free_doubt
from shopbot.store.claims import Allowance, Claims, ClaimState, Ticket
from shopbot.store.dead_letters import DeadLetter
from shopbot.testing.orders import order_bytes, paid_order
from support.store_parts import KEYS, NOW
from support.stores import OpenStore, running_store

CONFIRMATION = Rule(
    name="order_confirmation",
    topics=frozenset({"orders/paid"}),
    steps=(
        Step("1:resolve_psid", "resolve_psid"),
        Step("2:send_message", "send_message", "order_confirmation"),
        Step("3:send_message", "send_message", "thanks", ordinal=2),
    ),
    once_per="order",
)
SURVEY = replace(CONFIRMATION, name="survey")
LETTER = DeadLetter(
    event_id="webhook:1",
    topic="orders/paid",
    code="IN_DOUBT",
    rule="order_confirmation",
    step="2:send_message",
    detail="",
    attempts=1,
    dead_at=NOW,
    body=order_bytes(paid_order(order_id=1001)),
)
FIRST, SECOND = "order:1001", "order:1001#2"


def claims_of(store: OpenStore) -> Claims:
    return Claims(store.client, KEYS, line_ttl_seconds=3600.0)


async def in_doubt(claims: Claims, subject: str, *, rule: str = "order_confirmation", event: str = "webhook:1") -> None:
    """Leave a send in doubt."""
    ticket = Ticket(rule, subject, f"token of {rule} {subject}", event, "7312345678901234", NOW)
    assert (await claims.take(ticket, NOW, ttl_seconds=3600.0)).state is ClaimState.NEW
    await claims.doubt(ticket, NOW)


async def states(claims: Claims, *subjects: str, rule: str = "order_confirmation") -> list[ClaimState | None]:
    found = await claims.look_at([(rule, subject) for subject in subjects])
    return [claim.state if claim else None for claim in found]


@pytest.mark.parametrize("subjects", [(FIRST,), (SECOND,), (FIRST, SECOND)])
async def test_each_send_of_the_letters_rule_that_is_in_doubt_is_freed(
    tmp_path: Path, subjects: tuple[str, ...]
) -> None:
    async with running_store("embedded", tmp_path) as store:
        claims = claims_of(store)
        for subject in subjects:
            await in_doubt(claims, subject)

        assert await free_doubt([SURVEY, CONFIRMATION], claims, LETTER, NOW)
        assert await states(claims, FIRST, SECOND) == [None, None]


async def test_nothing_is_freed_where_nothing_is_in_doubt(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        assert not await free_doubt([CONFIRMATION], claims_of(store), LETTER, NOW)


async def test_another_rules_message_stays_in_doubt(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        claims = claims_of(store)
        await in_doubt(claims, FIRST, rule="survey")

        assert not await free_doubt([CONFIRMATION, SURVEY], claims, LETTER, NOW)
        assert await states(claims, FIRST, rule="survey") == [ClaimState.IN_DOUBT]


async def test_another_events_message_stays_in_doubt(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        claims = claims_of(store)
        await in_doubt(claims, FIRST, event="webhook:2")

        assert not await free_doubt([CONFIRMATION], claims, LETTER, NOW)
        assert await states(claims, FIRST) == [ClaimState.IN_DOUBT]


@pytest.mark.parametrize("state", [ClaimState.SENDING, ClaimState.SENT])
async def test_what_is_being_sent_or_known_to_be_sent_stays_so(tmp_path: Path, state: ClaimState) -> None:
    async with running_store("embedded", tmp_path) as store:
        claims = claims_of(store)
        ticket = Ticket("order_confirmation", FIRST, "token", "webhook:1", "7312345678901234", NOW)
        await claims.take(ticket, NOW, ttl_seconds=3600.0)
        if state is ClaimState.SENT:
            await claims.sent(ticket, "m_1", NOW)
        await in_doubt(claims, SECOND)

        assert await free_doubt([CONFIRMATION], claims, LETTER, NOW)
        assert await states(claims, FIRST, SECOND) == [state, None]


async def test_a_body_that_cannot_be_read_names_the_event_alone(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        claims = claims_of(store)
        await in_doubt(claims, "event:webhook:1")

        assert await free_doubt([CONFIRMATION], claims, replace(LETTER, body=b"{"), NOW)
        assert await states(claims, "event:webhook:1") == [None]


async def test_the_shoppers_limit_gets_its_place_back(tmp_path: Path) -> None:
    """Else the message that a person has just replayed would wait for the next day, or be dropped."""
    async with running_store("embedded", tmp_path) as store:
        claims, limit = claims_of(store), Allowance("order_update", 1, 86_400.0)
        ticket = Ticket("order_confirmation", FIRST, "first", "webhook:1", "7312345678901234", NOW, allowance=limit)
        assert (await claims.take(ticket, NOW, ttl_seconds=3600.0)).state is ClaimState.NEW
        await claims.doubt(ticket, NOW)

        assert await free_doubt([CONFIRMATION], claims, LETTER, NOW)
        assert (await claims.take(replace(ticket, token="again"), NOW, ttl_seconds=3600.0)).state is ClaimState.NEW
