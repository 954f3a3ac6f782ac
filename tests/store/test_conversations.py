from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest

from shopbot.store.claims import Claims, Ticket
from shopbot.store.conversations import Conversations, Standing
from shopbot.store.dead_letters import DeadLetters
from shopbot.store.echoes import Echoes
from shopbot.store.queue import Disposition
from support.store_parts import KEYS, NOW, a_queue, a_settlement, an_event, fill
from support.stores import OpenStore, on_every_store, on_real_stores, running_store

PSID = "7312345678901234"


async def die(store: OpenStore, number: int) -> str:
    """Make a dead letter; gives its event's id."""
    event = an_event(number)
    await fill(store, event)
    queue = await a_queue(store)
    [delivery] = await queue.read(1, wait_seconds=1)
    await queue.settle(delivery, a_settlement(Disposition.DEAD), NOW)
    return event.id


async def test_nothing_is_known_of_a_shopper_who_was_never_seen(tmp_path: Path) -> None:
    async with running_store("fakeredis", tmp_path) as store:
        assert await Conversations(store.client, KEYS).standing(PSID) == Standing()


@on_every_store
async def test_the_latest_activity_counts_whatever_order_it_is_told_in(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        conversations = Conversations(store.client, KEYS)
        moments = [NOW + timedelta(minutes=minutes) for minutes in (2, 3, 1)]
        await asyncio.gather(*(conversations.active(PSID, moment) for moment in moments))

        last = await conversations.last_active(PSID)
        assert last == (NOW + timedelta(minutes=3))


@on_every_store
async def test_whether_a_shopper_wants_messages_is_what_they_said_last(kind: str, tmp_path: Path) -> None:
    """Webhooks come in any order and more than once."""
    async with running_store(kind, tmp_path) as store:
        for number, order in enumerate(permutations(range(3))):
            conversations, psid = Conversations(store.client, KEYS), str(number)
            words = [conversations.opt_out, conversations.opt_in, conversations.opt_out]
            for place in (*order, *order):
                await words[place](psid, NOW + timedelta(seconds=place))

            assert (await conversations.standing(psid)).opted_out


@on_every_store
async def test_a_start_word_ends_an_earlier_stop_and_not_a_later_one(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        conversations = Conversations(store.client, KEYS)
        assert await conversations.opt_out(PSID, NOW)
        assert await conversations.opt_in(PSID, NOW + timedelta(seconds=1))
        assert not (await conversations.standing(PSID)).opted_out
        assert not await conversations.opt_out(PSID, NOW - timedelta(seconds=1))
        assert not (await conversations.standing(PSID)).opted_out
        assert await conversations.opt_out(PSID, NOW + timedelta(seconds=1))  # of the same moment the stop counts
        assert (await conversations.standing(PSID)).opted_out


@on_every_store
async def test_a_stop_stays_and_a_start_is_forgotten(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        conversations = Conversations(store.client, KEYS)
        await conversations.opt_out(PSID, NOW)
        await conversations.opt_in("42", NOW)

        lives = [await store.client.pttl(key) async for key in store.client.scan_iter(KEYS.opted_out("*"))]
        assert sorted(life > 0 for life in lives) == [False, True]
        assert min(lives) == -1


@on_every_store
async def test_whether_a_shopper_wants_messages_is_kept_without_naming_them(kind: str, tmp_path: Path) -> None:
    """It stays when everything else about them is erased."""
    async with running_store(kind, tmp_path) as store:
        await Conversations(store.client, KEYS).opt_out(PSID, NOW)

        assert not [key async for key in store.client.scan_iter(f"*{PSID}*")]
        assert (await Conversations(store.another(), KEYS).standing(PSID)).opted_out
        assert not (await Conversations(store.another(), KEYS).standing(PSID + "0")).opted_out


@on_real_stores
async def test_what_found_the_window_closed_comes_back_when_the_shopper_writes(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        conversations = Conversations(store.client, KEYS)
        waiting, other = await die(store, 1), await die(store, 2)
        await conversations.wait(PSID, waiting, NOW)
        await conversations.wait("42", other, NOW)

        assert await conversations.active(PSID, NOW + timedelta(hours=1)) == 1
        assert await conversations.active(PSID, NOW + timedelta(hours=2)) == 0

        [delivery] = await (await a_queue(store)).read(2, wait_seconds=0.1)
        assert (delivery.event.id, delivery.attempts) == (waiting, 0)
        assert await store.client.zrange(KEYS.dead, 0, -1) == [other.encode()]


@on_real_stores
@pytest.mark.parametrize("comes", ["a word", "an echo", "nothing"])
async def test_what_comes_just_before_an_event_becomes_a_dead_letter_brings_it_back(
    kind: str, tmp_path: Path, comes: str
) -> None:
    """Nothing else would: the shopper has written already, and the echo comes once."""
    async with running_store(kind, tmp_path) as store:
        conversations, event = Conversations(store.client, KEYS), an_event(1)
        claims, queue = Claims(store.client, KEYS, line_ttl_seconds=60), await a_queue(store)
        await fill(store, event)
        [delivery] = await queue.read(1, wait_seconds=1)
        await claims.join(PSID, event.id, event.received_at)
        if comes == "a word":
            await conversations.wait(PSID, event.id, NOW)
            assert await conversations.active(PSID, NOW + timedelta(seconds=1)) == 0
        elif comes == "an echo":
            await claims.take(Ticket("rule", "order:1", "token", event.id, PSID, NOW), NOW, ttl_seconds=60)
            await Echoes(store.client, KEYS).arrived("rule:order:1", "token", "m_1", NOW)
        settled = await queue.settle(delivery, a_settlement(Disposition.DEAD, attempts=8), NOW)
        await queue.promote(NOW)
        again = await queue.read(1, wait_seconds=0.1)

        assert settled is (comes == "nothing")
        assert await store.client.zcard(KEYS.dead) == (comes == "nothing")
        assert [(found.event, found.attempts) for found in again] == ([] if settled else [(event, 0)])
        if again:
            # Once: the next time it is a dead letter.
            assert await queue.settle(again[0], a_settlement(Disposition.DEAD), NOW)
            assert await store.client.zcard(KEYS.dead) == 1


@on_real_stores
async def test_what_has_waited_too_long_is_left_to_a_person(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        conversations = Conversations(store.client, KEYS, release_within=timedelta(days=1))
        await conversations.wait(PSID, await die(store, 1), NOW)

        assert await conversations.active(PSID, NOW + timedelta(days=1, seconds=1)) == 0


@on_real_stores
async def test_what_a_person_has_dealt_with_stays_dealt_with(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        conversations = Conversations(store.client, KEYS)
        letters = DeadLetters(store.client, KEYS, journal_ttl_seconds=60)
        event_id = await die(store, 1)
        await conversations.wait(PSID, event_id, NOW)
        await letters.purge(event_id)

        assert await conversations.active(PSID, NOW) == 0
