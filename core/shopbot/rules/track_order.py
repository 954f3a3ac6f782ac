"""The step `update_order_reference`: keeps what a shopper can ask for up to date."""

from collections.abc import Sequence

from shopbot.model.order_reference import OrderReference
from shopbot.model.outcome import Outcome
from shopbot.model.reason import Reason
from shopbot.rules.attempt import Attempt
from shopbot.rules.news import News
from shopbot.rules.rule import Rule, Step
from shopbot.store.references import References
from shopbot.store.shoppers import Shoppers


class UpdateOrderReference:
    """Takes news of an order, of its parcels and of refunds into the order's reference.

    Its shopper is the one that the order was resolved to before: news of parcels and refunds do not say whose they are.
    """

    def __init__(self, references: References, shoppers: Shoppers) -> None:
        self._references = references
        self._shoppers = shoppers

    async def __call__(self, attempt: Attempt, _rule: Rule, _step: Step) -> Sequence[Outcome]:
        """Update the reference of the event's order; safe to repeat, in any order of events."""
        news = attempt.news
        if news.order_id is None:
            return [Outcome.skipped(Reason.NO_ORDER)]
        psid = await self._shoppers.of_order(news.order_id)
        reference = await self._references.note(news.order_id, psid, lambda known: _changed(known, news))
        if psid is None:
            attempt.no_psid = Outcome.skipped(Reason.PSID_NOT_FOUND, "the order was not resolved to a shopper")
            return [Outcome.done("kept as unresolved")]
        # As long as the reference lives, so that the next news finds it, too.
        await self._shoppers.remember(news.order_id, psid)
        attempt.psid, attempt.orders = psid, (reference,)
        return [Outcome.done(reference.status.value)]


def _changed(known: OrderReference, news: News) -> OrderReference:
    if news.order is not None:
        return known.with_order(news.order)
    if news.parcel is not None:
        return known.with_parcel(news.parcel, number=news.order_name)
    return known.with_refund(news.refund) if news.refund is not None else known
