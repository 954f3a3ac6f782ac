"""Decides whether a PSID that a resolver found may be used. A cart attribute is editable by anyone."""

from shopbot.model.psid import Resolution, Trust, is_psid
from shopbot.store.shoppers import Shoppers


class Vouching:
    """Holds resolvers' answers against the shop's own records."""

    def __init__(self, shoppers: Shoppers) -> None:
        self._shoppers = shoppers

    async def objection(self, resolution: Resolution) -> str | None:
        """Say what speaks against using the PSID, and what to do about it; None when it may be used."""
        if not is_psid(resolution.psid):
            return "the value is no PSID (1 to 32 digits)"
        if resolution.trust is Trust.ANY:
            return None
        if resolution.trust is Trust.SIGNED:
            return (
                "the value is a plain PSID and this resolver takes signed tokens only; use checkout links that"
                " shopbot makes, or set `trust: known_shopper`"
            )
        if await self._shoppers.knows(resolution.psid):
            return None
        return (
            "the shop holds no cart, checkout token or conversation for this PSID; have the bot keep the"
            " shopper's cart in the store, or set `trust: any` if the attribute cannot be edited by shoppers"
        )
