"""A person as the store knows one: by Messenger and by Shopify, and by what hangs on them."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Self

from shopbot.model.compliance import CustomerRequest


@dataclass(slots=True)
class Traces:
    """Ids by which the records of a person are told from those of others. They grow while a search goes on."""

    psids: set[str] = field(default_factory=set)
    order_ids: set[int] = field(default_factory=set)
    event_ids: set[str] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)
    """Parcels and refunds of their orders, as claims name them: `fulfillment:5`."""
    tokens: set[str] = field(default_factory=set)
    """Cart and checkout tokens."""
    nonces: set[str] = field(default_factory=set)
    """Of checkout links."""
    shared_psids: set[str] = field(default_factory=set)
    """PSIDs that have other orders than those that count."""

    @property
    def count(self) -> int:
        """Give how many there are: a search that finds more must look again."""
        texts = (self.psids, self.event_ids, self.subjects, self.tokens, self.nonces, self.shared_psids)
        return len(self.order_ids) + sum(len(kind) for kind in texts)

    @property
    def named(self) -> int:
        """Give how many orders and shoppers there are."""
        return len(self.order_ids) + len(self.psids)

    def add(self, other: "Traces") -> None:
        """Take over what others have found."""
        self.psids |= other.psids
        self.order_ids |= other.order_ids
        self.event_ids |= other.event_ids
        self.subjects |= other.subjects
        self.tokens |= other.tokens
        self.nonces |= other.nonces
        self.shared_psids |= other.shared_psids


@dataclass(slots=True)
class Person:
    """Whose data are looked for. Personal data itself: never log one."""

    named_orders: frozenset[int] = frozenset()
    """The orders by which the person is found."""
    customer_id: int | None = None
    """Shopify's number of the customer."""
    email: str | None = None
    whole: bool = True
    """Whether all that the PSIDs have ordered counts. Else only what is named: an attribute with a PSID may have been
    typed by anybody, so what else that Messenger account has could be somebody else's."""
    traces: Traces = field(default_factory=Traces)
    """All that is known to be theirs."""

    def __post_init__(self) -> None:
        self.traces.order_ids |= self.named_orders

    @classmethod
    def of_request(cls, request: CustomerRequest, *, whole: bool) -> Self:
        """Begin with what Shopify says."""
        return cls(
            named_orders=frozenset(request.order_ids),
            customer_id=request.customer_id,
            email=request.email,
            whole=whole,
        )

    @property
    def own_psids(self) -> AbstractSet[str]:
        """Give the PSIDs of which everything counts."""
        return self.traces.psids if self.whole else self.traces.psids - self.traces.shared_psids

    def has_order(self, order_id: int | str) -> bool:
        """Say whether an order is one of the person's."""
        return int(order_id) in self.traces.order_ids

    def has_event(self, event_id: str) -> bool:
        """Say whether an event is; a poll's name says which order it is about."""
        polled = event_id.split(":", 2)
        return event_id in self.traces.event_ids or (
            polled[0] == "poll" and len(polled) > 1 and polled[1].isdecimal() and self.has_order(polled[1])
        )

    def met_order(self, psid: str, order_id: int | str) -> bool:
        """Take in that a PSID of theirs has an order; gives whether the order counts."""
        if self.whole:
            self.traces.order_ids.add(int(order_id))
        elif not self.has_order(order_id):
            self.traces.shared_psids.add(psid)
        return self.has_order(order_id)
