"""Pseudonyms: names under which something is kept about a person whose id must not stay.

Who knows the id finds what is kept; who only sees the pseudonym learns nothing. The secret that they are made with
lives in the store beside them, so that all processes agree: it protects against what reads or copies the names of keys,
not against somebody who has the whole store and tries all ids. So it is for what the law or a promise demands to keep.
"""

import hmac
import secrets
from collections.abc import Callable, Sequence

from redis.asyncio import Redis

from shopbot.store.keys import Keys

_SECRET_BYTES = 32
_DIGITS = 32
"""128 bits: no two ids of a shop will ever have the same."""


def shopper_id(psid: str) -> str:
    """Write a PSID so that its pseudonym is never that of something else."""
    return f"psid:{psid}"


def order_name(order_id: int) -> str:
    """Write an order's id likewise."""
    return f"order:{order_id}"


class Pseudonyms:
    """The pseudonyms of one shop."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._secret = b""

    async def of(self, *names: str) -> Sequence[str]:
        """Give the pseudonyms to write something under, made with the secret as the store has it now."""
        await self._load()
        return self._made(names)

    async def read(
        self, key: Callable[[str], str], names: Sequence[str], *others: str
    ) -> tuple[Sequence[bytes | None], Sequence[bytes | None]]:
        """Read in one round trip what is kept about some names, and the values of other keys.

        key: gives the key of a pseudonym.
        """
        if not self._secret:
            await self._load()
        while True:
            keys = [key(pseudonym) for pseudonym in self._made(names)]
            secret, *values = await self._client.mget(self._keys.pseudonym_secret, *others, *keys)
            if secret == self._secret:
                found = [value.encode() if isinstance(value, str) else value for value in values]
                return found[len(others) :], found[: len(others)]
            # The store has lost its data, or the shop was erased, since this process read it.
            await self._load()

    async def _load(self) -> None:
        key = self._keys.pseudonym_secret
        found = await self._client.get(key)
        while found is None:
            # Whoever is first makes it; the others take what is there then.
            await self._client.set(key, secrets.token_hex(_SECRET_BYTES), nx=True)
            found = await self._client.get(key)
        self._secret = found if isinstance(found, bytes) else found.encode()

    def _made(self, names: Sequence[str]) -> Sequence[str]:
        return [hmac.digest(self._secret, name.encode(), "sha256").hex()[:_DIGITS] for name in names]
