"""Sends a message once: claim, call, record.

What happens when the process dies on any line here:
- before the claim: nothing was sent; the event is delivered again and starts over;
- after the claim, before the answer was recorded: the claim says `sending`. The next attempt cannot know whether the
  request was carried out, so it does not send: the message is in doubt (see `doubt`);
- after `sent` was recorded: the next attempt finds it and only finishes the bookkeeping.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

import structlog
from redis.exceptions import RedisError

from shopbot.hooks import Hook, PluginFailedError
from shopbot.messages.doubt import Doubt
from shopbot.messages.gate import Gate, Turn
from shopbot.messages.message import MessageSpec, SendRequest
from shopbot.messages.mode import Mode, Window, WindowPolicy, mode, window_at
from shopbot.messages.renderer import Renderer
from shopbot.messages.sandbox import TemplateError
from shopbot.messages.uptime import uptime_seconds
from shopbot.metrics import ShopMetrics
from shopbot.model.event import Event
from shopbot.model.failures import ChannelDown, InDoubt, Refused, Retry
from shopbot.model.message import Delivery, OutboundMessage, Receipt
from shopbot.model.outcome import Outcome, Status
from shopbot.model.psid import mask
from shopbot.model.reason import Reason
from shopbot.store.claims import Claim, Claims, ClaimState, Ticket
from shopbot.store.conversations import Conversations, Standing
from shopbot.store.references import References

_RECORD_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses between tries to record a verdict while the store is away: it restarts in well under that."""
_BEHIND_SECONDS = 0.5
_LONGEST_BEHIND_SECONDS = 15.0
_LAST_MOMENT_SECONDS = 10.0
"""A process that was frozen this long between claim and call does not call: others may have settled the claim."""

_RESULTS = {Retry: "retry", Refused: "refused", ChannelDown: "channel_down", InDoubt: "in_doubt"}
"""What metrics call the ways in which a sender does not send."""

Sender = Hook[[OutboundMessage], Receipt | None]


class _OverLimitError(Exception):
    """A message turns out to count against a limit that is used up."""

    def __init__(self, free_at: datetime) -> None:
        """Say when the next message is allowed."""
        super().__init__(free_at)
        self.free_at = free_at


class Dispatcher:
    """Sends the messages of one host."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        senders: Sequence[tuple[Sender, Gate]],
        claims: Claims,
        doubt: Doubt,
        conversations: Conversations,
        references: References,
        clock: Callable[[], datetime],
        window: WindowPolicy,
        windows_knowable: Callable[[], bool],
        metrics: ShopMetrics,
    ) -> None:
        """Bring together what sending takes.

        senders: in the order of shopbot.yaml, each with the gate of its channel.
        windows_knowable: whether the shop sees what shoppers do in Messenger.
        metrics: times the senders.
        """
        self._renderer = renderer
        self._senders = senders
        self._claims = claims
        self._doubt = doubt
        self._conversations = conversations
        self._references = references
        self._clock = clock
        self._window = window
        self._windows_knowable = windows_knowable
        self._metrics = metrics
        self._log = structlog.get_logger("shopbot.messages")

    async def line_up(self, psid: str, event: Event) -> None:
        """Take a place in the shopper's line for a message that is to be sent later."""
        await self._claims.join(psid, event.id, event.received_at)

    async def send(self, request: SendRequest) -> Outcome:
        """Send a message, or say why not. Faults of the store before the claim come out as exceptions."""
        spec = self._renderer.spec(request.message)
        standing = await self._conversations.standing(request.psid)
        if standing.opted_out and not (request.asked and spec.answers(request.event.topic)):
            return Outcome.skipped(Reason.OPTED_OUT)
        if request.called_off and not await self._begun(request):
            await self._leave(request)
            return Outcome.skipped(Reason.CANCELLED, "the order was cancelled before its message could go out")
        window, chosen = self._mode(request, spec, standing)
        if chosen.delivery is None and not spec.drop_over_limit:
            await self._conversations.wait(request.psid, request.event.id, self._clock())
            # They may have written between the first look and this: then nothing else would bring it back.
            window, chosen = self._mode(request, spec, await self._conversations.standing(request.psid))
        if chosen.delivery is None:
            return _outside_window(spec, chosen.why)
        ticket = request.ticket(spec, counts=window is not Window.OPEN)
        if ticket.in_line and not request.lined_up:
            # Now, so that a closed channel or a failure cannot let later messages overtake this one.
            await self._claims.join(request.psid, request.event.id, request.event.received_at)
        outcome = await self._send_in_turn(request, ticket, spec, chosen.delivery, chosen.why)
        if ticket.in_line and outcome.status in (Status.SKIPPED, Status.FAILED):
            await self._leave(request)
        return outcome

    async def _begun(self, request: SendRequest) -> bool:
        """Say whether the event has claimed its message before: then it may be out, and that comes to its end."""
        claim = await self._claims.look(request.rule, request.subject)
        return claim is not None and claim.event_id == request.event.id

    async def _leave(self, request: SendRequest) -> None:
        """Give the event's place in the shopper's line up, unless another message of the event still needs it."""
        if not request.keeps_place:
            await self._claims.leave(request.psid, request.event.id)

    def _mode(self, request: SendRequest, spec: MessageSpec, standing: Standing) -> tuple[Window, Mode]:
        last_active = standing.last_active
        knowable = last_active is not None or self._windows_knowable()
        window = window_at(self._clock(), last_active, self._window, knowable=knowable)
        template = spec.utility_template is not None
        return window, mode(answer=spec.answers(request.event.topic), window=window, template=template)

    async def _send_in_turn(
        self, request: SendRequest, ticket: Ticket, spec: MessageSpec, delivery: Delivery, why: str
    ) -> Outcome:
        try:
            message = self._renderer.render(request, delivery=delivery, claim=ticket.metadata)
        except TemplateError as error:
            return Outcome.failed(Reason.TEMPLATE_FAILED, str(error))
        gate = self._senders[0][1]
        turn = await gate.passage()
        if isinstance(turn, Outcome):
            return turn
        claimed = await self._claim(request, ticket, spec)
        if not isinstance(claimed, Outcome):
            return await self._call(request, ticket, spec, message, turn, why, claimed)
        await gate.unused(turn)
        return claimed

    async def _take(self, request: SendRequest, ticket: Ticket) -> tuple[Claim, float]:
        """Ask for the claim; gives it as it stood, and a moment before that.

        A process that was frozen until it could read the answer asks again: others may have settled the claim
        meanwhile. The same ticket finds the claim that it has made.
        """
        while True:
            # Not the loop's clock: that stands still while the loop does.
            asked = uptime_seconds()
            claim = await self._claims.take(ticket, self._clock(), ttl_seconds=request.claim_ttl_seconds)
            if uptime_seconds() - asked <= _LAST_MOMENT_SECONDS:
                return claim, asked

    async def _claim(self, request: SendRequest, ticket: Ticket, spec: MessageSpec) -> Outcome | float:
        """Claim the message; gives since when this call has it at most, else what that means for the event."""
        claim, asked = await self._take(request, ticket)
        ours = claim.event_id == ticket.event_id
        if ours and claim.state in (ClaimState.SENDING, ClaimState.IN_DOUBT):
            outcome = await self._doubt.settle(ticket, claim)
            if outcome is not None:
                return outcome
            claim, asked = await self._take(request, ticket)
        match claim.state:
            case ClaimState.NEW:
                return asked
            case ClaimState.SENT if ours:
                await self._confirm(request, claim.message_id, claim.at)
                await self._leave(request)
                return Outcome.done(f"{claim.message_id}, as recorded before")
            case ClaimState.SENT:
                return Outcome.skipped(Reason.ALREADY_CONFIRMED, f"by {claim.event_id}")
            case ClaimState.BEHIND:
                # The one before wakes this one; looking again is for what ends in other ways.
                waited_seconds = (self._clock() - request.event.received_at).total_seconds()
                pause_seconds = min(max(_BEHIND_SECONDS, waited_seconds / 4), _LONGEST_BEHIND_SECONDS)
                return Outcome.deferred(
                    Reason.WAITING_FOR_EARLIER, f"behind {claim.event_id}", retry_after_seconds=pause_seconds
                )
            case ClaimState.LIMITED:
                return self._limited(spec, claim.at)
            case _:
                return Outcome.skipped(Reason.IN_PROGRESS, f"carried by {claim.event_id}")

    def _limited(self, spec: MessageSpec, free_at: datetime) -> Outcome:
        if spec.drop_over_limit:
            return Outcome.skipped(Reason.LIMIT_REACHED, "dropped, as `on_limit:` says")
        wait_seconds = max(1.0, (free_at - self._clock()).total_seconds())
        return Outcome.deferred(
            Reason.LIMIT_REACHED, f"held until {free_at.isoformat()}", retry_after_seconds=wait_seconds
        )

    async def _call(
        self,
        request: SendRequest,
        ticket: Ticket,
        spec: MessageSpec,
        message: OutboundMessage,
        turn: Turn,
        why: str,
        claimed: float,
    ) -> Outcome:
        """Ask the senders in order and record what the first that takes the message says.

        turn: what the first sender's gate said.
        why: the message is delivered as it is, for the journal.
        claimed: since when the message is claimed at most, by the machine's uptime.
        """
        place = ""
        for number, (sender, gate) in enumerate(self._senders):
            place = sender.place
            passage = turn if number == 0 else await gate.passage()
            if isinstance(passage, Outcome):
                await self._record(lambda: self._claims.free(ticket, self._clock()))
                return passage
            if uptime_seconds() - claimed > _LAST_MOMENT_SECONDS:
                return await self._in_doubt(request, ticket, "the process was held up between claim and call", place)
            try:
                receipt, how = await self._offer(sender, message, why, lambda: self._count(request, ticket, spec))
            except _OverLimitError as over:
                await self._record(lambda: self._claims.free(ticket, self._clock()))
                # As with a claim: while it is held, nobody waits behind it.
                await self._record(lambda: self._leave(request))
                return self._limited(spec, over.free_at)
            except (Retry, Refused, ChannelDown) as failure:
                await self._record(lambda: self._claims.free(ticket, self._clock()))
                return await self._not_sent(request, spec, failure, gate, place)
            except (InDoubt, PluginFailedError) as failure:
                # A sender that broke off may have sent: only its own word `Retry` or `Refused` says that it did not.
                what = failure.reason if isinstance(failure, InDoubt) else failure.what
                return await self._in_doubt(request, ticket, what, place)
            if receipt is not None:
                sent = await self._sent(request, ticket, receipt, place)
                await self._record(partial(gate.worked, passage, receipt))
                return sent.model_copy(update={"detail": f"{sent.detail}, {how}"})
        await self._record(lambda: self._claims.free(ticket, self._clock()))
        return Outcome.failed(Reason.NO_SENDER, "no entry of `senders:` takes this message", plugin=place)

    async def _not_sent(
        self, request: SendRequest, spec: MessageSpec, failure: Retry | Refused | ChannelDown, gate: Gate, place: str
    ) -> Outcome:
        """Say what a definite failure means for the event."""
        if isinstance(failure, ChannelDown) or (isinstance(failure, Retry) and failure.pauses_channel):
            return await gate.closed(failure, place)
        if isinstance(failure, Retry):
            return Outcome.deferred(
                Reason.MESSAGE_SEND_FAILED, failure.reason, plugin=place, retry_after_seconds=failure.after_seconds
            )
        if failure.code is Reason.OUTSIDE_WINDOW:
            await self._record(lambda: self._conversations.wait(request.psid, request.event.id, self._clock()))
            return _outside_window(spec, failure.reason, plugin=place)
        return Outcome.failed(failure.code, failure.reason, plugin=place)

    async def _count(self, request: SendRequest, ticket: Ticket, spec: MessageSpec) -> None:
        """Count a message against its limit after all: the window was thought to be open, and is not."""
        allowance = spec.allowance(request.event.topic)
        if allowance is None:
            return
        free_at = await self._claims.count(ticket, allowance, self._clock())
        if free_at is not None:
            raise _OverLimitError(free_at)

    async def _offer(
        self, sender: Sender, message: OutboundMessage, why: str, count: Callable[[], Awaitable[None]]
    ) -> tuple[Receipt | None, str]:
        """Offer a message to one sender; outside the window, once more as the approved template.

        Gives how it was delivered and why so, too.

        count: takes the template's place in the shopper's limit, or raises.
        """
        try:
            return await self._timed(sender, message), f"{message.delivery}: {why}"
        except Refused as failure:
            outside = failure.code is Reason.OUTSIDE_WINDOW
            if not outside or message.delivery is Delivery.UTILITY or message.template is None:
                raise
            refusal = failure.reason
        await count()
        receipt = await self._timed(sender, message.model_copy(update={"delivery": Delivery.UTILITY}))
        return receipt, f"{Delivery.UTILITY}: {refusal}"

    async def _timed(self, sender: Sender, message: OutboundMessage) -> Receipt | None:
        clock = asyncio.get_running_loop().time
        started, result = clock(), "failed"
        try:
            receipt = await sender(message)
            result = "passed" if receipt is None else "sent"
        except (Retry, Refused, ChannelDown, InDoubt) as failure:
            result = next(name for kind, name in _RESULTS.items() if isinstance(failure, kind))
            raise
        finally:
            self._metrics.called(sender.place, result, clock() - started)
        return receipt

    async def _sent(self, request: SendRequest, ticket: Ticket, receipt: Receipt, place: str) -> Outcome:
        now = self._clock()
        await self._record(lambda: self._claims.sent(ticket, receipt.message_id, now))
        await self._record(lambda: self._confirm(request, receipt.message_id, now))
        self._log.debug("message_sent", psid=mask(request.psid), event_id=request.event.id, plugin=place)
        return Outcome.done(receipt.message_id, plugin=place)

    async def _in_doubt(self, request: SendRequest, ticket: Ticket, why: str, place: str) -> Outcome:
        """Record that nobody knows; the echo may have been faster than the failure."""
        await self._record(lambda: self._claims.doubt(ticket, self._clock()))
        claim = await self._claims.look(ticket.rule, ticket.subject)
        if claim is not None and claim.state is ClaimState.SENT and claim.token == ticket.token:
            await self._confirm(request, claim.message_id, claim.at)
            await self._leave(request)
            return Outcome.done(f"{claim.message_id}, by its echo", plugin=place)
        return self._doubt.wait(why, plugin=place)

    async def _confirm(self, request: SendRequest, message_id: str, sent_at: datetime) -> None:
        if request.confirms_order and request.order is not None:
            await self._references.confirm(request.order, request.psid, message_id, sent_at, saved=request.reference)

    async def _record(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write a verdict, and keep trying while the store is away: a lost verdict leaves the message in doubt."""
        for pause_seconds in _RECORD_PAUSES_SECONDS:
            try:
                await write()
            except (RedisError, OSError) as error:
                self._log.warning("store_away", what="verdict of a send", error=str(error))
                await asyncio.sleep(pause_seconds)
            else:
                return
        await write()


def _outside_window(spec: MessageSpec, why: str, *, plugin: str = "") -> Outcome:
    """Hold or drop what the platform's rules forbid: there is no message tag that would help."""
    detail = f"{why}, and no approved `utility_template:` can be used"
    if spec.drop_over_limit:
        return Outcome.skipped(Reason.OUTSIDE_WINDOW, detail, plugin=plugin)
    return Outcome.failed(Reason.OUTSIDE_WINDOW, detail, plugin=plugin)
