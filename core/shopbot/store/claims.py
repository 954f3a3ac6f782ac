"""Claims: who may send a message, and whether it was sent. The reason why nobody reads a confirmation twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from redis.asyncio import Redis

from shopbot.store.connection import script
from shopbot.store.keys import Keys


class ClaimState(StrEnum):
    """Where a claimed send stands."""

    NEW = "new"
    """Claimed by this very call: the caller may send, and must conclude."""
    SENDING = "sending"
    """Claimed earlier and not concluded: being sent now, or its sender died in the middle."""
    IN_DOUBT = "in_doubt"
    """The request was written and nobody knows whether it was carried out."""
    SENT = "sent"
    """Sent; final."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as the store holds it."""

    state: ClaimState
    event_id: str
    """The event that carries the message."""
    token: str
    """Unique to one send; it travels in the message's metadata."""
    message_id: str
    at: datetime
    """When the claim was made or concluded."""


class Claims:
    """The claims of one shop, by the business key: rule and subject, never a webhook id."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._claim = script(client, "claim")
        self._conclude = script(client, "conclude")

    async def look(self, rule: str, subject: str) -> Claim | None:
        """Read a claim without making one; None where nobody has claimed."""
        fields = await self._client.hmget(
            self._keys.claim(rule, subject), ["state", "event", "token", "message_id", "at_ms"]
        )
        return _read(fields) if fields[0] else None

    async def take(
        self, rule: str, subject: str, *, event_id: str, token: str, now: datetime, ttl_seconds: float
    ) -> Claim:
        """Claim the message of *rule* for *subject*; NEW in the answer's state says that this call has it."""
        answer = await self._claim(
            [self._keys.claim(rule, subject)],
            [event_id, token, int(now.timestamp() * 1000), int(ttl_seconds * 1000)],
        )
        return _read(answer)

    async def sent(self, rule: str, subject: str, token: str, message_id: str, now: datetime) -> bool:
        """Record that the message is out, for good; False where the claim is not this token's any more."""
        return await self._end(rule, subject, token, "sent", message_id, now)

    async def free(self, rule: str, subject: str, token: str, now: datetime) -> bool:
        """Give the claim back after a definite failure: nothing was sent."""
        return await self._end(rule, subject, token, "free", "", now)

    async def doubt(self, rule: str, subject: str, token: str, now: datetime) -> bool:
        """Record that nobody knows whether the message is out."""
        return await self._end(rule, subject, token, "in_doubt", "", now)

    async def _end(self, rule: str, subject: str, token: str, verdict: str, message_id: str, now: datetime) -> bool:
        done = await self._conclude(
            [self._keys.claim(rule, subject)], [token, verdict, message_id, int(now.timestamp() * 1000)]
        )
        return bool(done == 1)


def _read(fields: Sequence[bytes | str | None]) -> Claim:
    state, event_id, token, message_id, at_ms = (_text(field) for field in fields)
    return Claim(
        state=ClaimState(state),
        event_id=event_id,
        token=token,
        message_id=message_id,
        at=datetime.fromtimestamp(int(at_ms) / 1000, UTC),
    )


def _text(field: bytes | str | None) -> str:
    return field.decode() if isinstance(field, bytes) else field or ""
