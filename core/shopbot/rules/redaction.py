"""Keeps what was erased from coming back: late webhooks, polls and repetitions of erased persons end here."""

from datetime import datetime

import structlog

from shopbot.model.compliance import PRIVACY_TOPICS
from shopbot.model.event import Event, Source
from shopbot.model.outcome import Outcome
from shopbot.model.reason import Reason
from shopbot.rules.attempt import Attempt
from shopbot.store.erased import Erased, Marks


class Redaction:
    """Holds events against the marks of what was erased."""

    def __init__(self, erased: Erased) -> None:
        self._erased = erased
        self._log = structlog.get_logger("shopbot.privacy")

    async def objection(self, attempt: Attempt) -> Outcome | None:
        """Say that an event is an erased person's; None when it may be worked on."""
        news = attempt.news
        if attempt.event.topic in PRIVACY_TOPICS:
            return None
        marks = await self._erased.look(news.order_id, news.sender)
        if marks.uninstalled_at is not None and _works(attempt, marks.uninstalled_at):
            await self._erased.installed()
            self._log.info("app_installed_again")
        return Outcome.skipped(Reason.REDACTED) if _is_erased(attempt, marks) else None


def names_somebody(event: Event) -> bool:
    """Say whether the event's own id names an order, or a message."""
    return event.source is Source.POLL or event.topic.startswith("messenger/")


def _is_erased(attempt: Attempt, marks: Marks) -> bool:
    if marks.order:
        return True
    if marks.shopper_at is not None and attempt.happened_at <= marks.shopper_at:
        return True
    if marks.shop_at is None:
        return False
    order = attempt.order
    began = order.created_at if order is not None and order.created_at is not None else attempt.happened_at
    return began <= marks.shop_at


def _works(attempt: Attempt, uninstalled_at: datetime) -> bool:
    """Say whether an event shows that the app is installed: Shopify tells of a change that was made since."""
    order = attempt.order
    return order is not None and order.updated_at is not None and order.updated_at > uninstalled_at
