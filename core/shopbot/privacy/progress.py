"""How far a search has got, kept in the store: after a crash, or when its time is up, it goes on from there."""

from dataclasses import dataclass, field

from pydantic import TypeAdapter
from redis.asyncio import Redis

from shopbot.privacy.person import Traces
from shopbot.store.keys import Keys


@dataclass(slots=True)
class Progress:
    """One search, as far as it has come."""

    waits_for: str | None = None
    """The place in the inbox up to which attempts must have ended; None until the marks are set."""
    marked: int = 0
    """How many orders and shoppers are marked as erased."""
    run: str = ""
    """The store's run in which the cursor means something."""
    cursor: int | None = None
    """Where the pass goes on; None between passes."""
    passes: int = 0
    """Complete ones."""
    changed: bool = False
    """Whether this pass has found anything, so that it takes another one to be sure."""
    records: int = 0
    """How many were erased."""
    traces: Traces = field(default_factory=Traces)
    """What was found, as the indexes may not lead to it."""
    keys: list[str] = field(default_factory=list)
    """The keys that were found, where they are to be shown."""


_TTL_MS = 86_400_000
"""A search that has not moved for a day begins anew: what it knows of a person must not lie around."""

_JSON = TypeAdapter(Progress)


class ProgressRecords:
    """The searches of one shop."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def load(self, task_id: str) -> Progress:
        """Give a search's progress; that of a new one where there is none."""
        found = await self._client.get(self._keys.privacy_search(task_id))
        return _JSON.validate_json(found) if found else Progress()

    async def save(self, task_id: str, progress: Progress) -> None:
        """Keep it."""
        await self._client.set(self._keys.privacy_search(task_id), _JSON.dump_json(progress), px=_TTL_MS)

    async def drop(self, task_id: str) -> None:
        """Forget a search: it has ended."""
        await self._client.unlink(self._keys.privacy_search(task_id))
