"""Checkout links that were made: by which tokens their orders are known, and that each serves one order."""

from collections.abc import Iterable
from dataclasses import dataclass

from redis.asyncio import Redis

from shopbot.model.checkout import Checkout
from shopbot.model.shared_keys import SharedKeys
from shopbot.store.connection import script
from shopbot.store.keys import Keys

_MARGIN_MS = 60_000
"""A token's way to its link outlives its way to the shopper: without it, it would not be limited to one order."""

ERASED_ORDER = 0
"""The order that a link has served whose shopper was erased: it serves no other."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the store knows of a link, by the nonce of its signed token."""

    tokens: frozenset[str] = frozenset()
    """The cart and checkout tokens that are its own."""
    variant_ids: frozenset[int] = frozenset()
    """What it was made for; empty where nothing is known any more."""
    order_id: int | None = None
    """The order that it has served."""


@dataclass(frozen=True, slots=True)
class CheckoutTtl:
    """How long things are kept, in seconds."""

    latest: float
    """`checkout_token:{psid}`."""
    lookup: float
    """`checkout_token_lookup:{token}`."""
    cart_id: float
    order: float
    """That a link has served its order."""


class Checkouts:
    """The checkout links of one shop."""

    def __init__(self, client: Redis, keys: Keys, shared: SharedKeys, *, ttl: CheckoutTtl) -> None:
        self._client = client
        self._keys = keys
        self._shared = shared
        self._latest_ms = int(ttl.latest * 1000)
        self._lookup_ms = int(ttl.lookup * 1000)
        self._cart_id_ms = int(ttl.cart_id * 1000)
        self._order_ms = int(ttl.order * 1000)
        self._open = script(client, "open_checkout")

    async def made(
        self, psid: str, nonce: str, checkout: Checkout, variant_ids: Iterable[int], *, valid_seconds: float
    ) -> None:
        """Keep a new link.

        valid_seconds: the life of its signed token.
        """
        tokens = {checkout.checkout_token, checkout.cart_token or checkout.checkout_token}
        life_ms = max(int(valid_seconds * 1000), self._lookup_ms) + _MARGIN_MS
        key = self._keys.checkout(nonce)
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hset(key, "variants", ",".join(map(str, sorted(variant_ids))))
            pipeline.hset(key, "tokens", "\n".join(sorted(tokens)))
            pipeline.pexpire(key, life_ms)
            for token in tokens:
                pipeline.set(self._keys.checkout_of(token), nonce, px=life_ms)
            await pipeline.execute()
        await self._look_up(psid, tokens)
        await self._client.set(self._shared.checkout_token(psid), checkout.checkout_token, px=self._latest_ms)
        if checkout.cart_id is not None:
            cart_id = checkout.cart_id.get_secret_value()
            await self._client.set(self._shared.storefront_cart(psid), cart_id, px=self._cart_id_ms)

    async def seen(self, psid: str, tokens: Iterable[str], latest: str | None, nonce: str | None) -> None:
        """Complete the lookup: a shopper has opened the checkout.

        tokens: that its order may carry.
        latest: becomes the shopper's checkout token; None when the order is placed already.
        nonce: of the link, where it is one of ours.
        """
        if nonce is not None:
            async with self._client.pipeline(transaction=True) as pipeline:
                for token in tokens:
                    pipeline.set(self._keys.checkout_of(token), nonce, px=self._lookup_ms + _MARGIN_MS)
                await pipeline.execute()
        await self._look_up(psid, tokens)
        if latest is not None:
            await self._client.set(self._shared.checkout_token(psid), latest, px=self._latest_ms)

    async def shopper_of(self, token: str) -> str | None:
        """Give the shopper whose checkout or cart token it is; None where nobody noted it."""
        return _text(await self._client.get(self._shared.checkout_token_lookup(token)))

    async def nonce_of(self, token: str) -> str | None:
        """Give the nonce of the link that a token belongs to; None where shopbot did not make it."""
        return _text(await self._client.get(self._keys.checkout_of(token)))

    async def look(self, nonce: str) -> Made:
        """Give what is known of a link."""
        found = await self._client.hmget(self._keys.checkout(nonce), "tokens", "opened", "variants", "order_id")
        tokens, opened, variants, order_id = (_text(value) or "" for value in found)
        return Made(
            tokens=frozenset(filter(None, (*tokens.split("\n"), opened))),
            variant_ids=frozenset(int(variant) for variant in variants.split(",") if variant),
            order_id=int(order_id) if order_id else None,
        )

    async def open(self, nonce: str, token: str) -> bool:
        """Make a cart or checkout token the link's own, for the first who opens it; False for everybody else's."""
        return bool(await self._open([self._keys.checkout(nonce)], [token]))

    async def claim(self, nonce: str, order_id: int) -> int:
        """Let a link serve an order, once and for ever; gives the order that it serves."""
        key = self._keys.checkout(nonce)
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hsetnx(key, "order_id", str(order_id))
            pipeline.hget(key, "order_id")
            pipeline.pexpire(key, self._order_ms)
            _, served, _ = await pipeline.execute()
        return int(served)

    async def _look_up(self, psid: str, tokens: Iterable[str]) -> None:
        # One command per key: on a cluster the keys live in different slots.
        for token in tokens:
            await self._client.set(self._shared.checkout_token_lookup(token), psid, px=self._lookup_ms)


def _text(value: bytes | str | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
