"""Erases keys, each kind as it must be: so that nothing that goes on stumbles over what is missing."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from shopbot.privacy.inventory import FoundKey
from shopbot.store.checkouts import ERASED_ORDER
from shopbot.store.connection import Script, script
from shopbot.store.keys import Keys

ANCHORS = frozenset({"shopper", "order", "orders_of", "events_of"})
"""Kinds that a search begins with: they go last, or it could not be begun again after a crash."""

_AT_ONCE = 500
_SCRIPTS_AT_ONCE = 50


class Eraser:
    """Erases keys of one shop. Everything may be repeated."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._event = script(client, "erase_event")
        self._checkout = script(client, "end_checkout")

    async def erase(self, found: Sequence[FoundKey]) -> int:
        """Erase keys, but for those that a search begins with; gives how many are gone.

        An event that is in the inbox or in a worker's hands stays: its attempt ends, and takes its body away.
        """
        events = {key.parts["event_id"] for key in found if key.name in ("event", "journal")}
        claims = [key.key for key in found if key.name == "claim"]
        links = [key.key for key in found if key.name == "checkout"]
        special = {"event", "journal", "claim", "checkout", *ANCHORS}
        gone = await self._run(self._event, [(self._keys_of(event_id), [event_id]) for event_id in sorted(events)])
        gone += await self._run(self._checkout, [([link], [ERASED_ORDER]) for link in links])
        gone += await self._erase_claims(claims)
        return gone + await self.unlink([key.key for key in found if key.name not in special])

    async def unlink(self, keys: Sequence[str]) -> int:
        """Erase keys of whatever type; gives how many there were."""
        gone = 0
        for start in range(0, len(keys), _AT_ONCE):
            # One command per key: on a cluster the keys live in different slots.
            async with self._client.pipeline(transaction=False) as pipeline:
                for key in keys[start : start + _AT_ONCE]:
                    pipeline.unlink(key)
                gone += sum(await pipeline.execute())
        return gone

    async def _run(self, script: Script, calls: Sequence[tuple[list[str], list[str | bytes | int]]]) -> int:
        """Run a script for each of some keys; gives how many are gone."""
        gone = 0
        for start in range(0, len(calls), _SCRIPTS_AT_ONCE):
            async with self._client.pipeline(transaction=False) as pipeline:
                for keys, args in calls[start : start + _SCRIPTS_AT_ONCE]:
                    await script(keys, args, pipeline)
                gone += sum(max(0, answer) for answer in await pipeline.execute())
        return gone

    def _keys_of(self, event_id: str) -> list[str]:
        keys = self._keys
        event = keys.event(event_id)
        # A webhook's own id tells nothing, and goes on keeping repetitions out.
        seen = event if event_id.startswith("webhook:") else keys.seen(event_id)
        return [event, keys.journal(event_id), seen, keys.retries, keys.held, keys.parked, keys.dead]

    async def _erase_claims(self, claims: Sequence[str]) -> int:
        if not claims:
            return 0
        async with self._client.pipeline(transaction=False) as pipeline:
            for claim in claims:
                pipeline.hget(claim, "token")
            tokens: Any = await pipeline.execute()
        known = [token for token in tokens if token is not None]
        if known:
            # Its echo will be nobody's, and must not be missed either.
            await self._client.zrem(self._keys.unechoed, *known)
        return await self.unlink(claims)
