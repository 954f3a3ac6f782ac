"""Order references: how an order is found again for a year, by its shopper or, unresolved, by its id."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from shopbot.model.order import Order
from shopbot.model.order_reference import OrderReference
from shopbot.model.shared_keys import SharedKeys
from shopbot.store.connection import script
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds

MOST_INDEXED = 100
"""So many of a shopper's orders, the newest, are found without their ids."""
_EARLY_MS = 2 * 86_400_000
_SCANNED_AT_ONCE = 500


class References:
    """The shared keys `order_reference:…` and `order_confirmation:…` of one shop, and the index by shopper."""

    def __init__(self, client: Redis, keys: Keys, shared: SharedKeys, *, ttl_seconds: float) -> None:
        """Work on the store.

        ttl_seconds: how long an order can be found after the last news of it.
        """
        self._client = client
        self._keys = keys
        self._shared = shared
        self._ttl_ms = int(ttl_seconds * 1000)
        self._replace = script(client, "replace")
        self._index_order = script(client, "index_order")

    async def save(self, order: Order, psid: str | None) -> OrderReference:
        """Keep an order under its shopper; None keeps it as unresolved.

        What is known of it already stays, and what was kept while its shopper was not known goes into the reference.
        """
        return await self.update(order.id, psid, lambda known: known.with_order(order))

    async def confirm(
        self, order: Order, psid: str, message_id: str, sent_at: datetime, *, saved: OrderReference | None = None
    ) -> None:
        """Mark an order as confirmed to its shopper; safe to repeat with the same facts.

        saved: what `save` has just given for the order. While nobody else has written since, that need not be read;
            None where it is not known.
        """
        if saved is None or saved.psid != psid or not await self._confirm_saved(saved, sent_at):
            await self.update(
                order.id, psid, lambda known: known.with_order(order).model_copy(update={"confirmed_at": sent_at})
            )
        mark = confirmation_mark(order.id, message_id, sent_at)
        await self._client.set(self._shared.order_confirmation(psid, order.id), mark, px=self._ttl_ms)

    async def _confirm_saved(self, saved: OrderReference, sent_at: datetime) -> bool:
        confirmed = saved.model_copy(update={"confirmed_at": sent_at})
        key = self._shared.order_reference(saved.psid, saved.order_id)
        return bool(await self._replace([key], [saved.as_json(), confirmed.as_json(), self._ttl_ms]))

    async def note(
        self, order_id: int, psid: str | None, change: Callable[[OrderReference], OrderReference]
    ) -> OrderReference:
        """Take news of an order into its reference; gives what is kept now.

        Of an order whose shopper is not known the news is kept for two days: the webhook that tells may be late, but
        most such orders have nothing to do with Messenger.

        change: as for `update`.
        """
        return await self.update(order_id, psid, change, ttl_ms=None if psid is not None else _EARLY_MS)

    async def update(
        self,
        order_id: int,
        psid: str | None,
        change: Callable[[OrderReference], OrderReference],
        *,
        ttl_ms: int | None = None,
    ) -> OrderReference:
        """Change a reference, or begin it; gives what is kept now.

        change: gives the reference as it is to be, and is called again where another event was faster.
        ttl_ms: the life of a reference that is begun; one that is there keeps its own. None gives it its whole life.
        """
        key, unresolved_key = (self._shared.order_reference(name, order_id) for name in (psid, None))
        while True:
            async with self._client.pipeline(transaction=False) as pipeline:
                pipeline.get(key)
                pipeline.get(unresolved_key)
                earlier, unresolved = await pipeline.execute()
            reference = change(_read(earlier, order_id, psid))
            if psid is not None and unresolved:
                reference = reference.with_news_of(_read(unresolved, order_id, None))
            life_ms = self._ttl_ms if ttl_ms is None else 0 if earlier else ttl_ms
            if await self._replace([key], [earlier or "", reference.as_json(), life_ms]):
                break
        if psid is not None:
            await self._index(reference, psid, unresolved_key if unresolved else None)
        return reference

    async def find(self, psid: str | None, order_id: int) -> OrderReference | None:
        """Give a shopper's own order; None for one that is not theirs, and for one that nothing is known of.

        psid: None finds an order that is kept as unresolved.
        """
        found = await self._client.get(self._shared.order_reference(psid, order_id))
        return _read(found, order_id, psid) if found else None

    async def called(self, name: str) -> Sequence[OrderReference]:
        """Give the orders that people call *name*, with `#` or without.

        Looks through all references, which takes as long as there are many: for people who ask, never for an event.
        """
        wanted, cursor = _plain(name), 0
        found: dict[bytes, OrderReference] = {}  # a scan may give a key twice
        while True:
            page: Any = await self._client.scan(cursor, match=self._shared.order_references, count=_SCANNED_AT_ONCE)
            cursor, keys = page
            async with self._client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.get(key)
                texts = await pipeline.execute()
            for key, text in zip(keys, texts, strict=True):
                if wanted.isascii() and wanted.encode() not in (text or b"").lower():
                    continue  # far cheaper than to read each of them
                place = self._shared.read_order_reference(key.decode(errors="replace"))
                reference = _read(text, place[1], place[0]) if place is not None else None
                if reference is not None and _plain(reference.number) == wanted:
                    found[key] = reference
            if cursor == 0:
                return list(found.values())

    async def newest(self, psid: str, count: int) -> Sequence[OrderReference]:
        """Give a shopper's last *count* orders, the newest first; takes as long however many there are in the store."""
        # Twice as many: of old orders the reference may be gone.
        entries = await self._client.zrange(self._keys.orders_of(psid), 0, 2 * count - 1, desc=True)
        if not entries:
            return []
        order_ids = [int(entry) for entry in entries if isinstance(entry, bytes)]
        # One command per key: on a cluster they live in different slots.
        async with self._client.pipeline(transaction=False) as pipeline:
            for order_id in order_ids:
                pipeline.get(self._shared.order_reference(psid, order_id))
            found = await pipeline.execute()
        references = [_read(text, order_id, psid) for order_id, text in zip(order_ids, found, strict=True) if text]
        return references[:count]

    async def _index(self, reference: OrderReference, psid: str, unresolved_key: str | None) -> None:
        """Enter a reference into its shopper's index; a crash before this leaves the event to be worked on again."""
        ordered_at = reference.created_at or reference.updated_at or datetime.now(UTC)
        moment_ms = milliseconds(ordered_at)
        writes: list[Awaitable[Any]] = [
            self._index_order(
                [self._keys.orders_of(psid)], [str(reference.order_id), moment_ms, MOST_INDEXED, self._ttl_ms]
            )
        ]
        if unresolved_key is not None:
            writes.append(self._client.delete(unresolved_key))
        await asyncio.gather(*writes)


def confirmation_mark(order_id: int, message_id: str, sent_at: datetime) -> str:
    """Write what `order_confirmation:{psid}:{order_id}` holds."""
    return json.dumps({"order_id": str(order_id), "message_id": message_id, "confirmed_at": sent_at.isoformat()})


def _read(text: bytes | str | None, order_id: int, psid: str | None) -> OrderReference:
    return OrderReference.from_json(text, order_id, psid) if text else OrderReference.of(order_id, psid)


def _plain(name: str) -> str:
    return name.strip().removeprefix("#").casefold()
