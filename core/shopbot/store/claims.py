"""Claims: who may send a message, and whether it was sent. The reason why nobody reads a confirmation twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from redis.asyncio import Redis

from shopbot.store.connection import script
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import milliseconds, moment_of

_UNECHOED_REMEMBERED = 5_000
"""Messages without an echo that are remembered: where no echoes come at all, the latest ones say so well enough."""
_DOUBT_MS = 365 * 86_400_000
"""A message in doubt can be a dead letter for long, and its replay must not send it again."""

_FIELDS = ("state", "event", "token", "message_id", "at_ms", "claimed_ms", "echo_ms")


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
    BEHIND = "behind"
    """Not claimed: an earlier event has a message for the same shopper that must go first."""
    LIMITED = "limited"
    """Not claimed: the shopper's messages of this purpose are used up for now."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `count` messages of a purpose per shopper in any stretch of `period_seconds`."""

    purpose: str
    count: int
    period_seconds: float


@dataclass(frozen=True, slots=True)
class Ticket:
    """One send that wants to be claimed. The business key is rule and subject, never a webhook id."""

    rule: str
    subject: str
    """What the message is for, once: `order:1001`."""
    token: str
    """Unique to this send; it travels in the message's metadata."""
    event_id: str
    """The event that carries the message."""
    psid: str
    received_at: datetime
    """When the event arrived: its rank among the shopper's messages."""
    in_line: bool = True
    """Whether the shopper's earlier messages go first; answers do not wait."""
    keeps_place: bool = False
    """Whether the event keeps its place among them once this is sent."""
    allowance: Allowance | None = None

    @property
    def metadata(self) -> str:
        """Write what the platform echoes: it leads back to the claim without a look-up."""
        return write_metadata(self.rule, self.subject, self.token)


def write_metadata(rule: str, subject: str, token: str) -> str:
    """Put a claim's business key and its token into one text."""
    return f"shopbot|{rule}:{subject}|{token}"


def read_metadata(metadata: str) -> tuple[str, str] | None:
    """Split a message's metadata into the claim's business key and token; None where it is not ours."""
    parts = metadata.split("|")
    if len(parts) != 3 or parts[0] != "shopbot":  # noqa: PLR2004 - as `write_metadata` does
        return None
    return parts[1], parts[2]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as the store holds it."""

    state: ClaimState
    event_id: str
    """The event that carries the message; with BEHIND, the one that comes first."""
    token: str
    message_id: str
    at: datetime
    """When the claim was made or concluded; with LIMITED, when the next message is allowed."""
    claimed_at: datetime
    echoed_at: datetime | None = None
    """When the platform's echo of the message arrived; None where it has not, or was not asked for."""


class Claims:
    """The claims of one shop."""

    def __init__(self, client: Redis, keys: Keys, *, line_ttl_seconds: float) -> None:
        """Work on the store.

        line_ttl_seconds: how long an event can wait with a message: after that nobody waits behind it.
        """
        self._client = client
        self._keys = keys
        self._line_ttl_ms = int(line_ttl_seconds * 1000)
        self._join = script(client, "join")
        self._claim = script(client, "claim")
        self._conclude = script(client, "conclude")
        self._count = script(client, "count")
        self._leave = script(client, "leave")

    async def look(self, rule: str, subject: str) -> Claim | None:
        """Read a claim without making one; None where nobody has claimed."""
        return (await self.look_at([(rule, subject)]))[0]

    async def look_at(self, places: Sequence[tuple[str, str]]) -> Sequence[Claim | None]:
        """Read several claims, each by its rule and subject, in one round trip."""
        async with self._client.pipeline(transaction=False) as pipeline:
            for rule, subject in places:
                pipeline.hmget(self._keys.claim(rule, subject), _FIELDS)
            return [_read(fields) if fields[0] else None for fields in await pipeline.execute()]

    async def join(self, psid: str, event_id: str, received_at: datetime) -> None:
        """Take a place in the shopper's line, by arrival, before anything can hold the message up."""
        await self._join(
            [self._keys.line(psid), self._keys.event(event_id)],
            [event_id, milliseconds(received_at), self._line_ttl_ms],
        )

    async def leave(self, psid: str, event_id: str) -> None:
        """Give the place in the shopper's line up; whoever is next and waits for it is tried at once."""
        keys = self._keys
        await self._leave([keys.line(psid), keys.retries, keys.inbox], [event_id, keys.event("")])

    async def take(self, ticket: Ticket, now: datetime, *, ttl_seconds: float) -> Claim:
        """Claim a message; NEW in the answer's state says that this call has it.

        The shopper's line, the limit and the claim are one decision: no other process can come in between.
        """
        allowance = ticket.allowance
        answer = await self._claim(
            self._keys_of(ticket),
            [
                ticket.event_id,
                ticket.token,
                milliseconds(now),
                int(ttl_seconds * 1000),
                milliseconds(ticket.received_at),
                allowance.count if allowance else 0,
                int(allowance.period_seconds * 1000) if allowance else 0,
                self._keys.event(""),
                self._line_ttl_ms,
                int(ticket.keeps_place),
            ],
        )
        return _read(answer)

    async def count(self, ticket: Ticket, allowance: Allowance, now: datetime) -> datetime | None:
        """Count a claimed message against a limit; None when it counts now, else when the next one is allowed.

        For a message that was claimed without: the window was thought to be open.
        """
        free_ms = await self._count(
            [
                self._keys.claim(ticket.rule, ticket.subject),
                self._keys.limit(allowance.purpose, ticket.psid),
            ],
            [ticket.token, milliseconds(now), allowance.count, int(allowance.period_seconds * 1000)],
        )
        return moment_of(free_ms) if int(free_ms) else None

    async def sent(self, ticket: Ticket, message_id: str, now: datetime) -> bool:
        """Record that the message is out, for good; False where the claim is not this ticket's any more."""
        return await self._end(ticket, "sent", message_id, now)

    async def free(self, ticket: Ticket, now: datetime) -> bool:
        """Give the claim and its place in the limit back after a definite failure: nothing was sent."""
        return await self._end(ticket, "free", "", now)

    async def doubt(self, ticket: Ticket, now: datetime) -> bool:
        """Record that nobody knows whether the message is out."""
        return await self._end(ticket, "in_doubt", "", now)

    async def _end(self, ticket: Ticket, verdict: str, message_id: str, now: datetime) -> bool:
        keys = self._keys
        claim, line, _ = self._keys_of(ticket)
        done = await self._conclude(
            [claim, claim if ticket.keeps_place else line, keys.unechoed, keys.retries, keys.inbox],
            [ticket.token, verdict, message_id, milliseconds(now), keys.event(""), _UNECHOED_REMEMBERED, _DOUBT_MS],
        )
        return bool(done == 1)

    def _keys_of(self, ticket: Ticket) -> list[str]:
        claim = self._keys.claim(ticket.rule, ticket.subject)
        allowance = ticket.allowance
        return [
            claim,
            self._keys.line(ticket.psid) if ticket.in_line else claim,
            self._keys.limit(allowance.purpose, ticket.psid) if allowance else claim,
        ]


def _read(fields: Sequence[bytes | str | None]) -> Claim:
    state, event_id, token, message_id, at_ms, claimed_ms, echo_ms = (_text(field) for field in [*fields, None][:7])
    return Claim(
        state=ClaimState(state),
        event_id=event_id,
        token=token,
        message_id=message_id,
        at=moment_of(at_ms),
        claimed_at=moment_of(claimed_ms),
        echoed_at=moment_of(echo_ms) if echo_ms else None,
    )


def _text(field: bytes | str | None) -> str:
    return field.decode() if isinstance(field, bytes) else field or ""
