"""Decides whether a signed token in an order or a checkout may name its shopper."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import datetime

import structlog

from shopbot.model.checkout import SeenCheckout, plain_cart_token
from shopbot.model.order import Order
from shopbot.model.psid_token import InvalidTokenError, PsidToken, PsidTokens
from shopbot.store.checkouts import ERASED_ORDER, Checkouts, Made


class NotTrustedError(Exception):
    """Nothing vouches for a PSID; the message says what speaks against it and what to do."""


class SignedTokens:
    """Reads one shop's tokens, and keeps each to the one checkout that it was made for.

    A token travels in a cart attribute, which every shopper can read and copy. So besides its signature it must fit: an
    order or checkout has the cart or checkout token of the link, or at least one of its articles (the shopper may have
    changed the rest). And it serves one order: whoever copies it later gets nothing.
    """

    def __init__(self, codec: PsidTokens, page_ids: AbstractSet[str], checkouts: Checkouts) -> None:
        """Accept tokens for these Pages; for none of them, tokens of a shop without a Page."""
        self._codec = codec
        self._page_ids = page_ids or {""}
        self._checkouts = checkouts
        self._security = structlog.get_logger("shopbot.security")

    async def shopper_of_order(self, text: str, order: Order, now: datetime) -> str:
        """Give the PSID that an order's token stands for, and let the token serve this order alone.

        Raises:
            NotTrustedError: the token is forged, expired, another Page's, or was made for another order.
        """
        with self._reporting(order_id=order.id):
            # An order that is processed late, after an outage, was made in time all the same.
            token = self._genuine(text, min(now, order.created_at or now))
            tokens = {plain_cart_token(order.cart_token), order.checkout_token}
            variants = {line.variant_id for line in order.line_items if line.variant_id is not None}
            made = await self._checkouts.look(token.nonce)
            if not tokens & made.tokens and not _shares(made, variants):
                raise NotTrustedError(
                    "the signed token was made for another checkout: neither the cart nor any article is the same"
                )
            await self._once(token.nonce, order.id)
        return token.psid

    async def one_order(self, token: str, order_id: int) -> None:
        """Let a checkout or cart token serve this order alone, where it belongs to a link that shopbot made.

        Raises:
            NotTrustedError: the link has served another order.
        """
        nonce = await self._checkouts.nonce_of(token)
        if nonce is not None:
            with self._reporting(order_id=order_id):
                await self._once(nonce, order_id)

    async def shopper_of_checkout(self, text: str, checkout: SeenCheckout, now: datetime) -> tuple[str, str]:
        """Give the PSID that a checkout's token stands for, and the token's nonce.

        Raises:
            NotTrustedError: as with orders; also when somebody else has opened the link before.
        """
        with self._reporting():
            token = self._genuine(text, now)
            made = await self._checkouts.look(token.nonce)
            _refuse_ended(made.order_id)
            its_own = bool(checkout.tokens & made.tokens)
            if not its_own and _shares(made, checkout.variant_ids):
                its_own = await self._checkouts.open(token.nonce, checkout.cart_token or checkout.token)
            if not its_own:
                raise NotTrustedError("the signed token was made for another checkout")
        return token.psid, token.nonce

    def _genuine(self, text: str, at: datetime) -> PsidToken:
        if not self._codec.can_sign:
            raise NotTrustedError("the value is a signed token, and `checkout_tokens.keys` in shopbot.yaml is empty")
        try:
            token = self._codec.read(text)
        except InvalidTokenError as error:
            raise NotTrustedError(f"the signed token is not genuine: {error}") from error
        if token.expires_at < at:
            raise NotTrustedError(
                f"the signed token expired at {token.expires_at.isoformat()}; make a new link, or raise"
                " `checkout_tokens.valid_for`"
            )
        if token.page_id not in self._page_ids:
            raise NotTrustedError("the signed token names a shopper of another Page")
        return token

    @contextmanager
    def _reporting(self, **fields: object) -> Iterator[None]:
        """Leave a line in the security log when a token is refused."""
        try:
            yield
        except NotTrustedError as objection:
            self._security.warning("checkout_token_refused", why=str(objection), **fields)
            raise

    async def _once(self, nonce: str, order_id: int) -> None:
        served = await self._checkouts.claim(nonce, order_id)
        _refuse_ended(served)
        if served != order_id:
            raise NotTrustedError(
                f"the checkout link has served order {served} already; each purchase needs a link of its own"
            )


def _refuse_ended(served: int | None) -> None:
    if served == ERASED_ORDER:
        raise NotTrustedError("the checkout link ended when its shopper's data were erased")


def _shares(made: Made, variants: AbstractSet[int]) -> bool:
    """Say whether an article is the same; unknown ones speak against nobody."""
    return not made.variant_ids or not variants or not made.variant_ids.isdisjoint(variants)
