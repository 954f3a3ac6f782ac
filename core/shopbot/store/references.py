"""Order references: how an order is found again for a year, by its shopper or, unresolved, by its id."""

import json
from datetime import datetime

from redis.asyncio import Redis

from shopbot.model.order import Order
from shopbot.model.shared_keys import SharedKeys
from shopbot.store.connection import script


class References:
    """The shared keys `order_reference:…` and `order_confirmation:…` of one shop."""

    def __init__(self, client: Redis, keys: SharedKeys, *, ttl_seconds: float) -> None:
        self._client = client
        self._keys = keys
        self._ttl_ms = int(ttl_seconds * 1000)
        self._replace = script(client, "replace")

    async def save(self, order: Order, psid: str | None) -> None:
        """Keep an order under its shopper; None keeps it as unresolved.

        An earlier `confirmed_at` stays. Once the shopper is known, the unresolved reference goes.
        """
        key = self._keys.order_reference(psid, order.id)
        while True:
            earlier = await self._client.get(key)
            reference = _reference(order, psid, _confirmed_at(earlier) if earlier else None)
            if await self._replace([key], [earlier or "", reference, self._ttl_ms]):
                break  # else another event of the order has just saved or confirmed it: its `confirmed_at` counts
        if psid is not None:
            await self._client.delete(self._keys.order_reference(None, order.id))

    async def confirm(self, order: Order, psid: str, message_id: str, sent_at: datetime) -> None:
        """Mark an order as confirmed to its shopper; safe to repeat with the same facts."""
        moment = sent_at.isoformat()
        mark = {"order_id": str(order.id), "message_id": message_id, "confirmed_at": moment}
        await self._client.set(
            self._keys.order_reference(psid, order.id), _reference(order, psid, moment), px=self._ttl_ms
        )
        await self._client.set(self._keys.order_confirmation(psid, order.id), json.dumps(mark), px=self._ttl_ms)


def _reference(order: Order, psid: str | None, confirmed_at: str | None) -> str:
    return json.dumps(
        {
            # Text, because the ids pass 2^53 and the other parts of a bot may be written in JavaScript.
            "order_id": str(order.id),
            "order_number": order.name,
            "created_at": order.created_at.isoformat() if order.created_at else None,
            "confirmed_at": confirmed_at,
            "psid": psid,
            "financial_status": order.financial_status,
        }
    )


def _confirmed_at(reference: bytes | str) -> str | None:
    try:
        value = json.loads(reference).get("confirmed_at")
    except (ValueError, AttributeError):
        return None  # another part of the bot wrote something else; it is replaced
    return value if isinstance(value, str) else None
