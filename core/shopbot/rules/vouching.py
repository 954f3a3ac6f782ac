"""Decides whether a PSID that a resolver found may be used. A cart attribute is editable by anyone."""

from collections.abc import Callable
from datetime import datetime

from shopbot.model.order import Order
from shopbot.model.psid import Resolution, Trust, is_psid
from shopbot.model.psid_token import looks_like_token
from shopbot.rules.signed_tokens import NotTrustedError, SignedTokens
from shopbot.store.shoppers import Shoppers


class Vouching:
    """Holds resolvers' answers against the shop's own records and signatures."""

    def __init__(self, shoppers: Shoppers, signed: SignedTokens, clock: Callable[[], datetime]) -> None:
        self._shoppers = shoppers
        self._signed = signed
        self._clock = clock

    async def psid(self, resolution: Resolution, order: Order) -> str:
        """Give the PSID that a resolver's answer stands for.

        Raises:
            NotTrustedError: it may not be used for this order.
        """
        if looks_like_token(resolution.psid):
            return await self._signed.shopper_of_order(resolution.psid, order, self._clock())
        if not is_psid(resolution.psid):
            raise NotTrustedError("the value is no PSID (1 to 32 digits)")
        if resolution.trust is Trust.SIGNED:
            raise NotTrustedError(
                "the value is a plain PSID and this resolver takes signed tokens only; use checkout links that"
                " shopbot makes, or set `trust: known_shopper`"
            )
        if resolution.trust is Trust.KNOWN_SHOPPER and not await self._shoppers.knows(resolution.psid):
            raise NotTrustedError(
                "the shop holds no cart, checkout token or conversation for this PSID; have the bot keep the"
                " shopper's cart in the store, or set `trust: any` if the attribute cannot be edited by shoppers"
            )
        if resolution.token is not None:
            await self._signed.one_order(resolution.token, order.id)
        return resolution.psid
