"""Echoes: a platform's word that it carried a message, and the evidence that its word arrives at all."""

from datetime import UTC, datetime

from redis.asyncio import Redis

from shopbot.store.connection import script
from shopbot.store.keys import Keys


class Echoes:
    """The echoes of one shop's messages."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._echo = script(client, "echo")

    async def arrived(self, claim: str, token: str, message_id: str, now: datetime, sent_at: datetime) -> bool:
        """Take in an echo; True when it settled a send in doubt.

        claim: the claim's business key, as `ClaimKey.text` gives it.
        sent_at: when the platform says that it sent the message.
        """
        keys = self._keys
        settled = await self._echo(
            [keys.claim_of(claim), keys.held, keys.dead, keys.inbox, keys.echoes],
            [token, message_id, int(now.timestamp() * 1000), int(sent_at.timestamp() * 1000)],
        )
        return bool(settled == 1)

    async def listening(self, now: datetime) -> None:
        """Note that a process has begun to take webhooks: echoes may have been lost before this moment."""
        await self._client.hset(self._keys.echoes, "listening_ms", str(int(now.timestamp() * 1000)))

    async def would_have_come(self, claimed_at: datetime) -> bool:
        """Say whether the missing echo of a message claimed then is evidence that it was not carried.

        It is, when echoes of messages sent after it have arrived, and every process that takes webhooks has been
        running since before it: an echo that met a process that was down may never be repeated.
        """
        last_ms, listening_ms = await self._client.hmget(self._keys.echoes, ["last_sent_ms", "listening_ms"])
        if last_ms is None or listening_ms is None:
            return False
        return _moment(last_ms) > claimed_at > _moment(listening_ms)


def _moment(milliseconds: bytes | str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
