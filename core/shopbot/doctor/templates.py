"""Looks whether Messenger has approved the utility templates that messages need outside the window."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from shopbot.hooks import Hook
from shopbot.host.utility_templates import template_state
from shopbot.model.finding import Finding
from shopbot.model.template import TemplateDefinition, TemplateState, TemplateStatus

AREA = "templates"

_NOT_SENT = "outside the messaging window their messages cannot be sent"
_TO_DO = {
    TemplateStatus.PENDING: "wait, it takes minutes as a rule; shopbot templates status shows how they stand",
    TemplateStatus.REJECTED: "change the words as the reason says, give them a new name, and shopbot templates push",
    TemplateStatus.MISSING: "shopbot templates push submits those whose words stand in shopbot.yaml; others are made"
    " with Meta's own tools. Name and language must be the same, letter by letter",
    TemplateStatus.DIFFERENT: "give the template with the new words a new name and shopbot templates push, or let"
    " `parameters:` fit the one that was approved",
    TemplateStatus.UNKNOWN: "see the reason; run doctor again where it may pass",
}
_PASSING = frozenset({TemplateStatus.PENDING, TemplateStatus.UNKNOWN})


class TemplatesCheck:
    """The templates of one sender."""

    def __init__(
        self,
        manager: Hook[[TemplateDefinition, bool], TemplateState | None],
        definitions: Sequence[TemplateDefinition],
    ) -> None:
        self._manager = manager
        self._definitions = definitions

    async def look(self) -> AsyncGenerator[Finding, None]:
        """Say how the templates stand, those in one finding that stand alike."""
        states = await asyncio.gather(
            *(template_state(self._manager, definition, submit=False) for definition in self._definitions)
        )
        alike: dict[TemplateState, list[str]] = {}
        for definition, state in zip(self._definitions, states, strict=True):
            if state is not None:
                alike.setdefault(state, []).append(f"{definition.name} ({definition.language})")
        for state, names in alike.items():
            yield _finding(state, ", ".join(names))


def _finding(state: TemplateState, names: str) -> Finding:
    if state.status is TemplateStatus.APPROVED:
        return Finding.ok(f"approved: {names}", area=AREA)
    kind = Finding.warning if state.status in _PASSING else Finding.problem
    why = f": {state.reason}" if state.reason else ""
    return kind(f"{state.status}{why}: {names}", meaning=_NOT_SENT, to_do=_TO_DO[state.status], area=AREA)
