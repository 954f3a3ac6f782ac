"""How utility templates stand with the platform, as the doctor tells it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from shopbot.doctor.templates import TemplatesCheck
from shopbot.model.finding import Finding, Level
from shopbot.model.template import TemplateDefinition, TemplateState, TemplateStatus
from shopbot.plugin import OutboundMessage, Retry, hookimpl
from support.hook_plugins import entries


class Sender:
    """Knows templates by their names."""

    def __init__(self, states: Mapping[str, TemplateState]) -> None:
        self._states = states

    @hookimpl
    async def send_message(self, message: OutboundMessage) -> None: ...

    @hookimpl
    async def manage_template(self, template: TemplateDefinition, submit: bool) -> TemplateState | None:  # noqa: FBT001
        assert not submit
        if template.name == "later":
            raise Retry("the service is temporarily unavailable")
        return self._states.get(template.name)


async def findings(states: Mapping[str, TemplateState], *names: str) -> list[Finding]:
    (manager,) = entries("senders", Sender(states)).template_managers
    definitions = [TemplateDefinition(name=name, language="en", body="") for name in names or states]
    return [one async for one in TemplatesCheck(manager, definitions).look()]


@pytest.mark.parametrize(
    ("status", "level", "to_do"),
    [
        (TemplateStatus.APPROVED, Level.OK, ""),
        (TemplateStatus.PENDING, Level.WARNING, "wait"),
        (TemplateStatus.REJECTED, Level.PROBLEM, "change the words as the reason says"),
        (TemplateStatus.MISSING, Level.PROBLEM, "shopbot templates push"),
        (TemplateStatus.DIFFERENT, Level.PROBLEM, "a new name"),
        (TemplateStatus.UNKNOWN, Level.WARNING, "see the reason"),
    ],
)
async def test_each_state_has_its_own_advice(status: TemplateStatus, level: Level, to_do: str) -> None:
    (finding,) = await findings({"shipped": TemplateState(status=status, reason="" if level is Level.OK else "Why.")})

    assert finding.level is level
    assert finding.what == ("approved: shipped (en)" if level is Level.OK else f"{status}: Why.: shipped (en)")
    assert to_do in finding.to_do


async def test_templates_that_stand_alike_are_told_together() -> None:
    approved = TemplateState(status=TemplateStatus.APPROVED)
    pending = TemplateState(status=TemplateStatus.PENDING)

    found = await findings({"confirmed": approved, "shipped": pending, "delivered": approved})

    assert [one.what for one in found] == ["approved: confirmed (en), delivered (en)", "pending: shipped (en)"]


async def test_a_sender_that_cannot_say_now_is_no_fault_and_one_that_knows_nothing_says_nothing() -> None:
    (finding,) = await findings({}, "later", "foreign")

    assert finding.level is Level.WARNING
    assert finding.what == "unknown: the service is temporarily unavailable: later (en)"
