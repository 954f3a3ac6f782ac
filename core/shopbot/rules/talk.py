"""The steps that answer a shopper: find_orders, opt_out, opt_in."""

import re
from collections.abc import Sequence

from shopbot.model.order_reference import OrderReference
from shopbot.model.outcome import Outcome
from shopbot.model.payload import read_integer
from shopbot.model.psid import mask
from shopbot.model.reason import Reason
from shopbot.rules.attempt import Attempt
from shopbot.rules.phrases import plain
from shopbot.rules.rule import Rule, Step
from shopbot.store.conversations import Conversations
from shopbot.store.references import References

MOST_ORDERS = 13
"""As many as there can be quick replies to choose from."""

_NUMBERS = re.compile(r"\d+")


class Talk:
    """What a shopper can ask for and say."""

    def __init__(self, references: References, conversations: Conversations) -> None:
        self._references = references
        self._conversations = conversations

    async def find_orders(self, attempt: Attempt, rule: Rule, _step: Step) -> Sequence[Outcome]:
        """Find the orders that the shopper asks for: the one that was tapped or named, else all, newest first.

        Only ever the shopper's own: the store is asked by the PSID that the platform has signed.
        """
        psid = attempt.psid
        if psid is None:
            return [attempt.without_psid()]
        tapped = rule.filters.tapped(attempt.news)
        if tapped:
            order_id = read_integer(tapped)
            found = None if order_id is None else await self._references.find(psid, order_id)
            attempt.orders = () if found is None else (found,)
        else:
            orders = await self._references.newest(psid, MOST_ORDERS)
            attempt.orders = _named(orders, attempt.news.text or "") or orders
        return [Outcome.done(f"{len(attempt.orders)} found")]

    async def opt_out(self, attempt: Attempt, _rule: Rule, _step: Step) -> Sequence[Outcome]:
        """Send the shopper nothing more but answers to what they ask."""
        if attempt.sender is None:
            return [Outcome.skipped(Reason.NO_SHOPPER)]
        kept = await self._conversations.opt_out(attempt.sender, attempt.happened_at)
        return [Outcome.done(mask(attempt.sender) if kept else "they have said something else since")]

    async def opt_in(self, attempt: Attempt, _rule: Rule, _step: Step) -> Sequence[Outcome]:
        """Send the shopper messages again."""
        if attempt.sender is None:
            return [Outcome.skipped(Reason.NO_SHOPPER)]
        kept = await self._conversations.opt_in(attempt.sender, attempt.happened_at)
        return [Outcome.done(mask(attempt.sender) if kept else "they have said something else since")]


def _named(orders: Sequence[OrderReference], text: str) -> Sequence[OrderReference]:
    """Give the orders whose number is in the text, `#1234` or 1234; none where no number is."""
    said = set(_NUMBERS.findall(plain(text)))
    return [order for order in orders if max(_NUMBERS.findall(order.number), key=len, default="") in said]
