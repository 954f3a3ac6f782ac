"""When a shopper last did something that opens the standard messaging window."""

from datetime import UTC, datetime

from redis.asyncio import Redis

from shopbot.store.keys import Keys

_KEEP_SECONDS = 400 * 86400


class Conversations:
    """The conversations of one shop's Page, as far as the Messenger webhook has told of them."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def active(self, psid: str, at: datetime) -> None:
        """Note that a shopper wrote, tapped or came by a link; an earlier moment than the one known changes nothing."""
        earlier = await self.last_active(psid)
        if earlier is None or earlier < at:
            await self._client.set(
                self._keys.conversation(psid), str(int(at.timestamp() * 1000)), px=_KEEP_SECONDS * 1000
            )

    async def last_active(self, psid: str) -> datetime | None:
        """Give the moment of the last activity; None where none is known."""
        found = await self._client.get(self._keys.conversation(psid))
        return datetime.fromtimestamp(int(found) / 1000, UTC) if found else None
