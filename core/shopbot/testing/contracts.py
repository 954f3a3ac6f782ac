"""Tests that every plugin must pass, to be used by whoever writes one.

    from shopbot.testing.contracts import PSID, ResolverContract
    from shopbot.testing.orders import paid_order

    class TestNoteAttributes(ResolverContract):
        module = note_attributes
        settings = {"key": "psid"}
        order = paid_order(psid=PSID)

        async def test_an_empty_attribute_is_not_a_user(self) -> None:
            async with self.running() as running:
                assert await self.resolve(running, paid_order(psid=" ")) is None

A contract is a plain class: pytest runs the tests that a subclass inherits, beside those that it adds. Each starts a
fresh instance behind the host's own facade, so that hook names, arguments, answers and time limits are held against the
hookspecs, in a small world: a store in memory (override `open_store` for a real one), a directory, a log that is kept
and searched for secrets and whole PSIDs. What else the plugin talks to is brought up in `surroundings`.

The tests are `async def` where they must wait. shopbot's pytest plugin runs them, or pytest-asyncio where you use its
`asyncio_mode = auto`. For a drop-in file, `drop_in = "../plugins.d/mine.py"` stands in the place of `module`.

They need what `pip install "shopbot[testing]"` brings.
"""

from __future__ import annotations

import pytest

# Before they are imported: it makes pytest show the values of a failed assert in these modules, as it does in tests.
pytest.register_assert_rewrite(
    *(
        f"shopbot.testing.contract_{name}"
        for name in (
            "base",
            "checkouts",
            "erasers",
            "events",
            "examinations",
            "messages",
            "orders",
            "polls",
            "requests",
        )
    )
)

# ruff: noqa: E402 - see above
from shopbot.testing.contract_base import PSID, SHOP, PluginContract, RecordingLog, Running
from shopbot.testing.contract_checkouts import CheckoutContract
from shopbot.testing.contract_erasers import EraserContract, a_person
from shopbot.testing.contract_events import FiltersContract, ObserverContract, a_finished_run
from shopbot.testing.contract_examinations import DiagnosisContract, an_examination
from shopbot.testing.contract_messages import SenderContract, a_message
from shopbot.testing.contract_orders import (
    KINDS_OF_ORDER,
    ORDERED_AT,
    CartContract,
    ResolverContract,
    StepContract,
    an_event,
)
from shopbot.testing.contract_polls import PollerContract, changed_order
from shopbot.testing.contract_requests import VerifierContract

__all__ = [
    "KINDS_OF_ORDER",
    "ORDERED_AT",
    "PSID",
    "SHOP",
    "CartContract",
    "CheckoutContract",
    "DiagnosisContract",
    "EraserContract",
    "FiltersContract",
    "ObserverContract",
    "PluginContract",
    "PollerContract",
    "RecordingLog",
    "ResolverContract",
    "Running",
    "SenderContract",
    "StepContract",
    "VerifierContract",
    "a_finished_run",
    "a_message",
    "a_person",
    "an_event",
    "an_examination",
    "changed_order",
]
