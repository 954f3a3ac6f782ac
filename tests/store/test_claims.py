from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shopbot.store.claims import Allowance, Claim, Claims, ClaimState, Ticket, read_metadata
from shopbot.store.echoes import Echoes
from support.store_parts import KEYS, NOW
from support.stores import OpenStore, on_every_store, running_store

TTL_SECONDS = 3600.0
LINE_TTL_SECONDS = 600.0
RULE, SUBJECT = "order_confirmation", "order:1001"
LATER = NOW + timedelta(minutes=5)
ONE_A_DAY = Allowance("order_update", 1, 86_400.0)
PSID = "7312345678901234"


def claims_of(store: OpenStore) -> Claims:
    return Claims(store.client, KEYS, line_ttl_seconds=LINE_TTL_SECONDS)


def a_ticket(
    token: str,
    *,
    event: str | None = None,
    subject: str = SUBJECT,
    arrival: int = 0,
    in_line: bool = False,
    allowance: Allowance | None = None,
    psid: str = PSID,
) -> Ticket:
    return Ticket(
        rule=RULE,
        subject=subject,
        token=token,
        event_id=event or f"webhook:{token}",
        psid=psid,
        received_at=NOW + timedelta(milliseconds=arrival),
        in_line=in_line,
        allowance=allowance,
    )


async def take(claims: Claims, ticket: Ticket, now: datetime = NOW) -> Claim:
    return await claims.take(ticket, now, ttl_seconds=TTL_SECONDS)


MINE, THEIRS = a_ticket("mine"), a_ticket("theirs")

BEFORE: dict[str, Callable[[Claims], Awaitable[object]]] = {}


def before(function: Callable[[Claims], Awaitable[object]]) -> Callable[[Claims], Awaitable[object]]:
    BEFORE[function.__name__] = function
    return function


@before
async def unclaimed(claims: Claims) -> None:
    pass


@before
async def sending(claims: Claims) -> None:
    await take(claims, MINE)


@before
async def in_doubt(claims: Claims) -> None:
    await take(claims, MINE)
    await claims.doubt(MINE, NOW)


@before
async def sent(claims: Claims) -> None:
    await take(claims, MINE)
    await claims.sent(MINE, "m_1", NOW)


@before
async def freed(claims: Claims) -> None:
    await take(claims, MINE)
    await claims.free(MINE, NOW)


def shown(claim: Claim | None) -> tuple[str, ...] | None:
    """Give a claim in short: state, token, message, and whether it was changed after NOW."""
    if claim is None:
        return None
    return (claim.state.value, claim.token, claim.message_id, "later" if claim.at == LATER else "then")


NOBODY = None
MINE_SENDING = ("sending", "mine", "", "then")
MINE_DOUBT = ("in_doubt", "mine", "", "then")
MINE_SENT = ("sent", "mine", "m_1", "then")


TAKING = [
    ("unclaimed", MINE, ("new", "mine", "", "later"), ("sending", "mine", "", "later")),
    ("freed", THEIRS, ("new", "theirs", "", "later"), ("sending", "theirs", "", "later")),
    # The client may send a call again whose answer was lost.
    ("sending", MINE, ("new", "mine", "", "then"), MINE_SENDING),
    ("sending", THEIRS, MINE_SENDING, MINE_SENDING),
    ("in_doubt", MINE, MINE_DOUBT, MINE_DOUBT),
    ("in_doubt", THEIRS, MINE_DOUBT, MINE_DOUBT),
    ("sent", MINE, MINE_SENT, MINE_SENT),
    ("sent", THEIRS, MINE_SENT, MINE_SENT),
]
"""What is given, who takes, what the answer is, what is then in the store."""

CONCLUDING = [
    ("sending", "sent", MINE, True, ("sent", "mine", "m_2", "later")),
    ("sending", "free", MINE, True, NOBODY),
    ("sending", "doubt", MINE, True, ("in_doubt", "mine", "", "later")),
    ("sending", "sent", THEIRS, False, MINE_SENDING),
    ("sending", "free", THEIRS, False, MINE_SENDING),
    ("sending", "doubt", THEIRS, False, MINE_SENDING),
    # The echo comes after all; or it is certain that the message was not carried.
    ("in_doubt", "sent", MINE, True, ("sent", "mine", "m_2", "later")),
    ("in_doubt", "free", MINE, True, NOBODY),
    ("in_doubt", "doubt", MINE, True, ("in_doubt", "mine", "", "later")),
    ("in_doubt", "sent", THEIRS, False, MINE_DOUBT),
    ("in_doubt", "free", THEIRS, False, MINE_DOUBT),
    ("in_doubt", "doubt", THEIRS, False, MINE_DOUBT),
    # Sent is final, and saying it again is no contradiction.
    ("sent", "sent", MINE, True, MINE_SENT),
    ("sent", "free", MINE, False, MINE_SENT),
    ("sent", "doubt", MINE, False, MINE_SENT),
    ("sent", "sent", THEIRS, False, MINE_SENT),
    ("sent", "free", THEIRS, False, MINE_SENT),
    ("sent", "doubt", THEIRS, False, MINE_SENT),
    ("unclaimed", "sent", MINE, False, NOBODY),
    ("unclaimed", "free", MINE, False, NOBODY),
    ("unclaimed", "doubt", MINE, False, NOBODY),
    ("freed", "sent", MINE, False, NOBODY),
    ("freed", "free", MINE, False, NOBODY),
    ("freed", "doubt", MINE, False, NOBODY),
]
"""What is given, the verdict, whose it is, whether it counts, what is then in the store."""


@on_every_store
@pytest.mark.parametrize("given", BEFORE)
async def test_taking_a_claim_answers_who_has_it(kind: str, tmp_path: Path, given: str) -> None:
    async with running_store(kind, tmp_path) as store:
        claims = claims_of(store)
        for _, ticket, answer, after in [case for case in TAKING if case[0] == given]:
            await store.client.flushall()
            await BEFORE[given](claims)

            for _ in range(2):  # the second call is the first one, sent again
                assert shown(await take(claims, ticket, LATER)) == answer
                assert shown(await claims.look(RULE, SUBJECT)) == after


@on_every_store
@pytest.mark.parametrize("given", BEFORE)
async def test_only_the_holder_concludes_a_claim_and_sent_is_final(kind: str, tmp_path: Path, given: str) -> None:
    async with running_store(kind, tmp_path) as store:
        claims = claims_of(store)
        for _, verdict, ticket, done, after in [case for case in CONCLUDING if case[0] == given]:
            await store.client.flushall()
            await BEFORE[given](claims)

            assert await conclude(claims, verdict, ticket) is done
            assert shown(await claims.look(RULE, SUBJECT)) == after

            repeated = done and verdict != "free"
            assert await conclude(claims, verdict, ticket) is repeated
            assert shown(await claims.look(RULE, SUBJECT)) == after


async def conclude(claims: Claims, verdict: str, ticket: Ticket) -> bool:
    if verdict == "sent":
        return await claims.sent(ticket, "m_2", LATER)
    return await (claims.free if verdict == "free" else claims.doubt)(ticket, LATER)


@on_every_store
async def test_of_a_hundred_events_of_one_order_exactly_one_gets_the_claim(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        processes = [Claims(store.another(), KEYS, line_ttl_seconds=LINE_TTL_SECONDS) for _ in range(4)]

        answers = await asyncio.gather(*(take(processes[n % 4], a_ticket(f"t{n}")) for n in range(100)))

        assert Counter(answer.state for answer in answers) == {ClaimState.NEW: 1, ClaimState.SENDING: 99}
        (winner,) = [answer for answer in answers if answer.state is ClaimState.NEW]
        assert {(answer.event_id, answer.token) for answer in answers} == {(winner.event_id, winner.token)}


@on_every_store
async def test_a_claim_is_for_one_rule_and_one_order(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        claims = claims_of(store)
        tickets = [MINE, a_ticket("t2", subject="order:1002"), replace(a_ticket("t3"), rule="another_rule")]

        states = [(await take(claims, ticket)).state for ticket in tickets]

        assert states == [ClaimState.NEW] * 3


@on_every_store
async def test_a_claim_remembers_when_it_was_made_and_lives_as_long_as_it_was_told(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        claims = claims_of(store)
        await take(claims, MINE)
        await claims.sent(MINE, "m_1", LATER)

        claim = await claims.look(RULE, SUBJECT)

        assert claim == Claim(ClaimState.SENT, "webhook:mine", "mine", "m_1", at=LATER, claimed_at=NOW)
        left_ms = await store.client.pttl(KEYS.claim(RULE, SUBJECT))
        assert TTL_SECONDS * 1000 - 60_000 < left_ms <= TTL_SECONDS * 1000


@on_every_store
async def test_a_claim_in_doubt_lives_on_for_a_year_so_that_a_replay_finds_it(kind: str, tmp_path: Path) -> None:
    year_seconds = 365 * 86_400
    async with running_store(kind, tmp_path) as store:
        claims, key = claims_of(store), KEYS.claim(RULE, SUBJECT)
        await take(claims, MINE)
        await claims.doubt(MINE, LATER)
        assert year_seconds - 100 < await store.client.ttl(key) <= year_seconds

        await store.client.expire(key, 2 * year_seconds)
        await claims.doubt(MINE, LATER)
        assert await store.client.ttl(key) > year_seconds


async def test_metadata_leads_back_to_the_claim() -> None:
    assert read_metadata(MINE.metadata) == (f"{RULE}:{SUBJECT}", "mine")
    assert KEYS.claim_of(f"{RULE}:{SUBJECT}") == KEYS.claim(RULE, SUBJECT)
    for foreign in ("", "shopbot", "shopbot|a", "other|a|b", "shopbot|a|b|c"):
        assert read_metadata(foreign) is None


class TestTheShoppersLine:
    """A shopper reads the news of orders in the order in which they came in."""

    first = a_ticket("first", arrival=1, subject="order:1", in_line=True)
    second = a_ticket("second", arrival=2, subject="order:2", in_line=True)

    @staticmethod
    async def known(store: OpenStore, ticket: Ticket, status: str = "") -> None:
        """Have the event in the store, with the status that its last attempt gave it."""
        await store.client.hset(KEYS.event(ticket.event_id), mapping={"topic": "orders/paid"})
        if status:
            await store.client.hset(KEYS.event(ticket.event_id), mapping={"status": status})

    @on_every_store
    async def test_a_later_event_waits_behind_an_earlier_one_and_is_told_which(self, kind: str, tmp_path: Path) -> None:
        async with running_store(kind, tmp_path) as store:
            claims = claims_of(store)
            await self.known(store, self.first)
            await self.known(store, self.second)
            assert (await take(claims, self.first)).state is ClaimState.NEW

            answer = await take(claims, self.second)

            assert (answer.state, answer.event_id) == (ClaimState.BEHIND, "webhook:first")
            assert await claims.look(RULE, "order:2") is None
            await claims.sent(self.first, "m_1", NOW)
            assert (await take(claims, self.second)).state is ClaimState.NEW

    @on_every_store
    @pytest.mark.parametrize("status", ["deferred", "held"])
    async def test_an_earlier_event_that_waits_keeps_its_place(self, kind: str, tmp_path: Path, status: str) -> None:
        async with running_store(kind, tmp_path) as store:
            claims = claims_of(store)
            await take(claims, self.first)
            await claims.free(self.first, NOW)
            await self.known(store, self.first, status)
            await self.known(store, self.second)

            assert (await take(claims, self.second)).state is ClaimState.BEHIND

    @on_every_store
    @pytest.mark.parametrize("status", ["done", "skipped", "failed", None])
    async def test_nobody_waits_behind_an_event_that_has_ended_or_is_gone(
        self, kind: str, tmp_path: Path, status: str | None
    ) -> None:
        async with running_store(kind, tmp_path) as store:
            claims = claims_of(store)
            await take(claims, self.first)
            await claims.free(self.first, NOW)
            if status is None:
                await store.client.delete(KEYS.event(self.first.event_id))
            else:
                await self.known(store, self.first, status)

            assert (await take(claims, self.second)).state is ClaimState.NEW

    @on_every_store
    async def test_an_event_in_its_first_attempt_is_waited_for(self, kind: str, tmp_path: Path) -> None:
        """Until that ends nothing is known of it but its place in the line."""
        async with running_store(kind, tmp_path) as store:
            claims = claims_of(store)
            await claims.join(PSID, self.first.event_id, self.first.received_at)

            assert (await take(claims, self.second)).state is ClaimState.BEHIND
            life_ms = await store.client.pttl(KEYS.event(self.first.event_id))
            assert 0 < life_ms <= LINE_TTL_SECONDS * 1000

    @on_every_store
    async def test_what_counts_is_when_an_event_arrived_and_not_who_asked_first(
        self, kind: str, tmp_path: Path
    ) -> None:
        async with running_store(kind, tmp_path) as store:
            claims = claims_of(store)
            third = a_ticket("third", arrival=3, subject="order:3", in_line=True)
            for ticket in (self.first, self.second, third):
                await self.known(store, ticket)
            await take(claims, self.second)

            # An earlier one that comes late is not held up by a later one that waits for its answer.
            assert (await take(claims, self.first)).state is ClaimState.NEW
            assert (await take(claims, third)).event_id == "webhook:first"

    @on_every_store
    async def test_answers_and_other_shoppers_do_not_wait(self, kind: str, tmp_path: Path) -> None:
        async with running_store(kind, tmp_path) as store:
            claims = claims_of(store)
            await self.known(store, self.first)
            await take(claims, self.first)
            answer = replace(self.second, in_line=False)
            other = a_ticket("other", arrival=9, subject="order:9", in_line=True, psid="2")

            assert (await take(claims, answer)).state is ClaimState.NEW
            assert (await take(claims, other)).state is ClaimState.NEW

    @on_every_store
    async def test_the_line_does_not_outlive_those_who_can_wait_in_it(self, kind: str, tmp_path: Path) -> None:
        async with running_store(kind, tmp_path) as store:
            await take(claims_of(store), self.first)

            assert 0 < await store.client.pttl(KEYS.line(PSID)) <= LINE_TTL_SECONDS * 1000


class TestTheLimit:
    """At most so many messages of a purpose per shopper and period; decided together with the claim."""

    @on_every_store
    async def test_what_is_over_the_limit_is_told_when_it_may_come_again(self, kind: str, tmp_path: Path) -> None:
        async with running_store(kind, tmp_path) as store:
            claims = claims_of(store)
            first, second = (a_ticket(f"t{n}", subject=f"order:{n}", allowance=ONE_A_DAY) for n in (1, 2))
            await take(claims, first)

            answer = await take(claims, second, LATER)

            assert (answer.state, answer.at) == (ClaimState.LIMITED, NOW + timedelta(days=1))
            assert await claims.look(RULE, "order:2") is None
            before_ms = NOW + timedelta(days=1)
            assert (await take(claims, second, before_ms)).state is ClaimState.LIMITED
            assert (await take(claims, second, before_ms + timedelta(milliseconds=1))).state is ClaimState.NEW

    @on_every_store
    @pytest.mark.parametrize(("verdict", "then"), [("free", "new"), ("sent", "limited"), ("doubt", "limited")])
    async def test_only_what_was_surely_not_sent_is_given_back(
        self, kind: str, tmp_path: Path, verdict: str, then: str
    ) -> None:
        async with running_store(kind, tmp_path) as store:
            claims = claims_of(store)
            first, second = (a_ticket(f"t{n}", subject=f"order:{n}", allowance=ONE_A_DAY) for n in (1, 2))
            await take(claims, first)
            await conclude(claims, verdict, first)

            assert (await take(claims, second, LATER)).state == then

    @on_every_store
    async def test_who_frees_a_claim_need_not_know_that_it_counts(self, kind: str, tmp_path: Path) -> None:
        """A person's word frees it, or an attempt that finds the window open meanwhile."""
        async with running_store(kind, tmp_path) as store:
            claims = claims_of(store)
            first, second = (a_ticket(f"t{n}", subject=f"order:{n}", allowance=ONE_A_DAY) for n in (1, 2))
            await take(claims, first)
            await claims.doubt(first, NOW)
            await claims.free(replace(first, allowance=None, psid=""), NOW)

            assert (await take(claims, second, LATER)).state is ClaimState.NEW

    @on_every_store
    async def test_what_was_claimed_without_a_limit_may_count_later(self, kind: str, tmp_path: Path) -> None:
        async with running_store(kind, tmp_path) as store:
            claims = claims_of(store)
            first, second = (a_ticket(f"t{n}", subject=f"order:{n}") for n in (1, 2))
            for ticket in (first, second):
                await take(claims, ticket)

            # An answer that is lost has the client ask again.
            assert [await claims.count(first, ONE_A_DAY, NOW) for _ in range(2)] == [None, None]
            assert await claims.count(second, ONE_A_DAY, LATER) == NOW + timedelta(days=1)
            await claims.free(first, LATER)
            assert await claims.count(first, ONE_A_DAY, LATER) == LATER  # it is nobody's claim any more
            assert await claims.count(second, ONE_A_DAY, LATER) is None

    @on_every_store
    @pytest.mark.parametrize("by_echo", [True, False])
    async def test_a_claim_that_is_settled_does_not_name_the_shopper(
        self, kind: str, tmp_path: Path, *, by_echo: bool
    ) -> None:
        async with running_store(kind, tmp_path) as store:
            claims, ticket = claims_of(store), a_ticket("mine", allowance=ONE_A_DAY)
            await take(claims, ticket)
            if by_echo:
                await Echoes(store.client, KEYS).arrived(f"{RULE}:{SUBJECT}", "mine", "m_1", LATER)
            else:
                await claims.sent(ticket, "m_1", LATER)
            kept: Any = await store.client.hgetall(KEYS.claim(RULE, SUBJECT))

            assert not any(PSID.encode() in value for value in kept.values())

    @on_every_store
    async def test_the_same_send_asked_for_again_counts_once(self, kind: str, tmp_path: Path) -> None:
        async with running_store(kind, tmp_path) as store:
            claims, two = claims_of(store), replace(ONE_A_DAY, count=2)
            first, second = (a_ticket(f"t{n}", subject=f"order:{n}", allowance=two) for n in (1, 2))
            for _ in range(3):
                assert (await take(claims, first)).state is ClaimState.NEW

            assert (await take(claims, second)).state is ClaimState.NEW

    @on_every_store
    async def test_another_purpose_and_another_shopper_have_limits_of_their_own(
        self, kind: str, tmp_path: Path
    ) -> None:
        async with running_store(kind, tmp_path) as store:
            claims = claims_of(store)
            await take(claims, a_ticket("t1", subject="order:1", allowance=ONE_A_DAY))
            shipping = replace(ONE_A_DAY, purpose="shipping_update")

            for ticket in (
                a_ticket("t2", subject="order:2", allowance=shipping),
                a_ticket("t3", subject="order:3", allowance=ONE_A_DAY, psid="2"),
                a_ticket("t4", subject="order:4"),
            ):
                assert (await take(claims, ticket)).state is ClaimState.NEW

    @on_every_store
    async def test_of_many_at_once_no_more_than_the_limit_get_through(self, kind: str, tmp_path: Path) -> None:
        three = replace(ONE_A_DAY, count=3)
        async with running_store(kind, tmp_path) as store:
            processes = [Claims(store.another(), KEYS, line_ttl_seconds=LINE_TTL_SECONDS) for _ in range(4)]
            tickets = [a_ticket(f"t{n}", subject=f"order:{n}", allowance=three) for n in range(40)]

            answers = await asyncio.gather(*(take(processes[n % 4], t) for n, t in enumerate(tickets)))

            assert Counter(answer.state for answer in answers) == {ClaimState.NEW: 3, ClaimState.LIMITED: 37}

    @pytest.mark.parametrize(("keeps_place", "next_one"), [(False, ClaimState.NEW), (True, ClaimState.BEHIND)])
    @on_every_store
    async def test_a_message_that_is_held_for_the_limit_holds_up_nobody_but_for_another_one_of_its_event(
        self, kind: str, tmp_path: Path, next_one: ClaimState, *, keeps_place: bool
    ) -> None:
        async with running_store(kind, tmp_path) as store:
            claims = claims_of(store)
            await take(claims, a_ticket("t0", subject="order:0", allowance=ONE_A_DAY))
            limited = a_ticket("t1", subject="order:1", arrival=1, in_line=True, allowance=ONE_A_DAY)
            await store.client.hset(KEYS.event(limited.event_id), mapping={"topic": "orders/paid"})
            assert (await take(claims, replace(limited, keeps_place=keeps_place))).state is ClaimState.LIMITED

            free = a_ticket("t2", subject="order:2", arrival=2, in_line=True)
            assert (await take(claims, free)).state is next_one
