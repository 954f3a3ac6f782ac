"""Claims held against a model: any sequence of calls, by several events, on several orders, as time goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import uvloop
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from shopbot.store.claims import Allowance, Claim, Claims, ClaimState, Ticket
from support.store_parts import KEYS, NOW
from support.stores import OpenStore, on_every_store, running_store

R = TypeVar("R")

PERIOD_SECONDS = 3600.0
LIMIT = 2
ORDERS = st.sampled_from(["order:1", "order:2", "order:3"])
TOKENS = st.sampled_from(["a", "b", "c"])
LIMITED = st.booleans()


@dataclass
class Held:
    state: str
    token: str
    message_id: str = ""


@dataclass
class Model:
    """What claim.lua and conclude.lua promise, in Python."""

    claims: dict[str, Held] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    """Sends that count against the limit, by token and order, with their times in milliseconds."""

    def take(self, order: str, token: str, now: int, *, limited: bool) -> tuple[str, str, str]:
        held = self.claims.get(order)
        if held is not None:
            state = "new" if (held.state, held.token) == ("sending", token) else held.state
            return state, held.token, held.message_id
        if limited:
            self.counted = {send: at for send, at in self.counted.items() if at >= now - PERIOD_SECONDS * 1000}
            if len(self.counted) >= LIMIT:
                return "limited", "", ""
            self.counted[f"{token}@{order}"] = now
        self.claims[order] = Held("sending", token)
        return "new", token, ""

    def conclude(self, order: str, token: str, verdict: str) -> bool:
        held = self.claims.get(order)
        if held is None or held.token != token:
            return False
        if held.state == "sent":
            return verdict == "sent"
        if verdict == "free":
            del self.claims[order]
            self.counted.pop(f"{token}@{order}", None)
        else:
            held.state, held.message_id = verdict, f"m_{token}" if verdict == "sent" else ""
        return True


async def _empty(store: OpenStore) -> None:
    await store.client.flushall()


class ClaimsMachine(RuleBasedStateMachine):
    """Runs the same calls against the store and the model."""

    store: ClassVar[OpenStore]
    runner: ClassVar[asyncio.Runner]

    def __init__(self) -> None:
        super().__init__()
        self.run(_empty(self.store))
        self.claims = Claims(self.store.client, KEYS, line_ttl_seconds=600)
        self.model = Model()
        self.milliseconds = 0

    @classmethod
    def run(cls, work: Coroutine[Any, Any, R]) -> R:
        return cls.runner.run(work)

    def ticket(self, order: str, token: str, *, limited: bool) -> Ticket:
        return Ticket(
            rule="order_confirmation",
            subject=order,
            token=f"{token}@{order}",
            event_id=f"webhook:{token}",
            psid="1",
            received_at=NOW,
            in_line=False,
            allowance=Allowance("order_update", LIMIT, PERIOD_SECONDS) if limited else None,
        )

    @rule(milliseconds=st.sampled_from([1, 60_000, 1_800_000, 3_599_999]))
    def wait(self, milliseconds: int) -> None:
        self.milliseconds += milliseconds

    @rule(order=ORDERS, token=TOKENS, limited=LIMITED)
    def take(self, order: str, token: str, limited: bool) -> None:  # noqa: FBT001 - hypothesis names what it gives
        now = NOW + timedelta(milliseconds=self.milliseconds)
        expected = self.model.take(order, f"{token}@{order}", self.milliseconds, limited=limited)

        for _ in range(2):  # sent again after a lost answer
            claim = self.run(self.claims.take(self.ticket(order, token, limited=limited), now, ttl_seconds=1e6))
            assert (claim.state.value, claim.token, claim.message_id) == expected

    @rule(order=ORDERS, token=TOKENS, limited=LIMITED, verdict=st.sampled_from(["sent", "free", "in_doubt"]))
    def conclude(self, order: str, token: str, limited: bool, verdict: str) -> None:  # noqa: FBT001 - likewise
        now = NOW + timedelta(milliseconds=self.milliseconds)
        ticket = self.ticket(order, token, limited=limited)
        expected = self.model.conclude(order, ticket.token, verdict)

        match verdict:
            case "sent":
                done = self.run(self.claims.sent(ticket, f"m_{ticket.token}", now))
            case "free":
                done = self.run(self.claims.free(ticket, now))
            case _:
                done = self.run(self.claims.doubt(ticket, now))

        assert done is expected

    @rule(order=ORDERS)
    def look(self, order: str) -> None:
        claim: Claim | None = self.run(self.claims.look("order_confirmation", order))
        held = self.model.claims.get(order)
        if held is None:
            assert claim is None
        else:
            assert claim is not None
            assert (claim.state, claim.token) == (ClaimState(held.state), held.token)


@on_every_store
def test_any_sequence_of_calls_does_what_the_model_says(kind: str, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        opened = running_store(kind, tmp_path)
        store = runner.run(opened.__aenter__())
        try:
            machine = type("Machine", (ClaimsMachine,), {"store": store, "runner": runner})
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=60 if kind == "fakeredis" else 40,
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(opened.__aexit__(None, None, None))
