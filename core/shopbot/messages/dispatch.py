"""Sends a message once: claim, call, record.

What happens when the process dies on any line here:
- before the claim: nothing was sent; the event is delivered again and starts over;
- after the claim, before the answer was recorded: the claim says `sending`. The next attempt cannot know whether
  the request was carried out, so it does not send: the message is in doubt;
- after `sent` was recorded: the next attempt finds it and only finishes the bookkeeping.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import structlog
from redis.exceptions import RedisError

from shopbot.hooks import Hook, PluginFailedError
from shopbot.messages.message import SendRequest
from shopbot.messages.renderer import Renderer
from shopbot.messages.sandbox import TemplateError
from shopbot.model.failures import ChannelDown, InDoubt, Refused, Retry
from shopbot.model.message import Delivery, OutboundMessage, Receipt
from shopbot.model.outcome import Outcome
from shopbot.model.psid import mask
from shopbot.model.reason import Reason
from shopbot.store.claims import Claim, Claims, ClaimState
from shopbot.store.references import References

_RECORD_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses between tries to record a verdict while the store is away: it restarts in well under that."""


class Dispatcher:
    """Sends the messages of one host."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        senders: Sequence[Hook[[OutboundMessage], Receipt | None]],
        claims: Claims,
        references: References,
        clock: Callable[[], datetime],
    ) -> None:
        self._renderer = renderer
        self._senders = senders
        self._claims = claims
        self._references = references
        self._clock = clock
        self._log = structlog.get_logger("shopbot.messages")

    async def send(self, request: SendRequest) -> Outcome:
        """Send a message, or say why not. Faults of the store before the claim come out as exceptions."""
        token = f"shopbot:{secrets.token_urlsafe(18)}"
        try:
            message = self._renderer.render(request, claim=token)
        except TemplateError as error:
            return Outcome.failed(Reason.TEMPLATE_FAILED, str(error))
        claim = await self._claims.take(
            request.rule,
            request.subject,
            event_id=request.event.id,
            token=token,
            now=self._clock(),
            ttl_seconds=request.claim_ttl_seconds,
        )
        if claim.state is not ClaimState.NEW:
            return await self._claimed_before(request, claim)
        return await self._call(request, message)

    async def _claimed_before(self, request: SendRequest, claim: Claim) -> Outcome:
        ours = claim.event_id == request.event.id
        if claim.state is ClaimState.SENT:
            if not ours:
                return Outcome.skipped(Reason.ALREADY_CONFIRMED, f"by {claim.event_id}")
            await self._confirm(request, claim.message_id, claim.at)
            return Outcome.done(f"{claim.message_id}, as recorded before")
        if not ours:
            return Outcome.skipped(Reason.IN_PROGRESS, f"carried by {claim.event_id}")
        if claim.state is ClaimState.SENDING:
            await self._claims.doubt(request.rule, request.subject, claim.token, self._clock())
        return Outcome.failed(
            Reason.IN_DOUBT,
            "the process ended between the call and its answer; the shopper may have the message. Look into the"
            " conversation before you replay",
        )

    async def _call(self, request: SendRequest, message: OutboundMessage) -> Outcome:
        """Ask the senders in order and record what the first that takes the message says."""
        place = ""
        try:
            for sender in self._senders:
                place = sender.place
                receipt = await self._offer(sender, message)
                if receipt is not None:
                    return await self._sent(request, message, receipt, place)
        except Retry as failure:
            outcome = Outcome.deferred(
                Reason.MESSAGE_SEND_FAILED,
                failure.reason,
                plugin=place,
                retry_after_seconds=failure.after_seconds,
            )
        except Refused as failure:
            outcome = Outcome.failed(failure.code, failure.reason, plugin=place)
        except ChannelDown as failure:
            outcome = Outcome.deferred(Reason.CHANNEL_DOWN, failure.reason, plugin=place)
        except (InDoubt, PluginFailedError) as failure:
            # A sender that broke off may have sent: only its own word `Retry` or `Refused` says that it did not.
            await self._record(lambda: self._claims.doubt(*self._key(request, message), self._clock()))
            reason = failure.reason if isinstance(failure, InDoubt) else failure.what
            return Outcome.failed(Reason.IN_DOUBT, reason, plugin=place)
        else:
            outcome = Outcome.failed(Reason.NO_SENDER, "no entry of `senders:` takes this message")
        await self._record(lambda: self._claims.free(*self._key(request, message), self._clock()))
        return outcome

    async def _offer(self, sender: Hook[[OutboundMessage], Receipt | None], message: OutboundMessage) -> Receipt | None:
        """Offer a message to one sender; outside the window, once more as the approved template."""
        try:
            return await sender(message)
        except Refused as failure:
            if failure.code is not Reason.OUTSIDE_WINDOW or message.delivery is Delivery.UTILITY:
                raise
            if message.template is None:
                raise Refused(
                    f"{failure.reason}; configure a `utility_template:` for messages outside the window",
                    code=Reason.OUTSIDE_WINDOW,
                ) from failure
        return await sender(message.model_copy(update={"delivery": Delivery.UTILITY}))

    async def _sent(self, request: SendRequest, message: OutboundMessage, receipt: Receipt, place: str) -> Outcome:
        now = self._clock()
        await self._record(lambda: self._claims.sent(*self._key(request, message), receipt.message_id, now))
        await self._record(lambda: self._confirm(request, receipt.message_id, now))
        self._log.debug("message_sent", psid=mask(request.psid), event_id=request.event.id, plugin=place)
        return Outcome.done(receipt.message_id, plugin=place)

    async def _confirm(self, request: SendRequest, message_id: str, sent_at: datetime) -> None:
        if request.confirms_order and request.order is not None:
            await self._references.confirm(request.order, request.psid, message_id, sent_at)

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

    @staticmethod
    def _key(request: SendRequest, message: OutboundMessage) -> tuple[str, str, str]:
        return request.rule, request.subject, message.claim
