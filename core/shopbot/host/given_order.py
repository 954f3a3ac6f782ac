"""An order that somebody names for a preview, and what each message would say about it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from shopbot.host.occasions import Occasion
from shopbot.host.samples import sample_choice
from shopbot.messages.message import About
from shopbot.model.event import Event, Source
from shopbot.model.order import Order
from shopbot.model.order_reference import OrderReference
from shopbot.model.outcome import Outcome
from shopbot.model.payload import read_mappings
from shopbot.model.reason import Reason
from shopbot.model.refund import Refund
from shopbot.plugin import Shop
from shopbot.rules.attempt import Attempt
from shopbot.rules.news import ORDER_TOPICS, PARCEL_TOPICS, REFUND_TOPIC, News, read_json, read_news
from shopbot.rules.objection import objection
from shopbot.rules.rule import Rule

_ORDER_TOPIC = "orders/paid"
_NOT_KEPT = (
    "of an order that is worked off the store keeps number, dates, states, parcels and refunds; buyer, lines and total"
    " are missing here: to see them, give the order as a file"
)
_OF_WHAT_IS_KEPT = (Reason.NOT_PAID, Reason.CANCELLED)
"""Objections that need no more of an order than the store keeps."""
_BELONGS_ELSEWHERE = frozenset({"order_id", "fulfillment_id"})
"""Keys that parcels and refunds have, and orders have not."""


class NotAboutError(ValueError):
    """The message is about something that the order does not have; the text says what."""


class NotAnOrderError(ValueError):
    """The body is not of an order, but of something that belongs to one."""


@dataclass(frozen=True, slots=True)
class GivenOrder:
    """An order, as far as it is known."""

    origin: str
    """Where it comes from, for people: `order.json`."""
    reference: OrderReference
    received_at: datetime
    order: Order | None = None
    """None where only a parcel or a refund of it is known."""
    payload: object = None
    """The webhook's body; None where it is not known any more."""
    topic: str = _ORDER_TOPIC
    """What the body is of."""
    gaps: str = ""
    """What is missing, for people; empty where nothing is."""

    @property
    def name(self) -> str:
        """What people call the order: `#1234`."""
        return self.reference.number

    @classmethod
    def read(cls, body: bytes, *, origin: str, received_at: datetime, topic: str = _ORDER_TOPIC) -> Self:
        """Read a webhook's body, or an order as the Admin REST API gives it, under the key `order`.

        topic: one of `NEWS_OF_ORDERS`.

        Raises:
            UnreadableError: it is no JSON, or not what the topic promises.
            NotAnOrderError: with a topic of orders, for the body of a parcel or a refund.
        """
        payload = read_json(body)
        if topic in ORDER_TOPICS and isinstance(payload, Mapping):
            wrapped = payload.get("order")
            payload = wrapped if "id" not in payload and isinstance(wrapped, Mapping) else payload
            if not _BELONGS_ELSEWHERE.isdisjoint(payload):
                raise NotAnOrderError("this is the body of a parcel or a refund: say of which topic")
        news = read_news(topic, payload)
        if news.order_id is None:
            raise NotAnOrderError(f"events of {topic} do not say which order they are about")
        return cls(
            origin=origin,
            reference=_reference(news.order_id, news),
            received_at=received_at,
            order=news.order,
            payload=payload,
            topic=topic,
        )

    @classmethod
    def kept(cls, reference: OrderReference, *, origin: str, received_at: datetime) -> Self:
        """Make do with what the store keeps of an order whose webhooks are all worked off."""
        order = Order(
            id=reference.order_id,
            name=reference.number,
            financial_status=reference.financial_status,
            fulfillment_status=reference.fulfillment_status,
            customer_locale=reference.locale,
            created_at=reference.created_at,
            updated_at=reference.updated_at,
            cancelled_at=reference.cancelled_at,
        )
        return cls(origin=origin, reference=reference, received_at=received_at, order=order, gaps=_NOT_KEPT)

    def about(self, occasion: Occasion, shop: Shop) -> About:
        """Say what the message would be about.

        Raises:
            NotAboutError: nothing of the order brings it about.
        """
        rule = occasion.rule
        if rule is None:
            return About(self._event(_ORDER_TOPIC), order=self.order, orders=(self.reference,))
        # Of the topics that fit, the one that the body came with.
        topics = sorted(rule.topics, key=lambda topic: (topic != self.topic, topic))
        for topic in topics:
            for about in self._of_topic(topic, rule):
                return about
            if topic.startswith("messenger/"):
                return self._answer(topic, occasion, shop)
        raise NotAboutError(f"rule '{rule.name}' sends it for {_wanted(rule)}, and there is none in {self.origin}")

    def objection(self, rule: Rule, about: About) -> Outcome | None:
        """Say why the rule would not send it; None where it would, and where a shopper decides that by asking."""
        if about.event.topic.startswith("messenger/"):
            return None
        news = News(
            payload=self.payload,
            order=about.order,
            parcel=about.parcel,
            refund=about.refund,
            order_id=self.reference.order_id,
            order_name=self.name,
        )
        attempt = Attempt(about.event, number=1, earlier=(), clock=lambda: self.received_at, news=news)
        found = objection(rule, attempt)
        # What is not known of an order speaks neither for nor against it.
        return None if self.gaps and found and found.reason not in _OF_WHAT_IS_KEPT else found

    def _of_topic(self, topic: str, rule: Rule) -> Iterator[About]:
        event = self._event(topic)
        orders = (self.reference,) if _updates(rule) else ()
        if topic in ORDER_TOPICS and self.order is not None:
            yield About(event, order=self.order, orders=orders)
        elif topic in PARCEL_TOPICS:
            wanted = rule.filters.parcel_status
            parcels = [one for one in self.reference.parcels if wanted is None or one.status in wanted]
            yield from (About(event, parcel=parcel, orders=orders) for parcel in reversed(parcels))
        elif topic == REFUND_TOPIC:
            yield from (About(event, refund=refund, orders=orders) for refund in reversed(self.reference.refunds))

    def _answer(self, topic: str, occasion: Occasion, shop: Shop) -> About:
        finds = occasion.rule is not None and any(step.name == "find_orders" for step in occasion.rule.steps)
        orders: tuple[OrderReference, ...] = ()
        if finds and "one" in occasion.found:
            orders = (self.reference,)
        elif finds and "several" in occasion.found:
            orders = (self.reference, *sample_choice(shop)[1:])
        if not orders:
            raise NotAboutError("it says nothing of an order")
        return About(self._event(topic), orders=orders)

    def _event(self, topic: str) -> Event:
        return Event(id="preview", topic=topic, source=Source.WEBHOOK, received_at=self.received_at, body=b"")


def _reference(order_id: int, news: News) -> OrderReference:
    reference = OrderReference.of(order_id, None)
    if news.order is not None:
        reference = reference.with_order(news.order)
        payload = news.payload if isinstance(news.payload, Mapping) else {}
        for refund in read_mappings(payload.get("refunds")):
            reference = reference.with_refund(Refund.from_payload({"order_id": order_id, **refund}))
    if news.parcel is not None:
        reference = reference.with_parcel(news.parcel, number=news.order_name)
    return reference if news.refund is None else reference.with_refund(news.refund)


def _updates(rule: Rule) -> bool:
    return any(step.name == "update_order_reference" for step in rule.steps)


def _wanted(rule: Rule) -> str:
    """Say what a rule sends its message for."""
    statuses = rule.filters.parcel_status
    parcel = f"a parcel that is {' or '.join(statuses)}" if statuses is not None else "a parcel"
    nouns = {
        **dict.fromkeys(ORDER_TOPICS, "an order"),
        **dict.fromkeys(PARCEL_TOPICS, parcel),
        REFUND_TOPIC: "a refund",
    }
    return " or ".join(dict.fromkeys(nouns.get(topic, topic) for topic in sorted(rule.topics)))
