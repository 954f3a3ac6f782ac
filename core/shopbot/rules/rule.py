"""One rule of shopbot.yaml, ready to be held against events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from shopbot.model.event import Event
from shopbot.model.order import Order
from shopbot.model.outcome import Outcome
from shopbot.model.parcel import ParcelStatus
from shopbot.model.reason import Reason
from shopbot.rules.news import News
from shopbot.rules.phrases import Phrases

OncePer = Literal["order", "fulfillment", "refund", "event"]
"""What a rule sends its message for, once."""


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
    otherwise: Mapping[str, str] = field(default_factory=dict)
    """With `send_message`: what is sent instead where the rule found `several` orders, or `none`."""
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
    parcel_status: Sequence[ParcelStatus] | None = None
    phrases: Phrases | None = None
    """`text_matches:`, in what the shopper wrote."""
    payloads: Sequence[str] | None = None
    """`payload:`, on what the shopper tapped."""

    def mismatch(self, news: News) -> Outcome | None:
        """Say which filter keeps an event out; None when it passes. What an event lacks passes no filter on it."""
        if self.asks and not self._asked(news):
            return Outcome.skipped(Reason.FILTERED, "neither the text nor what was tapped matches")
        if self.parcel_status is not None:
            if news.parcel is None:
                return Outcome.skipped(Reason.NO_FULFILLMENT)
            if news.parcel.status not in self.parcel_status:
                return Outcome.skipped(Reason.FILTERED, f"the parcel is {news.parcel.status}")
        return self._order_mismatch(news.order)

    @property
    def asks(self) -> bool:
        """Whether the rule waits for something that a shopper says or taps."""
        return self.phrases is not None or self.payloads is not None

    def language(self, news: News) -> str | None:
        """Give the language in which the shopper asked; None where the phrases do not tell."""
        return self.phrases.match(news.text)[1] if self.phrases and news.text else None

    def tapped(self, news: News) -> str | None:
        """Give what follows the colon of the payload that was tapped: the order's id in `ORDER_STATUS:1001`.

        Empty where nothing follows, None where none of the rule's payloads was tapped.
        """
        for payload in self.payloads or ():
            if news.tapped == payload:
                return ""
            if news.tapped is not None and news.tapped.startswith(f"{payload}:"):
                return news.tapped[len(payload) + 1 :]
        return None

    def _asked(self, news: News) -> bool:
        """Say whether the shopper said or tapped it: two ways of asking the same, so either will do."""
        if self.tapped(news) is not None:
            return True
        return self.phrases is not None and news.text is not None and self.phrases.match(news.text)[0]

    def _order_mismatch(self, order: Order | None) -> Outcome | None:
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


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: which events it is for, and what it does with them."""

    name: str
    topics: frozenset[str]
    steps: Sequence[Step]
    filters: Filters = field(default_factory=Filters)
    condition: Expression | None = None
    once_per: OncePer = "event"
    built_in: bool = False
    """Whether it is always there, whatever shopbot.yaml says."""

    @property
    def by_business_key(self) -> bool:
        """Whether its message is sent once for something that several events may bring."""
        return self.once_per != "event"

    def missing(self, news: News) -> Outcome | None:
        """Say that an event lacks what the rule's message is sent for; None when it does not."""
        if self.once_per == "order" and news.order_id is None:
            return Outcome.skipped(Reason.NO_ORDER, "`once_per: order` needs an order")
        if self.once_per == "fulfillment" and news.parcel is None:
            return Outcome.skipped(Reason.NO_FULFILLMENT, "`once_per: fulfillment` needs a fulfilment")
        if self.once_per == "refund" and news.refund is None:
            return Outcome.skipped(Reason.NO_REFUND, "`once_per: refund` needs a refund")
        return None

    def subject(self, event: Event, news: News) -> str:
        """Name what the rule's message is sent for, once: the order, the fulfilment, the refund, else this event."""
        if self.once_per == "order" and news.order_id is not None:
            return f"order:{news.order_id}"
        if self.once_per == "fulfillment" and news.parcel is not None:
            return f"fulfillment:{news.parcel.fulfillment_id}"
        if self.once_per == "refund" and news.refund is not None:
            return f"refund:{news.refund.id}"
        return f"event:{event.id}"

    def message_subject(self, event: Event, news: News, step: Step) -> str:
        """Name what one of the rule's sends is for.

        The first has the plain business key, so that renaming its message cannot send it again.
        """
        subject = self.subject(event, news)
        return subject if step.ordinal == 1 else f"{subject}#{step.ordinal}"
