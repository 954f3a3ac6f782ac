"""Which events workers have in hand: what waits for the end of all attempts that began before a moment."""

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shopbot.store.keys import Keys
from shopbot.store.queue import GROUP

_PAGE = 100
NOTHING = "0-0"


class InHand:
    """The events of one shop that were handed to workers."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def latest(self) -> str:
        """Give the place in the inbox up to which events have been handed out."""
        try:
            groups: Any = await self._client.xinfo_groups(self._keys.inbox)
        except ResponseError:  # no process has ever worked on it
            return NOTHING
        for group in groups:
            if _text(group["name"]) == GROUP:
                return _text(group["last-delivered-id"])
        return NOTHING

    async def any_until(self, place: str) -> bool:
        """Say whether a living process is still at an event that was handed out up to a place.

        What a dead process left is begun anew by another one, and so does not count.
        """
        if place == NOTHING:
            return False
        start, alive = "-", dict[str, bool]()
        while True:
            try:
                entries: Any = await self._client.xpending_range(self._keys.inbox, GROUP, start, place, _PAGE)
            except ResponseError:  # the store has lost its data, and the group with it
                return False
            for entry in entries:
                consumer = _text(entry["consumer"])
                if consumer not in alive:
                    alive[consumer] = bool(await self._client.exists(self._keys.consumer(consumer)))
                if alive[consumer]:
                    return True
            if len(entries) < _PAGE:
                return False
            start = "(" + _text(entries[-1]["message_id"])


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
