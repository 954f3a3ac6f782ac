"""Shoppers of whom a store keeps all that it can keep, written by the parts that write it in a running host."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from pydantic import SecretStr
from redis.asyncio import Redis

from shopbot.model.checkout import Checkout
from shopbot.model.event import Arrival, Source
from shopbot.model.order import Order
from shopbot.model.outcome import JournalEntry, Status
from shopbot.model.parcel import Parcel, ParcelStatus
from shopbot.model.refund import Refund
from shopbot.model.shared_keys import SharedKeys
from shopbot.model.shopper_cart import Cart, CartItem
from shopbot.privacy.erasure import Erasure
from shopbot.privacy.export import Export
from shopbot.privacy.finder import Finder
from shopbot.privacy.inventory import Inventory
from shopbot.privacy.person import Person
from shopbot.privacy.progress import ProgressRecords
from shopbot.privacy.search import SearchParts
from shopbot.privacy.sweep import Sweep
from shopbot.store.carts import Carts
from shopbot.store.checkouts import Checkouts, CheckoutTtl
from shopbot.store.claims import Allowance, Claims, Ticket
from shopbot.store.conversations import Conversations
from shopbot.store.erased import Erased
from shopbot.store.in_hand import InHand
from shopbot.store.inbox import Inbox
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds
from shopbot.store.queue import Delivery, Disposition, Queue, Settlement
from shopbot.store.references import References
from shopbot.store.shoppers import Shoppers

NOW = datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC)
YEAR, MONTH, DAY = 31_536_000.0, 2_592_000.0, 86_400.0
_STATUS = {Disposition.RETRY: Status.DEFERRED, Disposition.DEAD: Status.FAILED, Disposition.FINISHED: Status.DONE}


@dataclass(frozen=True)
class Shopper:
    """Somebody made up. Everything about them is unlike everything about anybody else."""

    number: int
    orders: int = 2

    @property
    def psid(self) -> str:
        return f"73{self.number:04}0000009999"[:16]

    @property
    def order_ids(self) -> Sequence[int]:
        return [830_517_000_000_000_000 + self.number * 1_000 + n for n in range(self.orders)]

    @property
    def customer_id(self) -> int:
        return 7_140_000_000_000 + self.number

    @property
    def email(self) -> str:
        return f"Shopper{self.number:04}@example.com"

    @property
    def name(self) -> str:
        return f"Featherstone{self.number:04}"

    def mid(self, what: str) -> str:
        """Name a message that they sent or got."""
        return f"m_{what}{self.number:04}"

    def token(self, what: str) -> str:
        return f"{what}-token-of-{self.number:04}"

    def parcel(self, order_id: int) -> str:
        return f"JD014{order_id}"

    def body(self, order_id: int) -> dict[str, Any]:
        return {
            "id": order_id,
            "name": f"#{order_id}",
            "email": self.email,
            "customer": {"id": self.customer_id, "first_name": self.name},
            "note_attributes": [{"name": "psid", "value": self.psid}],
            "created_at": NOW.isoformat(),
            "updated_at": NOW.isoformat(),
        }

    def act(self, what: str) -> dict[str, Any]:
        """Give what Messenger tells when they write something."""
        return {"sender": {"id": self.psid}, "message": {"mid": self.mid(what), "text": f"I am {self.name}"}}

    @property
    def secrets(self) -> Sequence[str]:
        """Give what must not be found any more when they are erased."""
        told = ("said", "unsaid", "early", "confirmed", "shipped", "refunded", "answered")
        ids = [*map(str, self.order_ids), *(self.parcel(order_id) for order_id in self.order_ids)]
        tokens = [self.token(what) for what in ("checkout", "cart", "seen", "storefront")]
        return [self.psid, *ids, str(self.customer_id), self.email, self.name, *map(self.mid, told), *tokens]

    def person(self, *, whole: bool = True) -> Person:
        """Be the one whom Shopify names."""
        return Person(
            named_orders=frozenset(self.order_ids), customer_id=self.customer_id, email=self.email, whole=whole
        )


@dataclass
class Shop:
    """One shop's parts on a store."""

    client: Redis
    blocking: Redis
    domain: str = "acme.myshopify.com"
    prefix: str = ""
    erased_beside: list[Person | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        client, keys, shared = self.client, Keys(self.domain), SharedKeys(self.prefix)
        self.keys, self.shared = keys, shared
        self.inventory = Inventory(keys, shared)
        self.erased = Erased(client, keys)
        self.conversations = Conversations(client, keys)
        self.references = References(client, keys, shared, ttl_seconds=YEAR)
        self.shoppers = Shoppers(client, keys, shared, remember_seconds=YEAR)
        self.claims = Claims(client, keys, line_ttl_seconds=MONTH)
        self.carts = Carts(client, shared, ttl_seconds=MONTH, clock=lambda: NOW)
        ttl = CheckoutTtl(latest=DAY, lookup=DAY, cart_id=MONTH, order=YEAR)
        self.checkouts = Checkouts(client, keys, shared, ttl=ttl)
        self.inbox = Inbox(client, keys, seen_ttl_seconds=2 * DAY)
        self.queue = Queue(
            client, self.blocking, keys, consumer="one", journal_ttl_seconds=MONTH, lease_seconds=1_000.0
        )

    def search(self) -> SearchParts:
        client, keys = self.client, self.keys
        return SearchParts(
            client=client,
            keys=keys,
            erased=Erased(client, keys),
            in_hand=InHand(client, keys),
            finder=Finder(client, keys),
            sweep=Sweep(client, self.inventory),
            records=ProgressRecords(client, keys),
            clock=lambda: NOW + timedelta(days=20),
        )

    def erasure(self) -> Erasure:
        async def beside(person: Person | None) -> None:
            self.erased_beside.append(person)

        return Erasure(self.search(), beside=beside, log_rewrite=None)

    def export(self) -> Export:
        return Export(self.search(), self.inventory, self.conversations)

    async def take_in(self, event_id: str, topic: str, body: Mapping[str, Any] | bytes) -> Delivery:
        """Take an event in and hand it to a worker."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        source = Source.POLL if event_id.startswith("poll:") else Source.WEBHOOK
        await self.inbox.add(Arrival(event_id, topic, source, milliseconds(NOW), raw))
        (delivery,) = await self.queue.read(1, wait_seconds=1.0)
        return delivery

    async def settle(
        self, delivery: Delivery, disposition: Disposition, detail: str, order_id: int | None, psid: str | None
    ) -> None:
        """End the attempt."""
        status = _STATUS.get(disposition, Status.HELD)
        line = JournalEntry(at=NOW, attempt=1, rule="r", step="1:send_message", status=status, detail=detail)
        settlement = Settlement(
            disposition=disposition,
            status=status,
            reason=None,
            attempts=1,
            journal=[line],
            order_id=order_id,
            psid=psid,
            due_at=NOW + timedelta(days=365),
        )
        await self.queue.settle(delivery, settlement, NOW)

    async def worked(
        self,
        event_id: str,
        topic: str,
        body: Mapping[str, Any] | bytes,
        disposition: Disposition = Disposition.FINISHED,
        *,
        detail: str = "",
        order_id: int | None = None,
        psid: str | None = None,
    ) -> None:
        """Take an event in and end an attempt at it."""
        delivery = await self.take_in(event_id, topic, body)
        await self.settle(delivery, disposition, detail, order_id, psid)

    async def sent(self, rule: str, subject: str, event_id: str, psid: str, message_id: str) -> None:
        """Claim and send a message that counts against a limit."""
        ticket = Ticket(
            rule=rule,
            subject=subject,
            token=f"claim-{rule}-{subject}",
            event_id=event_id,
            psid=psid,
            received_at=NOW,
            allowance=Allowance(rule, 10, DAY),
        )
        await self.claims.take(ticket, NOW, ttl_seconds=YEAR)
        await self.claims.sent(ticket, message_id, NOW)

    async def keep(self, shopper: Shopper, *, chance: random.Random | None = None) -> None:
        """Keep everything about a shopper; with *chance* not all of it, and in any order."""
        kinds = [
            self._an_order_of,
            self._an_order_that_is_being_tried,
            self._a_conversation,
            self._a_cart,
            self._checkout_links,
            self._what_waits,
        ]
        if chance is not None:
            kinds = chance.sample(kinds, chance.randint(1, len(kinds)))
        for keep in kinds:
            await keep(shopper)

    async def _an_order_of(self, shopper: Shopper) -> None:
        """Orders that were confirmed, shipped and paid back."""
        for order_id in shopper.order_ids:
            psid, names = shopper.psid, (_delivery("paid", order_id), f"poll:{order_id}:2026-11-23T10:15:30+00:00")
            order = Order.from_payload(shopper.body(order_id))
            await self.shoppers.remember(order_id, psid)
            await self.references.save(order, psid)
            for event_id in names:
                detail = f"{shopper.mid('confirmed')}, RESPONSE"
                await self.worked(event_id, "orders/paid", shopper.body(order_id), detail=detail, order_id=order_id)
            await self.sent("confirmation", f"order:{order_id}", names[0], psid, shopper.mid("confirmed"))
            await self.sent("confirmation", f"order:{order_id}#2", names[0], psid, shopper.mid("confirmed"))
            await self.references.confirm(order, psid, shopper.mid("confirmed"), NOW)
            await self._news_of(shopper, order_id)
            news = _delivery("shipped", order_id)
            await self.worked(news, "fulfillments/create", {"order_id": order_id}, order_id=order_id)
            await self.sent("shipped", f"fulfillment:{order_id % 1_000_000}", news, psid, shopper.mid("shipped"))
            await self.sent("refunded", f"refund:{order_id % 1_000_000}", news, psid, shopper.mid("refunded"))
            await self.references.note(order_id + 500, None, lambda known: known)  # somebody's, nobody knows whose

    async def _news_of(self, shopper: Shopper, order_id: int) -> None:
        number = order_id % 1_000_000
        parcel = Parcel(fulfillment_id=number, status=ParcelStatus.SHIPPED, number=shopper.parcel(order_id))
        await self.references.note(order_id, shopper.psid, lambda known: known.with_parcel(parcel))
        await self.references.note(order_id, shopper.psid, lambda known: known.with_refund(Refund(id=number)))

    async def _an_order_that_is_being_tried(self, shopper: Shopper) -> None:
        """One event of an order in each place where an event can wait."""
        for number, place in enumerate((Disposition.RETRY, Disposition.HELD, Disposition.PARKED, Disposition.DEAD)):
            order_id = shopper.order_ids[number % len(shopper.order_ids)]
            event_id = _delivery(place, shopper.number)
            delivery = await self.take_in(event_id, "orders/updated", shopper.body(order_id))
            await self.claims.join(shopper.psid, event_id, NOW)
            await self.settle(delivery, place, "", order_id, None)
        # Before the dead letter waits for it: else it would come back.
        await self.conversations.active(shopper.psid, NOW)
        await self.conversations.wait(shopper.psid, _delivery("dead", shopper.number), NOW)
        # Of an order that was not asked for: by the customer and their address it is theirs all the same.
        strange = {**shopper.body(shopper.order_ids[0]), "id": 999_000_000_000 + shopper.number, "note_attributes": []}
        await self.worked(_delivery("strange", shopper.number), "orders/paid", strange, Disposition.DEAD)
        cut = json.dumps(shopper.body(shopper.order_ids[0])).encode()[:-7]
        await self.worked(_delivery("cut", shopper.number), "orders/paid", cut, Disposition.DEAD)

    async def _a_conversation(self, shopper: Shopper) -> None:
        await self.shoppers.remember(shopper.order_ids[0], shopper.psid)
        await self.conversations.active(shopper.psid, NOW)
        said = f"messenger:message:{shopper.mid('said')}"
        await self.worked(
            said, "messenger/message", shopper.act("said"), detail=shopper.mid("answered"), psid=shopper.psid
        )
        await self.sent("answer", f"event:{said}", said, shopper.psid, shopper.mid("answered"))
        await self.worked(
            f"messenger:message:{shopper.mid('unsaid')}",
            "messenger/message",
            shopper.act("unsaid"),
            Disposition.DEAD,
            psid=shopper.psid,
        )

    async def _a_cart(self, shopper: Shopper) -> None:
        await self.shoppers.remember(shopper.order_ids[0], shopper.psid)
        cart = Cart(items=(CartItem(variant_id=1, quantity=1, title=f"for {shopper.name}"),))
        await self.carts.change(shopper.psid, lambda _: cart, whole=True)

    async def _checkout_links(self, shopper: Shopper) -> None:
        """One that was opened and has served an order, and one that nobody has used."""
        await self.shoppers.remember(shopper.order_ids[0], shopper.psid)
        used, unused = f"{shopper.number:023}a", f"{shopper.number:023}b"
        checkout = Checkout(
            url="https://acme.myshopify.com/cart/c/1",
            checkout_token=shopper.token("checkout"),
            cart_token=shopper.token("cart"),
        )
        await self.checkouts.made(shopper.psid, used, checkout, [1, 2], valid_seconds=MONTH)
        await self.checkouts.open(used, shopper.token("cart"))
        await self.checkouts.seen(shopper.psid, [shopper.token("seen")], shopper.token("seen"), used)
        await self.checkouts.claim(used, shopper.order_ids[0])
        cart_id = SecretStr(f"gid://shopify/Cart/{shopper.token('storefront')}?key=5ecre7")
        second = checkout.model_copy(
            update={"checkout_token": shopper.token("storefront"), "cart_token": None, "cart_id": cart_id}
        )
        await self.checkouts.made(shopper.psid, unused, second, [3], valid_seconds=MONTH)

    async def _what_waits(self, shopper: Shopper) -> None:
        """An act that is tried again, and another that Messenger's answer is awaited for."""
        await self.shoppers.remember(shopper.order_ids[0], shopper.psid)
        event_id = f"messenger:message:{shopper.mid('early')}"
        await self.worked(event_id, "messenger/message", shopper.act("early"), Disposition.RETRY, psid=shopper.psid)
        await self.claims.join(shopper.psid, event_id, NOW)


def _delivery(what: str, number: int) -> str:
    """Name a webhook as Shopify does: so that nobody learns anything from it."""
    return f"webhook:{uuid5(NAMESPACE_OID, f'{what} {number}')}"


async def until_done(call: Callable[[], Awaitable[Any]], *, most: int = 500) -> Any:  # noqa: ANN401 - what it gives
    """Call again and again what goes on later."""
    for _ in range(most):
        found = await call()
        if isinstance(found, str | Mapping | list):
            return found
    raise AssertionError("it does not come to an end")
