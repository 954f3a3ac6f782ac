"""The carts that the bot fills: `cart:{psid}`, changed without ever losing somebody else's change."""

import asyncio
import random
import secrets
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from weakref import WeakValueDictionary

from redis.asyncio import Redis

from shopbot.model.shared_keys import SharedKeys
from shopbot.model.shopper_cart import Cart, UnreadableCartError
from shopbot.store.connection import script

_ATTEMPTS = 20
_PAUSE_SECONDS = 0.005


class CartChangedError(Exception):
    """The cart is not the one any more that the change was meant for."""


class CartBusyError(Exception):
    """Others changed the cart again and again, and nothing was written."""


@dataclass(frozen=True, slots=True)
class StoredCart:
    """A cart, and the tag by which this very state of it can be told from any other."""

    cart: Cart
    tag: str


class Carts:
    """The carts of one shop's shoppers."""

    def __init__(self, client: Redis, keys: SharedKeys, *, ttl_seconds: float, clock: Callable[[], datetime]) -> None:
        """Work on the store.

        ttl_seconds: how long a cart is kept after its last change.
        """
        self._client = client
        self._keys = keys
        self._ttl_ms = int(ttl_seconds * 1000)
        self._clock = clock
        self._chance = random.Random()  # noqa: S311 - spreads attempts, guards nothing
        self._replace = script(client, "replace")
        self._remove = script(client, "remove")
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, psid: str) -> StoredCart:
        """Give a shopper's cart, an empty one where there is none.

        Raises:
            UnreadableCartError: something else is stored.
        """
        return _stored(await self._get(psid))

    async def change(
        self,
        psid: str,
        edit: Callable[[Cart], Cart],
        *,
        tags: AbstractSet[str] | None = None,
        whole: bool = False,
    ) -> StoredCart:
        """Write what *edit* makes of the cart, and give it.

        edit: called again when another change came in between; what it raises comes out and nothing is written, nor is
            what it gives back as it was.
        tags: the states that the change is meant for; None for any.
        whole: *edit* replaces the whole cart, so that it does not matter what was stored.

        Raises:
            UnreadableCartError: something else is stored (not with *whole*).
            CartChangedError: the cart is in none of the states of *tags*.
            CartBusyError: others were faster too often.
        """
        # Within the process one after the other; between processes whoever writes first.
        async with self._locks.setdefault(psid, asyncio.Lock()):
            for attempt in range(_ATTEMPTS):
                before = await self._get(psid)
                _check(before, tags)
                cart = Cart() if whole else _stored(before).cart
                edited = edit(cart)
                if edited is cart:
                    return _stored(before)
                after = self._written(edited)
                if await self._swap(psid, before, after):
                    return _stored(after)
                await asyncio.sleep(self._chance.random() * _PAUSE_SECONDS * attempt)
        raise CartBusyError("the cart is being changed all the time")

    async def delete(self, psid: str, *, tags: AbstractSet[str] | None = None) -> None:
        """Delete a cart; there may be none.

        Raises:
            CartChangedError: the cart is in none of the states of *tags*.
        """
        if tags is None:
            await self._client.delete(self._keys.cart(psid))
            return
        before = await self._get(psid)
        _check(before, tags)
        if before and not await self._remove([self._keys.cart(psid)], [before]) and await self._get(psid):
            raise CartChangedError("the cart was changed meanwhile")

    async def _get(self, psid: str) -> bytes:
        found = await self._client.get(self._keys.cart(psid))
        return found.encode() if isinstance(found, str) else found or b""

    async def _swap(self, psid: str, before: bytes, after: bytes) -> bool:
        if await self._replace([self._keys.cart(psid)], [before, after, self._ttl_ms]):
            return True
        # A script whose answer was lost is sent again, and then finds its own work: the revision tells.
        return await self._get(psid) == after

    def _written(self, cart: Cart) -> bytes:
        return cart.model_copy(update={"updated_at": self._clock(), "revision": secrets.token_hex(8)}).to_json()


def _check(content: bytes, tags: AbstractSet[str] | None) -> None:
    if tags is not None and _tag(content) not in tags:
        raise CartChangedError("the cart was changed meanwhile")


def _tag(content: bytes) -> str:
    return sha256(content).hexdigest()[:32]


def _stored(content: bytes) -> StoredCart:
    """Read what is stored; raises UnreadableCartError."""
    return StoredCart(Cart.from_json(content) if content else Cart(), _tag(content))


__all__ = ["CartBusyError", "CartChangedError", "Carts", "StoredCart", "UnreadableCartError"]
