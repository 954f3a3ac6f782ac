"""What a plugin may see of an event's processing."""

from shopbot.model.base import Value
from shopbot.model.order import Order
from shopbot.model.outcome import JournalEntry, Status


class Run(Value):
    """One attempt at one event, as far as it has come."""

    attempt: int
    """1 for the first."""
    rule: str | None = None
    """The rule whose step is running; None in `event_finished`."""
    order: Order | None = None
    """None for events that carry no order."""
    psid: str | None = None
    """The trusted PSID; None before a resolver answered, and where none did. Mask it in logs."""
    journal: tuple[JournalEntry, ...] = ()
    """Every step so far, earlier attempts included, oldest first."""
    status: Status | None = None
    """The event's final status, in `event_finished`; None while it runs."""
