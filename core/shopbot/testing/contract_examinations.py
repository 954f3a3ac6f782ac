"""The contract of plugins that `shopbot doctor` can ask: what they find helps, and gives nothing away."""

# ruff: noqa: S101, D102 - tests for integrators to inherit: made of assert, and their names are sentences
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

import pytest

from shopbot.config.fields import secret_texts
from shopbot.plugin import Examination, Finding, Level, Origin
from shopbot.testing.contract_base import PSID, PluginContract, Running

NOWHERE = "http://127.0.0.1:9"
"""An address where nobody listens."""


def an_examination(**changes: Any) -> Examination:  # noqa: ANN401 - any field of it
    """Make what a plugin is told for a shop with the usual rules."""
    fields: dict[str, Any] = {
        "today": date(2026, 11, 26),
        "topics": {
            Origin.SHOPIFY: frozenset({"orders/create", "orders/paid", "orders/updated"}),
            Origin.MESSENGER: frozenset(),
        },
        "taken": frozenset({Origin.SHOPIFY, Origin.MESSENGER}),
    }
    return Examination(**{**fields, **changes})


class DiagnosisContract(PluginContract):
    """What every plugin with a hook `diagnose` must pass.

    Beside the contract of its kind: `class TestMyCart(DiagnosisContract, CartContract)`.
    """

    unreachable: ClassVar[Mapping[str, Any] | None] = None
    """Settings with which the other side cannot be reached; None: the plugin talks to nobody."""

    async def examine(self, running: Running, **changes: Any) -> Sequence[Finding]:  # noqa: ANN401 - fields of it
        """Ask the plugin how the outside looks; *changes* are those to `an_examination`."""
        (hook,) = running.hooks.examined
        return [finding async for finding in hook(an_examination(**changes))]

    async def test_what_is_fine_is_said_and_nothing_else_found(self) -> None:
        """A doctor who is silent may not have looked; one who complains of the healthy is not listened to."""
        async with self.running() as running:
            findings = await self.examine(running)

        assert findings
        assert [finding.what for finding in findings if finding.level is not Level.OK] == []

    async def test_findings_repeat_no_secret_and_no_whole_psid(self) -> None:
        worlds: list[Mapping[str, Any]] = [{}, *([self.unreachable] if self.unreachable else [])]
        for settings in worlds:
            async with self.running(**settings) as running:
                findings = await self.examine(running)
            config = type(self.config())
            for text in (PSID, *secret_texts(config, {**self.settings, **settings})):
                assert text not in " ".join(map(repr, findings)), f"a secret or a whole PSID in a finding: {text}"

    async def test_an_other_side_that_cannot_be_reached_is_a_finding_and_no_fault(self) -> None:
        if self.unreachable is None:
            pytest.skip("talks to nobody")
        async with self.running(**self.unreachable) as running:
            findings = await self.examine(running)

        assert {finding.level for finding in findings} & {Level.WARNING, Level.PROBLEM}
