"""What became of a step, a rule or a whole event."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from shopbot.model.base import Value
from shopbot.model.reason import Reason


class Status(StrEnum):
    """How a step or an event ended."""

    DONE = "done"
    """The work is done and is not repeated."""
    SKIPPED = "skipped"
    """There was nothing to do, for a stated reason."""
    DEFERRED = "deferred"
    """To be tried again later."""
    HELD = "held"
    """Waits for something other than time: the echo of a send in doubt, a channel that is down."""
    FAILED = "failed"
    """Given up; the event becomes a dead letter."""


class Outcome(Value):
    """One step's result: a status, why, and what a person reading the journal wants to know."""

    status: Status
    reason: Reason | None = None
    detail: str = ""
    plugin: str = ""
    """The plugin that did the work, by its place in shopbot.yaml: `resolvers[0]:note_attributes`."""
    retry_after_seconds: float | None = None
    """With DEFERRED: the shortest wait before the next attempt; None leaves it to the retry settings. With HELD:
    the time until the deadline."""

    @classmethod
    def done(cls, detail: str = "", *, plugin: str = "") -> "Outcome":
        """Say that the step did its work."""
        return cls(status=Status.DONE, detail=detail, plugin=plugin)

    @classmethod
    def skipped(cls, reason: Reason, detail: str = "", *, plugin: str = "") -> "Outcome":
        """Say that there was nothing to do, and why."""
        return cls(status=Status.SKIPPED, reason=reason, detail=detail, plugin=plugin)

    @classmethod
    def deferred(
        cls, reason: Reason, detail: str = "", *, plugin: str = "", retry_after_seconds: float | None = None
    ) -> "Outcome":
        """Ask for another attempt later."""
        return cls(
            status=Status.DEFERRED,
            reason=reason,
            detail=detail,
            plugin=plugin,
            retry_after_seconds=retry_after_seconds,
        )

    @classmethod
    def held(
        cls, reason: Reason, detail: str = "", *, plugin: str = "", deadline_seconds: float | None = None
    ) -> "Outcome":
        """Park the event until something other than time frees it, or until the deadline."""
        return cls(
            status=Status.HELD,
            reason=reason,
            detail=detail,
            plugin=plugin,
            retry_after_seconds=deadline_seconds,
        )

    @classmethod
    def failed(cls, reason: Reason, detail: str = "", *, plugin: str = "") -> "Outcome":
        """Give up: the event becomes a dead letter."""
        return cls(status=Status.FAILED, reason=reason, detail=detail, plugin=plugin)


class JournalEntry(Value):
    """One line of an event's journal."""

    at: datetime
    attempt: int = Field(ge=1)
    rule: str
    """Empty for lines that concern the event as a whole."""
    step: str
    """The step as the rule names it, with its place: `2:clear_cart`; empty for the rule as a whole."""
    status: Status
    reason: Reason | None = None
    detail: str = ""
    plugin: str = ""
    milliseconds: float = 0.0
    """How long the step took."""
