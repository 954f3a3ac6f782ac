"""What is left of persons and shops that were erased: marks that keep late news of them from being kept again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.asyncio import Redis

from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds, moment_of
from shopbot.store.pseudonyms import Pseudonyms, order_name, shopper_id

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Marks:
    """What the marks say about one event."""

    order: bool = False
    """Whether its order was erased."""
    shopper_at: datetime | None = None
    """When its shopper was erased: what they did until then is not kept; None where they were not."""
    shop_at: datetime | None = None
    """When all of the shop was erased; None where it was not."""
    uninstalled_at: datetime | None = None
    """When the app was uninstalled; None where it was not, or was installed again since."""


class Erased:
    """The marks of one shop. A mark names an order or a shopper by a pseudonym."""

    def __init__(
        self,
        client: Redis,
        keys: Keys,
        *,
        order_ttl: timedelta = timedelta(days=365),
        shopper_ttl: timedelta = timedelta(days=30),
    ) -> None:
        """Work on the store.

        order_ttl: how long news of an erased order may come.
        shopper_ttl: how long a platform may repeat what an erased shopper did before.
        """
        self._client = client
        self._keys = keys
        self._pseudonyms = Pseudonyms(client, keys)
        self._order_ttl = order_ttl
        self._shopper_ttl = shopper_ttl

    async def mark(self, order_ids: Collection[int], psids: Collection[str], now: datetime) -> None:
        """Mark orders and shoppers as erased; safe to repeat."""
        marks = [(order_name(order_id), self._order_ttl) for order_id in sorted(order_ids)]
        marks += [(shopper_id(psid), self._shopper_ttl) for psid in sorted(psids)]
        for start in range(0, len(marks), _AT_ONCE):
            part = marks[start : start + _AT_ONCE]
            pseudonyms = await self._pseudonyms.of(*(name for name, _ in part))
            async with self._client.pipeline(transaction=False) as pipeline:
                for pseudonym, (_, life) in zip(pseudonyms, part, strict=True):
                    pipeline.set(self._keys.erased(pseudonym), milliseconds(now), px=life)
                await pipeline.execute()

    async def mark_shop(self, now: datetime) -> None:
        """Mark all that came until now as erased."""
        await self._client.set(self._keys.erased_shop, milliseconds(now), px=self._order_ttl)

    async def look(self, order_id: int | None, psid: str | None) -> Marks:
        """Read the marks that matter for an event, in one round trip."""
        names = [order_name(order_id)] if order_id is not None else []
        names += [shopper_id(psid)] if psid is not None else []
        found, (shop, uninstalled) = await self._pseudonyms.read(
            self._keys.erased, names, self._keys.erased_shop, self._keys.uninstalled
        )
        return Marks(
            order=order_id is not None and found[0] is not None,
            shopper_at=_moment(found[-1]) if psid is not None else None,
            shop_at=_moment(shop),
            uninstalled_at=_moment(uninstalled),
        )

    async def orders(self, order_ids: Sequence[int]) -> Sequence[bool]:
        """Say of each order whether it was erased, in one round trip."""
        found, _ = await self._pseudonyms.read(self._keys.erased, [order_name(order_id) for order_id in order_ids])
        return [mark is not None for mark in found]

    async def uninstalled(self, at: datetime) -> None:
        """Note that the app was uninstalled."""
        await self._client.set(self._keys.uninstalled, milliseconds(at), px=self._shopper_ttl)

    async def installed(self) -> None:
        """Note that the app works after all: it was installed again."""
        await self._client.delete(self._keys.uninstalled)


def _moment(mark: bytes | None) -> datetime | None:
    return moment_of(mark) if mark is not None else None
