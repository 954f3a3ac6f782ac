"""Deliver order webhooks as Shopify does on a bad day: late, twice, out of order, or never.

Source: https://shopify.dev/docs/apps/build/webhooks (no guarantee of delivery or order) and
https://shopify.dev/docs/apps/build/webhooks/verify-deliveries (5 seconds, 8 retries over 4 hours, what a success is)
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from shopbot.testing.clock import Clock
from shopbot.testing.orders import order_bytes
from shopbot.testing.webhooks import shopify_headers

RETRY_DELAYS_SECONDS = (10, 60, 300, 600, 1200, 2400, 3600, 6230)
"""Eight waits that grow and add up to four hours; the single ones are not published."""

_ANSWER_SECONDS = 5.0
_CONNECT_SECONDS = 1.0
_REMEMBERED = 100_000
_SUCCESS = range(200, 300)


@dataclass
class Weather:
    """What happens to deliveries on the way; all chances are between 0 and 1.

    loss: the chance that an event is never delivered. duplication: that it is delivered twice, with one webhook
        id. delay_seconds: how long after the event. spread_seconds: up to so much longer, by chance, so that
        deliveries overtake each other.
    """

    loss: float = 0.0
    duplication: float = 0.0
    delay_seconds: float = 0.0
    spread_seconds: float = 0.0


@dataclass
class OrderDelivery:
    """One event on its way to the bot.

    statuses: of each attempt; None where there was no answer.
    lost: never sent, by the weather. gave_up: all retries failed.
    """

    topic: str
    order_id: int
    webhook_id: str
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    statuses: list[int | None] = field(default_factory=list)
    lost: bool = False
    gave_up: bool = False

    @property
    def delivered(self) -> bool:
        """Tell whether the bot answered with 2xx."""
        return bool(self.statuses) and self.statuses[-1] in _SUCCESS


class OrderWebhooks:
    """The shop's webhook subscriptions to one URL; owns every task that delivers.

    url: None delivers nothing. topics: what is subscribed.
    secrets: those that are live, oldest first; Shopify signs with the oldest until it is revoked.
    time_scale: how long a second of delay, spread or retry takes; 0.001 makes four hours 14 seconds.
    shop_specific: a subscription made through the Admin API is deleted after 8 failures in a row, and is `listed`; one
        from `shopify.app.toml` is neither.
    """

    def __init__(
        self,
        *,
        shop: str,
        url: str | None,
        topics: Sequence[str],
        secrets: Sequence[str],
        api_version: str,
        clock: Clock,
        weather: Weather,
        time_scale: float,
        shop_specific: bool,
        seed: int,
    ) -> None:
        self.url = url
        self.topics = list(topics)
        self.secrets = list(secrets)
        self.weather = weather
        self.time_scale = time_scale
        self.deliveries: deque[OrderDelivery] = deque(maxlen=_REMEMBERED)
        self._shop = shop
        self.api_version = api_version
        self._clock = clock
        self._shop_specific = shop_specific
        self._random = random.Random(seed)  # noqa: S311 - the same bad day each time, not a secret
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def listed(self) -> list[dict[str, Any]]:
        """Give what the query `webhookSubscriptions` finds.

        https://shopify.dev/docs/api/admin-graphql/latest/queries/webhookSubscriptions
        """
        if self.url is None or not self._shop_specific:
            return []
        return [self.subscription(topic) for topic in self.topics]

    def subscription(self, topic: str) -> dict[str, Any]:
        """Give the node of one subscription."""
        return {
            "__typename": "WebhookSubscription",
            "id": f"gid://shopify/WebhookSubscription/{zlib.crc32(topic.encode())}",
            "topic": topic.upper().replace("/", "_"),
            "uri": self.url or "",
            "format": "JSON",
            "includeFields": [],
            "filter": None,
            "apiVersion": {"__typename": "ApiVersion", "handle": self.api_version, "displayName": self.api_version},
        }

    async def start(self) -> None:
        """Open the connections."""
        limits = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        # Not through a proxy of the environment: the bot under test is on this machine.
        self._client = httpx.AsyncClient(timeout=limits, trust_env=False)

    async def stop(self) -> None:
        """End all deliveries, also those that wait for a retry, and close the connections."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def settled(self) -> None:
        """Wait until nothing is on its way any more, retries included."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def send(self, topic: str, order: dict[str, Any], event_id: str) -> OrderDelivery | None:
        """Put an event on its way, without waiting; None if nobody is subscribed to *topic*.

        The body is fixed now: a retry delivers what the order was then.
        """
        if self.url is None or topic not in self.topics:
            return None
        if self._client is None:
            raise RuntimeError("webhooks are delivered while the simulator serves: use it inside serve()")
        body = order_bytes(order)
        webhook_id = str(uuid4())
        headers = shopify_headers(
            topic,
            body,
            self.secrets[0],
            self._shop,
            webhook_id=webhook_id,
            event_id=event_id,
            triggered_at=datetime.fromtimestamp(self._clock(), UTC).isoformat().replace("+00:00", "Z"),
            api_version=self.api_version,
        )
        delivery = OrderDelivery(topic, order["id"], webhook_id, body, headers)
        self.deliveries.append(delivery)
        if self._random.random() < self.weather.loss:
            delivery.lost = True
            return delivery
        copies = 2 if self._random.random() < self.weather.duplication else 1
        for _ in range(copies):
            wait = self.weather.delay_seconds + self._random.random() * self.weather.spread_seconds
            task = asyncio.get_running_loop().create_task(self._deliver(self._client, delivery, wait))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return delivery

    async def _deliver(self, client: httpx.AsyncClient, delivery: OrderDelivery, wait: float) -> None:
        address = self.url or ""
        for pause in (wait, *RETRY_DELAYS_SECONDS):
            await asyncio.sleep(pause * self.time_scale)
            status = await _post(client, address, delivery)
            delivery.statuses.append(status)
            if status in _SUCCESS:
                return
        delivery.gave_up = True
        if self._shop_specific:
            self.topics = [topic for topic in self.topics if topic != delivery.topic]


async def _post(client: httpx.AsyncClient, url: str, delivery: OrderDelivery) -> int | None:
    try:
        response = await client.post(url, content=delivery.body, headers=delivery.headers)
    except (httpx.TransportError, AttributeError):
        # The latter: anyio on uvloop, where a connection is reset while it is being made.
        return None
    return response.status_code
