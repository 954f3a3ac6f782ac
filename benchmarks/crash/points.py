"""Where a process can be killed: the named points of an order's way through the host."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """What is killed."""

    WORKER = "worker process"
    HOST = "whole host"
    STORE = "store"


class When(StrEnum):
    """When, seen from a command of the host to its store."""

    BEFORE = "before"
    """The command has not reached the store."""
    UNANSWERED = "unanswered"
    """The store has carried it out; the host has not been told."""
    AFTER = "after"
    """The host has just been told."""


class Call(StrEnum):
    """When, seen from the call to Messenger."""

    REFUSED = "refused"
    """The request has arrived and is not carried out."""
    CARRIED = "carried"
    """The shopper has the message; the answer is not written."""
    ANSWERED = "answered"
    """The answer was just written."""


@dataclass(frozen=True, slots=True)
class Point:
    """One named point. One of `script` and `call` is set; neither is a random moment."""

    name: str
    script: str | None = None
    """The Lua script of the store by whose command it is recognised."""
    when: When | None = None
    call: Call | None = None


POINTS = (
    Point("a random moment"),
    Point("webhook: not stored yet", "add", When.BEFORE),
    Point("webhook: stored, not answered", "add", When.UNANSWERED),
    Point("claim: not made yet", "claim", When.BEFORE),
    Point("claim: made, not known", "claim", When.UNANSWERED),
    Point("before the call", "claim", When.AFTER),
    Point("call written, not carried out", call=Call.REFUSED),
    Point("call written, carried out", call=Call.CARRIED),
    Point("answer received", call=Call.ANSWERED),
    Point("answer known, not recorded", "conclude", When.BEFORE),
    Point("recorded, not known", "conclude", When.UNANSWERED),
    Point("recorded", "conclude", When.AFTER),
    Point("not acknowledged yet", "settle", When.BEFORE),
    Point("acknowledged, not known", "settle", When.UNANSWERED),
    Point("acknowledged", "settle", When.AFTER),
)


def targets_of(point: Point) -> tuple[Target, ...]:
    """Say what can be killed at a point; a call that is not carried out needs a caller who is gone."""
    if point.call is Call.REFUSED:
        return (Target.WORKER, Target.HOST)
    return tuple(Target)
