"""Remembers which shopper an order was resolved to, and what the shop itself knows of a PSID."""

from redis.asyncio import Redis

from shopbot.model.shared_keys import SharedKeys
from shopbot.store.keys import Keys


class Shoppers:
    """The shoppers of one shop, as far as the store has records of them."""

    def __init__(self, client: Redis, keys: Keys, shared: SharedKeys, *, remember_seconds: float) -> None:
        """Work on the store.

        remember_seconds: how long an order's shopper is remembered.
        """
        self._client = client
        self._keys = keys
        self._shared = shared
        self._remember_ms = int(remember_seconds * 1000)

    async def of_order(self, order_id: int) -> str | None:
        """Give the trusted PSID that an order was resolved to before; None where it was not."""
        found = await self._client.get(self._keys.shopper(order_id))
        return found.decode() if isinstance(found, bytes) else found

    async def remember(self, order_id: int, psid: str) -> None:
        """Keep an order's shopper: a retry must not depend on the cart that the first attempt has cleared."""
        await self._client.set(self._keys.shopper(order_id), psid, px=self._remember_ms)

    async def knows(self, psid: str) -> bool:
        """Say whether the shop holds a cart, a checkout token or a conversation of this PSID."""
        # One command per key: on a cluster the keys live in different slots.
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.exists(self._shared.cart(psid))
            pipeline.exists(self._shared.checkout_token(psid))
            pipeline.exists(self._keys.conversation(psid))
            return any(await pipeline.execute())
