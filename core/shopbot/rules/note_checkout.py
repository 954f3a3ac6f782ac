"""The step `note_checkout`: completes the way from a checkout or cart token to its shopper."""

from collections.abc import Callable, Sequence
from datetime import datetime

from shopbot.model.checkout import SeenCheckout
from shopbot.model.outcome import Outcome
from shopbot.model.psid import is_psid, mask
from shopbot.model.psid_token import looks_like_token
from shopbot.model.reason import Reason
from shopbot.rules.attempt import Attempt
from shopbot.rules.rule import Rule, Step
from shopbot.rules.signed_tokens import NotTrustedError, SignedTokens
from shopbot.store.checkouts import Checkouts


class NoteCheckout:
    """Learns from `checkouts/create` and `checkouts/update` which tokens an order will carry.

    The Storefront API never tells a checkout's token; only these webhooks do. The shopper is known by the signed token
    among the checkout's attributes, or by a cart token that was noted before. A plain PSID in an attribute names
    nobody: it was typed by whoever had the cart open.
    """

    def __init__(
        self, checkouts: Checkouts, signed: SignedTokens, *, attribute: str, clock: Callable[[], datetime]
    ) -> None:
        """Look for signed tokens in the cart attribute of this name."""
        self._checkouts = checkouts
        self._signed = signed
        self._attribute = attribute
        self._clock = clock

    async def __call__(self, attempt: Attempt, _rule: Rule, _step: Step) -> Sequence[Outcome]:
        """Note the checkout of an event; safe to repeat."""
        checkout = SeenCheckout.from_payload(attempt.payload) if attempt.event.topic.startswith("checkouts/") else None
        if checkout is None:
            return [Outcome.skipped(Reason.NO_CHECKOUT)]
        try:
            found = await self._shopper(checkout)
        except NotTrustedError as objection:
            return [Outcome.skipped(Reason.PSID_NOT_TRUSTED, str(objection))]
        if found is None:
            return [Outcome.skipped(Reason.PSID_NOT_FOUND, "neither a signed token nor a known cart token")]
        psid, nonce = found
        if nonce is not None and (await self._checkouts.look(nonce)).order_id is not None:
            return [Outcome.skipped(Reason.ALREADY_CONFIRMED, "the link has served its order")]
        attempt.shopper = psid
        await self._checkouts.seen(psid, checkout.tokens, None if checkout.completed else checkout.token, nonce)
        return [Outcome.done(mask(psid))]

    async def _shopper(self, checkout: SeenCheckout) -> tuple[str, str | None] | None:
        """Say whose checkout it is, and which of our links it came from, if any; None where nothing tells.

        Raises:
            NotTrustedError: it carries a token that it may not carry.
        """
        values = [a.value.strip() for a in checkout.note_attributes if a.name == self._attribute]
        text = next((value for value in reversed(values) if value), "")
        if looks_like_token(text):
            return await self._signed.shopper_of_checkout(text, checkout, self._clock())
        if checkout.cart_token is None:
            return None
        psid = await self._checkouts.shopper_of(checkout.cart_token)
        if psid is None or not is_psid(psid):
            return None
        return psid, await self._checkouts.nonce_of(checkout.cart_token)
