"""A message as configured, and the request to send it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shopbot.messages.locales import closest_language
from shopbot.model.event import Event
from shopbot.model.order import Order
from shopbot.model.order_reference import OrderReference
from shopbot.model.parcel import Parcel
from shopbot.model.refund import Refund
from shopbot.store.claims import Allowance, Ticket

ANSWER_PURPOSE = "order_answer"
"""The purpose of messages that answer what the shopper just wrote."""


@dataclass(frozen=True, slots=True)
class TemplateSpec:
    """The approved utility template of a message."""

    name: str
    bodies: Mapping[str, str | None]
    """The languages in which it exists, with its words where shopbot.yaml has them; the first language is for shoppers
    whose own is not among them."""
    parameters: Sequence[str]
    """Jinja sources of the body's placeholders, in order."""

    def language(self, chain: Sequence[str]) -> str:
        """Pick the language for a shopper.

        chain: the languages to try, best first, as `locale_chain` lists them. Meta falls back to no other language.
        """
        return closest_language(tuple(self.bodies), chain)


@dataclass(frozen=True, slots=True)
class QuickReplySpec:
    """One quick reply of a message, all parts Jinja sources."""

    titles: Mapping[str, str]
    """By language (`pt_BR`); under "" one for all languages. The first is for whoever speaks none of them."""
    payload: str

    def language(self, chain: Sequence[str]) -> str:
        """Pick the language of the title; "" where it is the same in all.

        chain: the languages to try, best first, as `locale_chain` lists them.
        """
        return closest_language(tuple(self.titles), chain)

    @staticmethod
    def place(language: str) -> tuple[str, ...]:
        """Say where a title stands in shopbot.yaml, below its quick reply."""
        return ("title", language) if language else ("title",)


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """One entry of `messages:` in shopbot.yaml."""

    name: str
    purpose: str
    """The `tag:`: groups messages for limits, never sent to Meta."""
    text: str
    """A template file's name (it ends in `.j2`) or the template itself."""
    utility_template: TemplateSpec | None = None
    limit: tuple[int, timedelta] | None = None
    """How many per shopper in how long a stretch of time, outside the standard window; None does not limit."""
    drop_over_limit: bool = False
    """Whether what may not be sent now is given up instead of held."""
    quick_replies: Sequence[QuickReplySpec] = ()
    offers_orders: bool = False
    """Whether there is a quick reply for each of the orders that were found."""

    @property
    def is_file(self) -> bool:
        """Whether `text` names a file."""
        return self.text.endswith(".j2") and "\n" not in self.text

    def answers(self, topic: str) -> bool:
        """Say whether it answers what the shopper has just done, when an event of *topic* brings it about.

        Its purpose alone does not make it an answer.
        """
        return self.purpose == ANSWER_PURPOSE and topic.startswith("messenger/")

    def allowance(self, topic: str) -> Allowance | None:
        """Give what it counts against outside the window, when an event of *topic* brings it about; None: nothing."""
        if self.limit is None or self.answers(topic):
            return None
        count, period = self.limit
        return Allowance(self.purpose, count, period.total_seconds())


@dataclass(frozen=True, slots=True)
class About:
    """What a message is about: everything that its templates can name."""

    event: Event
    order: Order | None = None
    """The order that the event brings, whole."""
    orders: Sequence[OrderReference] = ()
    """The orders that a step has found or brought up to date, newest first."""
    parcel: Parcel | None = None
    """What the event says of a parcel; the whole of it is among the parcels of `orders`."""
    refund: Refund | None = None
    language: str | None = None
    """The language in which the shopper asked; None where that is not known."""


@dataclass(frozen=True, slots=True)
class SendRequest:
    """What a rule asks the dispatcher to send."""

    message: str
    """The message's name in shopbot.yaml."""
    psid: str
    about: About
    rule: str
    subject: str
    """With the rule, the claim's business key: `order:1001`."""
    confirms_order: bool
    """Whether the order counts as confirmed once this is sent."""
    claim_ttl_seconds: float
    reference: OrderReference | None = None
    """The order as it has just been kept; None where that is not known."""
    lined_up: bool = False
    """Whether the event has its place in the shopper's line already."""
    keeps_place: bool = False
    """Whether it needs that place also after this message: for one before it, which is not out yet."""
    called_off: bool = False
    """Whether the order was cancelled after the event that brings it, and the rule is for orders that are not."""
    asked: bool = False
    """Whether the shopper has just asked for it: such an answer goes out even to who wants no other messages."""

    @property
    def event(self) -> Event:
        """Give the event that the message belongs to."""
        return self.about.event

    @property
    def order(self) -> Order | None:
        """Give the order that the event brings."""
        return self.about.order

    def ticket(self, spec: MessageSpec, *, counts: bool) -> Ticket:
        """Make a new ticket for the message.

        counts: whether it counts against its limit, as it does outside the window.
        """
        topic = self.event.topic
        return Ticket(
            rule=self.rule,
            subject=self.subject,
            token=secrets.token_urlsafe(18),
            event_id=self.event.id,
            psid=self.psid,
            received_at=self.event.received_at,
            in_line=not spec.answers(topic),
            keeps_place=self.keeps_place,
            allowance=spec.allowance(topic) if counts else None,
        )
