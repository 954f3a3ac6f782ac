"""What events of a topic carry. No event carries two of these, but for the order that its news is of."""

from collections.abc import Iterable
from dataclasses import dataclass

from shopbot.host.examinations.examination import listed
from shopbot.rules.news import ACT_TOPICS, NEWS_OF_ORDERS, ORDER_TOPICS, PARCEL_TOPICS, REFUND_TOPIC, SPOKEN_TOPICS


@dataclass(frozen=True, slots=True)
class Cargo:
    """Something that events may carry."""

    name: str
    topics: frozenset[str]
    """The topics whose events carry it; topics that shopbot does not know carry none."""

    def lacking(self, topics: Iterable[str]) -> list[str]:
        """List the topics whose events do not carry it."""
        return sorted(set(topics) - self.topics)


def bring_none(topics: Iterable[str], what: str = "none") -> str:
    """Say that events of some topics carry none of it: `refunds/create brings none`."""
    names = sorted(topics)
    return f"{listed(names)} {'brings' if len(names) == 1 else 'bring'} {what}"


def own_rule(topics: Iterable[str]) -> str:
    """Propose to take some topics out of a rule: `give refunds/create a rule of its own`."""
    names = sorted(topics)
    return f"give {listed(names)} {'a rule of its own' if len(names) == 1 else 'rules of their own'}"


ORDER = Cargo("an order", ORDER_TOPICS)
PARCEL = Cargo("a parcel", PARCEL_TOPICS)
REFUND = Cargo("a refund", frozenset({REFUND_TOPIC}))
WORDS = Cargo("what a shopper writes or taps", SPOKEN_TOPICS)
ACT = Cargo("what a shopper does in Messenger", ACT_TOPICS)
NEWS = Cargo("news of an order", NEWS_OF_ORDERS)
CHECKOUT = Cargo("a checkout", frozenset({"checkouts/create", "checkouts/update"}))
