"""What happened to an order or a shopper, put together from all that the store keeps: for `shopbot explain`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from redis.asyncio import Redis

from shopbot.host.blueprint import Blueprint
from shopbot.model.event import Event
from shopbot.model.order_reference import OrderReference
from shopbot.model.psid import is_psid
from shopbot.model.shared_keys import SharedKeys
from shopbot.rules.news import UnreadableError, read_json, read_news
from shopbot.rules.rule import Rule
from shopbot.store.claims import Claim, Claims
from shopbot.store.conversations import Conversations, Receipts, Standing
from shopbot.store.keys import Keys
from shopbot.store.records import EventRecord, Records, Whereabouts
from shopbot.store.references import References
from shopbot.store.shoppers import Shoppers

_MOST_IN_THE_INBOX = 1_000
"""So many of the events that wait for their first attempt are looked through: they are in no index yet."""


@dataclass(frozen=True, slots=True)
class Story:
    """One arrival and what became of it."""

    event_id: str
    record: EventRecord
    waits: Whereabouts | None
    elsewhere: Sequence[str]
    """The rules of shopbot.yaml that do not listen to its topic."""


@dataclass(frozen=True, slots=True)
class Send:
    """A rule's message, as its claim tells."""

    rule: str
    subject: str
    claim: Claim


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known about one order, one shopper, or one event that belongs to neither."""

    order_id: int | None = None
    psid: str | None = field(default=None, repr=False)
    reference: OrderReference | None = None
    stories: Sequence[Story] = ()
    """By arrival."""
    sends: Sequence[Send] = ()
    standing: Standing = field(default_factory=Standing)
    receipts: Receipts = field(default_factory=Receipts)
    orders: Sequence[OrderReference] = ()
    """A shopper's newest orders; empty when one order is explained."""


class Explainer:
    """Answers questions about one shop's past."""

    def __init__(self, blueprint: Blueprint, client: Redis) -> None:
        settings = blueprint.settings
        keys, shared = Keys(settings.shop.domain), SharedKeys(settings.shop.key_prefix)
        ttl_seconds = settings.ttl.order_reference.total_seconds()
        self._rules = blueprint.rules
        self._records = Records(client, keys)
        self._claims = Claims(client, keys, line_ttl_seconds=settings.ttl.journal.total_seconds())
        self._references = References(client, keys, shared, ttl_seconds=ttl_seconds)
        self._shoppers = Shoppers(client, keys, shared, remember_seconds=ttl_seconds)
        self._conversations = Conversations(client, keys)

    async def about(self, text: str) -> Explanation | None:
        """Explain what a person names: an order by id or number, an event or webhook by id; None where it is unknown.

        A PSID is not guessed at: see `shopper`.
        """
        text = text.strip()
        for event_id in (text, f"webhook:{text}"):
            record = await self._records.event(event_id)
            if record is not None:
                return await self._event(event_id, record)
        number = text.removeprefix("#")
        if number.isascii() and number.isdigit():
            found = await self.order(int(number))
            if found is not None:
                return found
        called = await self._references.called(text)
        return await self.order(called[0].order_id) if called else None

    async def order(self, order_id: int) -> Explanation | None:
        """Explain an order; None where nothing is known of it (any more)."""
        waiting = await self._records.in_the_inbox(_MOST_IN_THE_INBOX)
        fresh = [event.id for event in waiting if _order_of(event) == order_id]
        event_ids = [*await self._records.events_of_order(order_id), *fresh]
        psid = await self._shoppers.of_order(order_id)
        reference = await self._references.find(psid, order_id)
        if not event_ids and reference is None:
            return None
        subjects = [f"order:{order_id}"]
        if reference is not None:
            subjects += [f"fulfillment:{parcel.fulfillment_id}" for parcel in reference.parcels]
            subjects += [f"refund:{refund.id}" for refund in reference.refunds]
        return await self._explanation(event_ids, subjects, psid, order_id=order_id, reference=reference)

    async def shopper(self, psid: str) -> Explanation | None:
        """Explain what a shopper did and was told; None where nothing is known of them (any more)."""
        event_ids = await self._records.events_of_shopper(psid) if is_psid(psid) else ()
        orders = await self._references.newest(psid, 13)
        found = await self._explanation(event_ids, [], psid, orders=orders)
        return found if event_ids or orders or found.standing != Standing() else None

    async def _event(self, event_id: str, record: EventRecord) -> Explanation:
        if record.order_id is not None:
            found = await self.order(record.order_id)
            if found is not None:
                return found
        return await self._explanation([event_id], [], None)

    async def _explanation(
        self,
        event_ids: Sequence[str],
        subjects: Sequence[str],
        psid: str | None,
        *,
        order_id: int | None = None,
        reference: OrderReference | None = None,
        orders: Sequence[OrderReference] = (),
    ) -> Explanation:
        stories = [story for event_id in event_ids if (story := await self._story(event_id)) is not None]
        places = [
            (rule.name, subject)
            for rule in self._rules
            for subject in _subjects_of(rule, [*subjects, *(f"event:{event_id}" for event_id in event_ids)])
        ]
        claims = await self._claims.look_at(places) if places else ()
        return Explanation(
            order_id=order_id,
            psid=psid,
            reference=reference,
            stories=sorted(stories, key=lambda story: story.record.received_ms),
            sends=[
                Send(rule, subject, claim)
                for (rule, subject), claim in zip(places, claims, strict=True)
                if claim is not None
            ],
            standing=await self._conversations.standing(psid) if psid else Standing(),
            receipts=await self._conversations.receipts(psid) if psid else Receipts(),
            orders=orders,
        )

    async def _story(self, event_id: str) -> Story | None:
        record = await self._records.event(event_id)
        if record is None:
            return None
        return Story(
            event_id=event_id,
            record=record,
            waits=await self._records.whereabouts(event_id),
            elsewhere=[rule.name for rule in self._rules if not rule.built_in and record.topic not in rule.topics],
        )


def _subjects_of(rule: Rule, subjects: Sequence[str]) -> Iterator[str]:
    """Give the claims that a rule may have made, one for each of its sends."""
    sends = max((step.ordinal for step in rule.steps if step.name == "send_message"), default=0)
    for subject in subjects:
        if subject.partition(":")[0] == rule.once_per:
            yield from (subject if ordinal == 1 else f"{subject}#{ordinal}" for ordinal in range(1, sends + 1))


def _order_of(event: Event) -> int | None:
    try:
        return read_news(event.topic, read_json(event.body)).order_id
    except UnreadableError:
        return None
