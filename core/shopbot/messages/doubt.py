"""Sends in doubt: the request was written and nobody can say whether the shopper has the message.

The message's echo settles it. Without one by the deadline, the message is sent again only on evidence: of all messages
around it this one alone has no echo, and whoever takes echoes in was never away meanwhile. Else a person decides.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from shopbot.model.outcome import Outcome
from shopbot.model.reason import Reason
from shopbot.store.claims import Claim, Claims, ClaimState, Ticket
from shopbot.store.echoes import Echoes

_LOOK_INTO_IT = (
    "the shopper may have the message. Look into the conversation, then `shopbot dead replay EVENT --not-received`"
    " or `shopbot dead purge EVENT`"
)


@dataclass(frozen=True, slots=True)
class DoubtPolicy:
    """The `in_doubt:` section of shopbot.yaml."""

    deadline: timedelta
    """How long the echo may take."""
    resend: bool
    """Whether to send again on evidence; False leaves every message in doubt to a person."""


class Doubt:
    """Decides what becomes of sends in doubt."""

    def __init__(self, *, claims: Claims, echoes: Echoes, policy: DoubtPolicy, clock: Callable[[], datetime]) -> None:
        self._claims = claims
        self._echoes = echoes
        self._policy = policy
        self._clock = clock
        self._log = structlog.get_logger("shopbot.messages")

    def wait(self, detail: str, *, plugin: str = "") -> Outcome:
        """Hold an event whose send has just come into doubt."""
        return Outcome.held(
            Reason.IN_DOUBT, detail, plugin=plugin, deadline_seconds=self._policy.deadline.total_seconds()
        )

    async def _evidence(self, claim: Claim, now: datetime) -> bool:
        return await self._echoes.would_have_come(claim.claimed_at, self._policy.deadline, now)

    async def settle(self, ticket: Ticket, claim: Claim) -> Outcome | None:
        """Decide about the event's own unfinished claim; None when it is free and the message may be sent again."""
        now = self._clock()
        held = replace(ticket, token=claim.token)
        if claim.state is ClaimState.SENDING:
            await self._claims.doubt(held, now)
            return self.wait("the process ended between the call and its answer")
        left = claim.at + self._policy.deadline - now
        # A clock that was put back must not hold the event for longer than the deadline.
        if timedelta(0) < left <= self._policy.deadline:
            return Outcome.held(Reason.IN_DOUBT, "no echo yet", deadline_seconds=left.total_seconds())
        if not self._policy.resend or not await self._evidence(claim, now):
            return Outcome.failed(Reason.IN_DOUBT, f"no echo came; {_LOOK_INTO_IT}")
        self._log.warning("message_not_carried", event_id=ticket.event_id, claimed_at=claim.claimed_at.isoformat())
        await self._claims.free(held, now)
        return None
