"""One attempt at one event: what is known so far, and the journal it writes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shopbot.messages.template_reading import UNKNOWN, example_of
from shopbot.model.event import Event
from shopbot.model.order import Customer, Order
from shopbot.model.order_reference import OrderReference
from shopbot.model.outcome import JournalEntry, Outcome, Status
from shopbot.model.parcel import Parcel
from shopbot.model.reason import Reason
from shopbot.model.refund import Refund
from shopbot.model.run import Run
from shopbot.rules.news import News

_LONGEST_DETAIL = 1000

READABLE: Mapping[str, object] = {
    "order": example_of(Order),
    "customer": example_of(Customer),
    "event": dict.fromkeys(("topic", "source"), ""),
    "parcel": example_of(Parcel),
    "refund": example_of(Refund),
    "text": "",
    "payload": UNKNOWN,
}
"""What `if:` expressions can name, by examples: see `template_reading`."""


@dataclass(slots=True)
class Attempt:
    """The mutable side of an event's processing; lives as long as one attempt."""

    event: Event
    number: int
    """1 for the first."""
    earlier: Sequence[JournalEntry]
    clock: Callable[[], datetime]
    news: News = field(default_factory=News)
    """What the event's body says; nothing until it is read."""
    psid: str | None = None
    shopper: str | None = None
    """The shopper that any of the rules has found; for those who look the event up later."""
    no_psid: Outcome | None = None
    """Why there is no PSID, once the resolvers were asked in vain."""
    lined_up: bool = False
    """Whether the event has a place in the shopper's line."""
    keeps_place: bool = False
    """Whether a rule before this one has a message to send later, for which the event keeps that place."""
    reference_saved: bool = False
    """Whether this rule keeps the order: its message is then the order's confirmation."""
    reference: OrderReference | None = None
    """The order as this attempt has kept it; None where an earlier one did, or none."""
    orders: Sequence[OrderReference] = ()
    """The orders that a step of this rule has found, or brought up to date; for its messages."""
    entries: list[JournalEntry] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)

    @property
    def order(self) -> Order | None:
        """Give the order that the event brings; None for events that bring none."""
        return self.news.order

    @property
    def payload(self) -> object:
        """Give the event's body, parsed; None until it is."""
        return self.news.payload

    @property
    def sender(self) -> str | None:
        """Give the PSID of the shopper whose act in Messenger the event is; None for all other events."""
        return self.news.sender

    @property
    def happened_at(self) -> datetime:
        """Give when it happened, as the platform's signed body says; never later than its arrival."""
        event = self.event
        return min(event.triggered_at or event.received_at, event.received_at)

    def note(self, rule: str, step: str, outcome: Outcome, *, milliseconds: float = 0.0) -> None:
        """Write one line of the journal."""
        self.entries.append(
            JournalEntry(
                at=self.clock(),
                attempt=self.number,
                rule=rule,
                step=step,
                status=outcome.status,
                reason=outcome.reason,
                detail=_storable(outcome.detail),
                plugin=outcome.plugin,
                milliseconds=round(milliseconds, 3),
            )
        )

    def settled(self, rule: str, step: str, plugin: str | None = None) -> JournalEntry | None:
        """Find the line by which an earlier attempt finished a step (or one plugin's part of it) for good."""
        for entry in self.earlier:
            if (
                entry.rule == rule
                and entry.step == step
                and entry.status in (Status.DONE, Status.SKIPPED)
                and plugin in (None, entry.plugin)
            ):
                return entry
        return None

    def without_psid(self) -> Outcome:
        """Say why a step that needs the shopper has nothing to do."""
        if self.no_psid is not None:
            return self.no_psid
        return Outcome.skipped(Reason.PSID_NOT_FOUND, "no step before this one resolves the shopper")

    def view(self, rule: str | None = None, status: Status | None = None) -> Run:
        """Show plugins what they may see."""
        return Run(
            attempt=self.number,
            rule=rule,
            order=self.order,
            psid=self.psid,
            journal=(*self.earlier, *self.entries),
            status=status,
        )

    def context(self) -> Mapping[str, object]:
        """Give what `if:` expressions may ask about."""
        return {
            "order": self.order,
            "customer": self.order.customer if self.order else None,
            "event": {"topic": self.event.topic, "source": self.event.source.value},
            "parcel": self.news.parcel,
            "refund": self.news.refund,
            "text": self.news.text,
            "payload": self.payload,
        }


def _storable(detail: str) -> str:
    """Bound a text that may quote an order or a plugin: one character that is none must not keep it from the store."""
    return detail[:_LONGEST_DETAIL].encode(errors="replace").decode()
