"""The steps that answer a shopper: which of their orders they ask for, and whether they want messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shopbot.model.event import Event, Source
from shopbot.model.outcome import Outcome, Status
from shopbot.model.reason import Reason
from shopbot.model.shared_keys import SharedKeys
from shopbot.rules.attempt import Attempt
from shopbot.rules.news import read_news
from shopbot.rules.rule import Filters, Rule, Step
from shopbot.rules.talk import Talk
from shopbot.store.conversations import Conversations
from shopbot.store.references import References
from shopbot.testing.orders import order_bytes, paid_order
from support.store_parts import KEYS, NOW
from support.stores import running_store

PSID, ANOTHER = "7312345678901234", "7398765432109876"
STEP = Step("1:find_orders", "find_orders")
RULE = Rule(
    name="order_status",
    topics=frozenset({"messenger/message"}),
    steps=(STEP,),
    filters=Filters(payloads=("ORDER_STATUS",)),
)


@dataclass
class Desk:
    """The steps and what their shop's store holds."""

    talk: Talk
    references: References
    conversations: Conversations

    async def ordered(self, order_id: int, name: str, *, psid: str = PSID, minutes: float = 0.0) -> None:
        """Keep an order of a shopper.

        minutes: how long after the others it was made.
        """
        created_at = (NOW + timedelta(minutes=minutes)).isoformat()
        order = read_news("orders/paid", paid_order(order_id=order_id) | {"name": name, "created_at": created_at}).order
        assert order is not None
        await self.references.save(order, psid)

    async def asked(self, text: str | None = None, *, tapped: str | None = None) -> tuple[list[str], Outcome]:
        """Run `find_orders` for what a shopper wrote or tapped; gives the numbers of the orders that it found."""
        message = {"text": text, "quick_reply": {"payload": tapped}}
        attempt = an_act(message)
        attempt.psid = attempt.sender
        [outcome] = await self.talk.find_orders(attempt, RULE, STEP)
        return [order.number for order in attempt.orders], outcome


@asynccontextmanager
async def a_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with running_store("embedded", tmp_path) as store:
        references = References(store.client, KEYS, SharedKeys(), ttl_seconds=86_400.0)
        conversations = Conversations(store.client, KEYS)
        yield Desk(Talk(references, conversations), references, conversations)


def an_act(message: Mapping[str, object], *, psid: str = PSID, at: datetime = NOW) -> Attempt:
    topic, body = "messenger/message", {"sender": {"id": psid}, "message": message}
    event = Event(id="messenger:m_1", topic=topic, source=Source.WEBHOOK, received_at=at, body=order_bytes(body))
    return Attempt(event=event, number=1, earlier=(), clock=lambda: NOW, news=read_news(topic, body))


class TestFindOrders:
    async def test_whoever_names_no_order_is_told_of_all_their_own_the_newest_first(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path) as desk:
            for number in range(14):
                await desk.ordered(1001 + number, f"#{1001 + number}", minutes=number)
            await desk.ordered(5001, "#5001", psid=ANOTHER, minutes=99)
            found, outcome = await desk.asked("Where's my order?")

        assert found == [f"#{1014 - place}" for place in range(13)]  # no more can be offered at a time
        assert (outcome.status, outcome.detail) == (Status.DONE, "13 found")

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("Where is #1234?", ["#1234"]),
            ("1234", ["#1234"]),
            ("#1234 or 77", ["A7-77/2", "#1234"]),
            ("and A7-77/2?", ["A7-77/2"]),
            ("order 12345", ["A7-77/2", "#1234", "Mug"]),
            ("the 2 mugs", ["A7-77/2", "#1234", "Mug"]),
            ("", ["A7-77/2", "#1234", "Mug"]),
            (None, ["A7-77/2", "#1234", "Mug"]),
        ],
    )
    async def test_an_order_is_named_by_the_whole_of_its_longest_number(
        self, tmp_path: Path, text: str | None, found: list[str]
    ) -> None:
        """And where none is, the shopper is told of all: better too much than nothing."""
        async with a_desk(tmp_path) as desk:
            for minutes, name in enumerate(("Mug", "#1234", "A7-77/2")):
                await desk.ordered(1001 + minutes, name, minutes=minutes)

            assert (await desk.asked(text))[0] == found

    @pytest.mark.parametrize(
        ("tapped", "found"),
        [
            ("ORDER_STATUS:1001", ["#1234"]),
            ("ORDER_STATUS:5001", []),
            ("ORDER_STATUS:9", []),
            ("ORDER_STATUS:#1234", []),
            ("ORDER_STATUS", ["#1235"]),
            ("ORDER_STATUS:", ["#1235"]),
        ],
    )
    async def test_an_order_that_is_tapped_is_found_if_it_is_their_own(
        self, tmp_path: Path, tapped: str, found: list[str]
    ) -> None:
        """Where the button names no order, its title may."""
        async with a_desk(tmp_path) as desk:
            await desk.ordered(1001, "#1234")
            await desk.ordered(1002, "#1235", minutes=1)
            await desk.ordered(5001, "#5001", psid=ANOTHER)
            orders, outcome = await desk.asked("Order #1235", tapped=tapped)

        assert (orders, outcome.detail) == (found, f"{len(found)} found")

    async def test_nobodys_orders_are_not_looked_for(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path) as desk:
            await desk.ordered(1001, "#1234")
            attempt = an_act({"text": "Where's my order?"})
            [outcome] = await desk.talk.find_orders(attempt, RULE, STEP)

        assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.PSID_NOT_FOUND)
        assert attempt.orders == ()


class TestMessagesWanted:
    async def test_the_last_word_by_the_time_it_was_said_counts(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path) as desk:
            for word, seconds, detail, opted_out in (
                ("opt_out", 10, "…1234", True),
                ("opt_in", 5, "they have said something else since", True),
                ("opt_in", 20, "…1234", False),
                ("opt_out", 15, "they have said something else since", False),
            ):
                attempt = an_act({"text": word}, at=NOW + timedelta(seconds=seconds))
                [outcome] = await getattr(desk.talk, word)(attempt, RULE, STEP)

                assert (outcome.status, outcome.detail) == (Status.DONE, detail)
                assert (await desk.conversations.standing(PSID)).opted_out is opted_out
            assert not (await desk.conversations.standing(ANOTHER)).opted_out

    @pytest.mark.parametrize("word", ["opt_out", "opt_in"])
    async def test_a_word_of_nobody_changes_nothing(self, tmp_path: Path, word: str) -> None:
        async with a_desk(tmp_path) as desk:
            [outcome] = await getattr(desk.talk, word)(an_act({"text": "stop"}, psid="nobody"), RULE, STEP)

        assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.NO_SHOPPER)
