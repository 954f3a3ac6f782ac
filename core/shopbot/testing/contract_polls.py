"""The contract of pollers: plugins that find orders whose webhook was lost."""

# ruff: noqa: S101, D102 - tests for integrators to inherit: made of assert, and their names are sentences
from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from shopbot.plugin import Order, PolledOrder
from shopbot.testing.contract_base import PSID, PluginContract, Running
from shopbot.testing.contract_orders import ORDERED_AT
from shopbot.testing.orders import paid_order


class PollerContract(PluginContract):
    """What every plugin under `pollers:` must pass."""

    section = "pollers"
    hook = "poll_orders"
    of_the_host = (*PluginContract.of_the_host, "every", "overlap")
    many = 120
    """More orders than come on one page."""

    async def change(self, body: Mapping[str, Any]) -> None:
        """Let the platform have this order (the body of its webhook), last changed when its `updated_at` says."""
        raise NotImplementedError

    async def poll(self, running: Running, since: datetime = ORDERED_AT) -> Sequence[PolledOrder]:
        """Ask the plugin for everything that was changed since."""
        async with contextlib.aclosing(running.hooks.pollers[0](since)) as stream:
            return [order async for order in stream]

    async def test_where_nothing_was_changed_it_gives_nothing(self) -> None:
        async with self.running() as running:
            assert await self.poll(running) == []

    async def test_it_gives_every_changed_order_the_oldest_change_first(self) -> None:
        """Where a poll breaks off, the next one goes on from the last change that was seen."""
        async with self.running() as running:
            for number in reversed(range(self.many)):
                await self.change(changed_order(number))
            polled = await self.poll(running)

        assert list(dict.fromkeys(order.order_id for order in polled)) == list(range(1, self.many + 1))
        assert [order.updated_at for order in polled] == sorted(order.updated_at for order in polled)

    async def test_an_order_that_was_changed_at_that_very_moment_is_given_and_an_earlier_one_is_not(self) -> None:
        async with self.running() as running:
            for number in range(3):
                await self.change(changed_order(number))
            polled = await self.poll(running, ORDERED_AT + timedelta(seconds=1))

        assert [order.order_id for order in polled] == [2, 3]

    async def test_an_order_comes_as_its_webhook_would_have_brought_it(self) -> None:
        body = changed_order(0, psid=PSID, lines=[("Mug", "19.25", 2)])
        async with self.running() as running:
            await self.change(body)
            polled = Order.from_payload(json.loads((await self.poll(running))[0].body))

        told = Order.from_payload(body)
        assert polled.id == told.id
        assert polled.name == told.name
        assert polled.financial_status == told.financial_status == "paid"
        assert polled.total == told.total
        assert polled.created_at == told.created_at
        assert (polled.cancelled, polled.test) == (told.cancelled, told.test)
        assert {(one.name, one.value) for one in (*polled.note_attributes, *polled.attributes)} == {("psid", PSID)}

    async def test_the_same_state_is_the_same_arrival_and_a_change_is_another(self) -> None:
        body = changed_order(0)
        async with self.running() as running:
            await self.change(body)
            first, second = [(await self.poll(running))[0].event_id for _ in range(2)]
            await self.change(changed_order(0, updated_at=ORDERED_AT + timedelta(minutes=1)))
            third = (await self.poll(running))[0].event_id

        assert first == second != third

    async def test_polls_at_the_same_time_give_the_same(self) -> None:
        async with self.running() as running:
            for number in range(5):
                await self.change(changed_order(number))
            answers = await asyncio.gather(*(self.poll(running) for _ in range(5)))

        assert all(answer == answers[0] for answer in answers)

    async def test_a_poll_that_is_broken_off_leaves_the_next_one_whole(self) -> None:
        async with self.running() as running:
            for number in range(3):
                await self.change(changed_order(number))
            async with contextlib.aclosing(running.hooks.pollers[0](ORDERED_AT)) as stream:
                await anext(stream)

            assert len(await self.poll(running)) == 3  # noqa: PLR2004 - the three above


def changed_order(number: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - see order_body
    """Make a paid order, changed *number* seconds after the contracts' orders were made."""
    defaults: dict[str, Any] = {
        "order_id": number + 1,
        "number": 1001 + number,
        "created_at": ORDERED_AT - timedelta(minutes=1),
        "updated_at": ORDERED_AT + timedelta(seconds=number),
    }
    return paid_order(**(defaults | changes))
