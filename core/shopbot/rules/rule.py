"""One rule of shopbot.yaml, ready to be held against events."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shopbot.model.event import Event
from shopbot.model.order import Order
from shopbot.model.outcome import Outcome
from shopbot.model.reason import Reason


class Expression(Protocol):
    """A compiled `if:` expression."""

    def evaluate(self, context: Mapping[str, object]) -> bool:
        """Say whether it holds; raises TemplateError where it cannot be evaluated."""


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a rule's `steps:`."""

    place: str
    """Its number and name, as journals show it: `2:clear_cart`."""
    name: str
    argument: str | None = None
    """What stands behind the colon: the message of `send_message: order_confirmation`."""
    ordinal: int = 1
    """Which of the rule's sends it is, for `send_message`: 1 for the first."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The rule's `when:`. None does not filter."""

    financial_status: Sequence[str] | None = None
    fulfillment_status: Sequence[str] | None = None
    source_name: Sequence[str] | None = None
    cancelled: bool | None = None
    test: bool | None = None
    text_matches: Sequence[re.Pattern[str]] | None = None

    def mismatch(self, order: Order | None, text: str | None = None) -> Outcome | None:
        """Say which filter keeps an event out; None when it passes. No event without an order passes an order's filter.

        text: what the shopper wrote, for Messenger events.
        """
        if self.text_matches is not None and not self._matches(text or ""):
            return Outcome.skipped(Reason.FILTERED, "the text does not match")
        if order is None:
            return Outcome.skipped(Reason.NO_ORDER) if self.about_orders else None
        if self.financial_status is not None and order.financial_status not in self.financial_status:
            return Outcome.skipped(Reason.NOT_PAID, f"the financial status is {order.financial_status}")
        if self.cancelled is not None and order.cancelled != self.cancelled:
            return Outcome.skipped(
                Reason.CANCELLED, "the order is " + ("" if order.cancelled else "not ") + "cancelled"
            )
        if self.test is not None and order.test != self.test:
            return Outcome.skipped(Reason.TEST_ORDER, "it is " + ("a test" if order.test else "a real") + " order")
        for name, wanted, value in (
            # Shopify says null where people say unfulfilled.
            ("fulfillment_status", self.fulfillment_status, order.fulfillment_status or "unfulfilled"),
            ("source_name", self.source_name, order.source_name),
        ):
            if wanted is not None and value not in wanted:
                return Outcome.skipped(Reason.FILTERED, f"{name} is {value}")
        return None

    @property
    def about_orders(self) -> bool:
        """Whether any filter looks at an order."""
        return any(
            value is not None
            for value in (
                *(self.financial_status, self.fulfillment_status, self.source_name),
                *(self.cancelled, self.test),
            )
        )

    def _matches(self, text: str) -> bool:
        # Phones type curly apostrophes, people write straight ones into shopbot.yaml.
        plain = text.replace("\u2019", "'").replace("\u2018", "'")
        return any(pattern.search(plain) for pattern in self.text_matches or ())


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: which events it is for, and what it does with them."""

    name: str
    topics: frozenset[str]
    steps: Sequence[Step]
    filters: Filters = field(default_factory=Filters)
    condition: Expression | None = None
    once_per_order: bool = False

    def subject(self, event: Event, order: Order | None) -> str:
        """Name what the rule's message is sent for, once: the order, else this event alone."""
        if self.once_per_order and order is not None:
            return f"order:{order.id}"
        return f"event:{event.id}"

    def message_subject(self, event: Event, order: Order | None, step: Step) -> str:
        """Name what one of the rule's sends is for.

        The first has the plain business key, so that renaming its message cannot send it again.
        """
        subject = self.subject(event, order)
        return subject if step.ordinal == 1 else f"{subject}#{step.ordinal}"
