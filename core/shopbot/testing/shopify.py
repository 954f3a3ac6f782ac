"""A Shopify store of one's own: the Admin API that a poller asks, and the webhooks that it makes good for.

    shop = ShopifySimulator(webhook_url="http://127.0.0.1:8000/webhooks/shopify")
    async with shop.serve() as address:
        shop.place(paid_order(psid="7312345678901234"))
        await shop.webhooks.settled()

Orders are kept as REST bodies; a webhook carries that body, and `orders` shows the same order as a GraphQL node.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from shopbot.testing.clock import Clock
from shopbot.testing.orders import updated_order
from shopbot.testing.serving import serving
from shopbot.testing.shopify_http import build_app
from shopbot.testing.shopify_orders import OrderStore
from shopbot.testing.shopify_throttle import Bucket
from shopbot.testing.shopify_webhooks import OrderDelivery, OrderWebhooks, Weather

__all__ = ["OrderDelivery", "ShopifySimulator", "Weather"]

ORDER_TOPICS = ("orders/create", "orders/paid", "orders/updated", "orders/cancelled")


class ShopifySimulator:
    """One shop, with one app installed.

    shop: its `….myshopify.com` domain.
    access_token: a permanent token, as of a legacy custom app; None: only the client credentials grant works.
    client_id, client_secret: of the app; the secret also signs webhooks. To play a rotation, change
        `webhooks.secrets`: Shopify signs with the first, which is the oldest.
    token_lifetime_seconds: of tokens from the grant, by *clock*.
    scopes: without `read_all_orders`, orders older than 60 days are absent; without `read_orders`, all are
        refused.
    clock: gives the time in seconds since 1970 UTC; stamps orders, moves the index and refills the bucket.
    index_lag_seconds: how long `orders` does not see a change.
    maximum_points, restore_rate: of the throttle bucket, in points and points a second.
    throttled_as: the HTTP status of a throttled answer, 200 or 429 (with Retry-After); both occur.
    clock_skew_seconds: by how much Shopify's clock is ahead of the real one, in the `Date` header of its answers.
    webhook_url, topics, weather, time_scale, shop_specific, seed: see `OrderWebhooks`.

    `bucket.drain()` provokes throttling, `fail_next` other failures. `throttled_as`, `scopes`, `clock_skew_seconds` and
    the attributes of `webhooks` and `orders` may be changed while it runs.
    """

    def __init__(
        self,
        *,
        shop: str = "acme.myshopify.com",
        access_token: str | None = "shpat_simulated",  # noqa: S107 - accepted by this simulator alone
        client_id: str = "simulated-client",
        client_secret: str = "simulated-secret",  # noqa: S107 - known to this simulator alone
        token_lifetime_seconds: float = 86_399,
        scopes: Sequence[str] = ("read_orders",),
        clock: Clock = time.time,
        index_lag_seconds: float = 0.0,
        maximum_points: float = 2000,
        restore_rate: float = 100,
        throttled_as: int = 200,
        clock_skew_seconds: float = 0.0,
        webhook_url: str | None = None,
        topics: Sequence[str] = ORDER_TOPICS,
        webhook_api_version: str = "2026-10",
        weather: Weather | None = None,
        time_scale: float = 1.0,
        shop_specific: bool = False,
        seed: int = 0,
    ) -> None:
        self.shop = shop
        self.scopes = tuple(scopes)
        self.clock = clock
        self.throttled_as = throttled_as
        self.clock_skew_seconds = clock_skew_seconds
        self.token_lifetime_seconds = token_lifetime_seconds
        self.orders = OrderStore(clock, index_lag_seconds)
        self.bucket = Bucket(clock, maximum_points, restore_rate)
        self.webhooks = OrderWebhooks(
            shop=shop,
            url=webhook_url,
            topics=topics,
            secrets=[client_secret],
            api_version=webhook_api_version,
            clock=clock,
            weather=weather or Weather(),
            time_scale=time_scale,
            shop_specific=shop_specific,
            seed=seed,
        )
        self.query_count = 0
        self.failures: list[tuple[int, float | None]] = []
        self._credentials = (client_id, client_secret)
        self._tokens: dict[str, float | None] = {} if access_token is None else {access_token: None}

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Answer until the block ends; gives the address, such as `http://127.0.0.1:54321`.

        The Admin API is at `{address}/admin/api/2026-10/graphql.json`. *port* 0 takes a free one.
        """
        await self.webhooks.start()
        try:
            async with serving(build_app(self), host, port) as address:
                yield address
        finally:
            await self.webhooks.stop()

    def place(self, body: dict[str, Any]) -> dict[str, Any]:
        """Let a shopper order: stamp *body* with the time now, keep it, and send what Shopify sends.

        That is `orders/create` and `orders/updated`, and `orders/paid` if it is paid. Gives the stamped body.
        """
        now = self._now_like(body)
        times = {name: now.isoformat(timespec="seconds") for name in ("created_at", "processed_at")}
        placed = updated_order(body, now, **times)
        paid = placed.get("financial_status") == "paid"
        self.put(placed, "orders/create", *(["orders/paid"] if paid else []), "orders/updated")
        return placed

    def update(self, order_id: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of the order
        """Change top-level fields of an order now, and send what Shopify sends; gives the changed body.

        That is `orders/updated`; `orders/paid` if it became paid; `orders/cancelled` if it became cancelled.

        Raises KeyError if there is no such order.
        """
        before = self.orders.get(order_id)
        if before is None:
            raise KeyError(order_id)
        after = updated_order(before, self._now_like(before), **changes)
        topics = ["orders/updated"]
        if after.get("financial_status") == "paid" != before.get("financial_status"):
            topics.append("orders/paid")
        if after.get("cancelled_at") and not before.get("cancelled_at"):
            topics.append("orders/cancelled")
        self.put(after, *topics)
        return after

    def put(self, body: dict[str, Any], *topics: str) -> list[OrderDelivery]:
        """Keep *body* as it is, timestamps too, and send *topics*; all of them share one event id."""
        self.orders.put(body)
        event_id = str(uuid4())
        sent = [self.webhooks.send(topic, body, event_id) for topic in topics]
        return [delivery for delivery in sent if delivery is not None]

    def fail_next(self, status: int, times: int = 1, *, retry_after_seconds: float | None = None) -> None:
        """Answer the next *times* queries with HTTP *status* and no GraphQL."""
        self.failures.extend([(status, retry_after_seconds)] * times)

    def grant(self, client_id: str, client_secret: str) -> str | None:
        """Give a new token for the app's credentials, or None if they are wrong."""
        if (client_id, client_secret) != self._credentials:
            return None
        token = f"shpat_{secrets.token_hex(16)}"
        self._tokens[token] = self.clock() + self.token_lifetime_seconds
        return token

    def accepts(self, token: str | None) -> bool:
        """Tell whether *token* is one of this shop's and has not expired."""
        if token is None or token not in self._tokens:
            return False
        expires = self._tokens[token]
        return expires is None or self.clock() < expires

    def revoke(self, token: str) -> None:
        """Refuse *token* from now on."""
        self._tokens.pop(token, None)

    def _now_like(self, body: dict[str, Any]) -> datetime:
        """Give the time now with the UTC offset that the shop writes."""
        offset = datetime.fromisoformat(body["created_at"]).tzinfo
        return datetime.fromtimestamp(self.clock(), UTC).astimezone(offset)
