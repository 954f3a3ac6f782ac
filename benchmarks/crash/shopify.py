"""Shopify's side: orders, and webhooks that are delivered again until they are answered 200."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from shopbot.testing.orders import order_body, order_bytes
from shopbot.testing.webhooks import shopify_headers

TOPICS = ("orders/create", "orders/paid", "orders/updated")
_PAUSE_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8)
_ANSWER_SECONDS = 5.0


@dataclass(slots=True)
class SentOrder:
    """A paid order, and what became of its webhooks."""

    order_id: int
    psid: str
    body: Mapping[str, Any] = field(repr=False)
    webhook_ids: list[str] = field(default_factory=list)
    acknowledged: bool = False
    """Whether one of its webhooks at least was answered 200."""


class Shopify:
    """One shop. Owns every task that delivers.

    url: the host's. first_order_id: the next ones count on.
    """

    def __init__(self, *, url: str, shop: str, secret: str, first_order_id: int, chance: random.Random) -> None:
        self.orders: dict[int, SentOrder] = {}
        self.posts = 0
        self._url = url
        self._shop = shop
        self._secret = secret
        self._numbers = itertools.count(first_order_id)
        self._chance = chance
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = httpx.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False)

    async def close(self) -> None:
        """End all deliveries."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._client.aclose()

    async def settled(self) -> None:
        """Wait until every webhook was answered 200."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def pay(self, count: int, shoppers: int) -> Sequence[SentOrder]:
        """Have shoppers pay orders, and begin to deliver the webhooks: several topics, some twice, in any order."""
        psids = [str(self._chance.randrange(10**15, 10**16)) for _ in range(shoppers)]
        paid = []
        for number in itertools.islice(self._numbers, count):
            psid = self._chance.choice(psids)
            order = SentOrder(number, psid, order_body(order_id=number, number=number, psid=psid))
            self.orders[number] = order
            paid.append(order)
            for topic in self._chance.sample(TOPICS, self._chance.randint(1, 3)):
                self._deliver_later(order, topic)
        return paid

    def repeat(self, order: SentOrder) -> None:
        """Deliver something about an old order again, under a webhook id of its own."""
        self._deliver_later(order, self._chance.choice(TOPICS))

    def _deliver_later(self, order: SentOrder, topic: str) -> None:
        webhook_id = str(uuid4())
        order.webhook_ids.append(webhook_id)
        copies = 2 if self._chance.random() < 0.2 else 1  # noqa: PLR2004 - one in five comes twice
        for _ in range(copies):
            task = asyncio.get_running_loop().create_task(self._deliver(order, topic, webhook_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, order: SentOrder, topic: str, webhook_id: str) -> None:
        raw = order_bytes(order.body)
        headers = shopify_headers(topic, raw, self._secret, self._shop, webhook_id=webhook_id)
        await asyncio.sleep(self._chance.random() * 0.05)
        for attempt in itertools.count():
            self.posts += 1
            try:
                response = await self._client.post(f"{self._url}/webhooks/shopify", content=raw, headers=headers)
            except (httpx.TransportError, AttributeError):
                # The latter: anyio on uvloop, where a connection is reset while it is being made.
                status = None
            else:
                status = response.status_code
            if status == httpx.codes.OK:
                order.acknowledged = True
                return
            await asyncio.sleep(_PAUSE_SECONDS[min(attempt, len(_PAUSE_SECONDS) - 1)])
