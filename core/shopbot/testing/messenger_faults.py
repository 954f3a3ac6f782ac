"""Faults that the Messenger simulator plays: each stands for something that happens on the way to Meta."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Literal

from shopbot.testing.graph_errors import GraphError, graph_error

FaultKind = Literal["error", "http", "malformed", "truncated", "hang", "reset", "drop"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a request to `/messages` instead of, or besides, the usual answer.

    Make one with the class methods below, narrow it with `to` and `repeated`, and hand it to
    `MessengerSimulator.inject`.

    kind: error (a Graph error), http (a bare HTTP status), malformed (not JSON), truncated (the connection
        ends inside the body), hang (no answer for a time), reset (TCP reset), drop (connection closed without
        an answer).
    accepted: True if the message is handled as usual first, so that the shopper gets it if it is valid.
    times: how many requests it applies to; None until it is cleared.
    psid: None applies to every request, else only to those that address this shopper.
    """

    kind: FaultKind
    accepted: bool = False
    times: int | None = 1
    psid: str | None = None
    graph_error: GraphError | None = None
    status: int = 500
    retry_after_seconds: int | None = None
    regain_access_minutes: int | None = None
    seconds: float = 0.0

    @classmethod
    def error(
        cls,
        code: int,
        subcode: int | None = None,
        *,
        is_transient: bool | None = None,
        regain_access_minutes: int | None = None,
        retry_after_seconds: int | None = None,
        status: int | None = None,
        message: str | None = None,
    ) -> Fault:
        """Refuse with Graph error *code*; None keeps what Meta usually sends with it.

        status: 200 is allowed too; an `error` object inside a 200 has been reported.
        regain_access_minutes: comes as `estimated_time_to_regain_access` in X-Business-Use-Case-Usage.
        """
        error = graph_error(code, subcode, is_transient=is_transient, status=status, message=message)
        return cls(
            "error",
            graph_error=error,
            status=error.status,
            regain_access_minutes=regain_access_minutes,
            retry_after_seconds=retry_after_seconds,
        )

    @classmethod
    def http(cls, status: int, *, retry_after_seconds: int | None = None, accepted: bool = False) -> Fault:
        """Answer *status* with an HTML page, as a proxy in front of Meta does.

        accepted: True for the nasty case: the message was delivered, and the answer is an error all the same.
        """
        return cls("http", status=status, retry_after_seconds=retry_after_seconds, accepted=accepted)

    @classmethod
    def malformed(cls, *, accepted: bool = True) -> Fault:
        """Answer 200 with a body that is not JSON."""
        return cls("malformed", status=200, accepted=accepted)

    @classmethod
    def truncated(cls, *, accepted: bool = True) -> Fault:
        """Answer 200 and close the connection in the middle of the body."""
        return cls("truncated", status=200, accepted=accepted)

    @classmethod
    def hang(cls, seconds: float, *, accepted: bool = False) -> Fault:
        """Keep silent for *seconds*, then answer as usual.

        accepted: False handles the request only after the wait, so a client that gives up earlier has sent
            nothing; True delivers first, so a client that gives up has sent it without knowing.
        """
        return cls("hang", seconds=seconds, accepted=accepted)

    @classmethod
    def reset(cls) -> Fault:
        """Reset the TCP connection before the request is handled: nothing is delivered."""
        return cls("reset")

    @classmethod
    def accept_then_drop(cls) -> Fault:
        """Deliver the message, then close the connection without an answer."""
        return cls("drop", accepted=True)

    def to(self, psid: str) -> Fault:
        """Give the same fault for messages to *psid* only."""
        return replace(self, psid=psid)

    def repeated(self, times: int | None) -> Fault:
        """Give the same fault for *times* requests; None: until it is cleared."""
        return replace(self, times=times)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Fault:
        """Read a fault as `POST /_simulator/faults` takes it.

        `{"fault": "error", "code": 4, "times": 3, "psid": "…"}`: the name of a class method above, its
        arguments by name, and optionally `times` and `psid`.

        Raises TypeError or ValueError, with a message for the caller.
        """
        arguments = dict(value)
        name = arguments.pop("fault", None)
        times = arguments.pop("times", 1)
        psid = arguments.pop("psid", None)
        makers = {
            "error": cls.error,
            "http": cls.http,
            "malformed": cls.malformed,
            "truncated": cls.truncated,
            "hang": cls.hang,
            "reset": cls.reset,
            "accept_then_drop": cls.accept_then_drop,
        }
        if name not in makers:
            raise ValueError(f"unknown fault {name!r}; known: {', '.join(makers)}")
        fault: Fault = makers[name](**arguments)  # type: ignore[operator] # ty of a mixed table of makers
        return replace(fault, times=times, psid=psid)


class FaultScript:
    """Faults still to be played, in order; the first that fits a request is played for it."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, *faults: Fault) -> None:
        """Append *faults*."""
        self._waiting.extend(faults)

    def clear(self) -> None:
        """Forget all of them."""
        self._waiting.clear()

    def next_for(self, psid: str | None) -> Fault | None:
        """Take the fault for a request to *psid* (None: no readable recipient); None if all is well."""
        for position, fault in enumerate(self._waiting):
            if fault.psid is None or fault.psid == psid:
                if fault.times == 1:
                    del self._waiting[position]
                elif fault.times is not None:
                    self._waiting[position] = replace(fault, times=fault.times - 1)
                return fault
        return None
