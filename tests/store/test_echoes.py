"""Echoes that one process has missed, and what others make of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shopbot.polling import end
from shopbot.store.claims import Claims, Ticket
from shopbot.store.echoes import Echoes
from shopbot.store.milliseconds import milliseconds
from support.eventually import eventually
from support.store_parts import KEYS, NOW
from support.stores import OpenStore, on_real_stores, running_store

RULE = "order_confirmation"
LATER = NOW + timedelta(minutes=3)


@on_real_stores
@pytest.mark.parametrize("missed", [True, False])
async def test_who_takes_over_knows_that_an_echo_was_missed(kind: str, tmp_path: Path, *, missed: bool) -> None:
    """Else its absence would be taken as evidence, and a message sent twice."""
    later = NOW + timedelta(minutes=1)
    async with running_store(kind, tmp_path) as store:
        leaves = Echoes(store.client, KEYS)
        await leaves.listening(NOW)
        if missed:
            leaves.missed()
        await leaves.own_up(later)
        heard_from = await store.client.hget(KEYS.echoes, "listening_ms")

    assert heard_from == str(milliseconds(later if missed else NOW)).encode()


@asynccontextmanager
async def owning_up(echoes: Echoes) -> AsyncIterator[None]:
    """Have a process own up, as it does while it takes webhooks."""
    task = asyncio.create_task(echoes.keep_owning_up(lambda: LATER))
    try:
        yield
    finally:
        await end([task])


async def heard_since_later(store: OpenStore) -> bool:
    return await store.client.hget(KEYS.echoes, "listening_ms") == str(milliseconds(LATER)).encode()


async def claimed(claims: Claims, number: int, at: datetime) -> Ticket:
    ticket = Ticket(RULE, f"order:{number}", f"t{number}", f"webhook:{number}", "7312345678901234", at, in_line=False)
    await claims.take(ticket, at, ttl_seconds=3600.0)
    return ticket


@pytest.mark.parametrize("missed", [True, False])
async def test_what_one_process_has_missed_is_no_evidence_for_another(tmp_path: Path, *, missed: bool) -> None:
    """Webhooks come to any of them: the one that judges may have missed nothing itself."""
    async with running_store("embedded", tmp_path) as store:
        claims, (one, other) = Claims(store.client, KEYS, line_ttl_seconds=3600.0), two(store)
        await one.listening(NOW - timedelta(minutes=5))
        await claims.doubt(await claimed(claims, 0, NOW), NOW)
        async with owning_up(one):
            if missed:
                one.missed()
                await eventually(lambda: heard_since_later(store), "the store is told")
            next_one = await claimed(claims, 1, NOW + timedelta(seconds=5))
            await claims.sent(next_one, "m_1", NOW + timedelta(seconds=5))
            await other.arrived(f"{RULE}:order:1", next_one.token, "m_1", NOW + timedelta(seconds=6))

            assert await other.would_have_come(NOW, timedelta(minutes=2), LATER) is not missed


async def test_a_store_that_was_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        one, _ = two(store)
        await store.go_away()
        async with owning_up(one):
            one.missed()
            await asyncio.sleep(0.01)
            await store.come_back()

            await eventually(lambda: heard_since_later(store), "the store is told")


async def test_an_echo_that_is_missed_while_another_one_is_taken_in_is_not_forgotten(tmp_path: Path) -> None:
    async with running_store("embedded", tmp_path) as store:
        one, _ = two(store)
        await one.listening(NOW)
        taken_in = asyncio.create_task(one.arrived(f"{RULE}:order:1", "t1", "m_1", NOW))
        await asyncio.sleep(0)
        one.missed()
        await taken_in
        await one.own_up(LATER)

        assert await heard_since_later(store)


def two(store: OpenStore) -> tuple[Echoes, Echoes]:
    """Give the echoes of two processes that take webhooks."""
    return Echoes(store.client, KEYS), Echoes(store.client, KEYS)
