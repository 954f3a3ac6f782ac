"""The contract of plugins that keep something about people, and erase it where that is asked for."""

# ruff: noqa: S101, D102 - tests for integrators to inherit: made of assert, and their names are sentences
from __future__ import annotations

from typing import Any

import pytest

from shopbot.plugin import PersonToErase
from shopbot.testing.contract_base import PSID, PluginContract, Running

EMAIL = "jane.doe@shop.example"


def a_person(**changes: Any) -> PersonToErase:  # noqa: ANN401 - any field of it
    """Make somebody of whom the host knows everything that it can know."""
    fields: dict[str, Any] = {
        "psids": frozenset({PSID}),
        "order_ids": frozenset({830517264905318211}),
        "event_ids": frozenset({"webhook:5a1f"}),
        "customer_id": 8_213_394_137_153,
        "email": EMAIL,
    }
    return PersonToErase(**{**fields, **changes})


ANOTHER_PERSON = a_person(
    psids=frozenset({"7312345678905678"}),
    order_ids=frozenset({830517264905399999}),
    event_ids=frozenset({"webhook:77c0"}),
    customer_id=8_213_394_199_999,
    email="john.roe@shop.example",
)


class EraserContract(PluginContract):
    """What every plugin with a hook `erase_person` must pass.

    By itself, or beside the contract of another kind: `class TestMyLog(EraserContract, ObserverContract)`.
    """

    section = "plugins"
    hook = "erase_person"

    async def keep(self, running: Running, person: PersonToErase) -> None:
        """Bring it about that something is kept about a person, and about each of their orders."""
        raise NotImplementedError

    async def is_kept(self, running: Running, person: PersonToErase) -> bool:
        """Say whether anything is kept about a person."""
        raise NotImplementedError

    async def erase(self, running: Running, person: PersonToErase) -> None:
        """Ask the plugin to erase a person."""
        (hook,) = running.hooks.erasers
        await hook(person)

    async def test_a_person_is_erased_and_nobody_else(self) -> None:
        async with self.running() as running:
            for person in (a_person(), ANOTHER_PERSON):
                await self.keep(running, person)
                assert await self.is_kept(running, person), "keep() kept nothing: this test would prove nothing"

            await self.erase(running, a_person())

            assert not await self.is_kept(running, a_person())
            assert await self.is_kept(running, ANOTHER_PERSON)

    async def test_everyone_is_erased_with_the_shop(self) -> None:
        async with self.running() as running:
            for person in (a_person(), ANOTHER_PERSON):
                await self.keep(running, person)

            await self.erase(running, PersonToErase(everyone=True))

            assert not await self.is_kept(running, a_person())
            assert not await self.is_kept(running, ANOTHER_PERSON)

    async def test_it_may_be_asked_again(self) -> None:
        """After a crash, or where another plugin failed."""
        async with self.running() as running:
            await self.keep(running, a_person())
            for _ in range(2):
                await self.erase(running, a_person())
            for _ in range(2):
                await self.erase(running, PersonToErase(everyone=True))

            assert not await self.is_kept(running, a_person())

    @pytest.mark.parametrize(
        "unknown",
        [
            {"psids": frozenset()},
            {"order_ids": frozenset(), "event_ids": frozenset()},
            {"customer_id": None, "email": None},
            {"psids": frozenset(), "order_ids": frozenset(), "event_ids": frozenset()},
            {"psids": frozenset(), "order_ids": frozenset(), "event_ids": frozenset(), "customer_id": None},
        ],
        ids=["no shopper", "no order", "no customer", "only a customer", "only an email"],
    )
    async def test_a_person_of_whom_less_is_known_is_no_fault(self, unknown: dict[str, Any]) -> None:
        async with self.running() as running:
            await self.keep(running, ANOTHER_PERSON)

            await self.erase(running, a_person(**unknown))

            assert await self.is_kept(running, ANOTHER_PERSON)

    async def test_nobody_is_left_in_the_log(self) -> None:
        async with self.running() as running:
            await self.keep(running, a_person())
            await self.erase(running, a_person())

            assert EMAIL not in repr(running.log.lines)
