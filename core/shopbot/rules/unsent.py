"""A person's word that a message in doubt did not arrive: frees its claim, so that it can be sent again."""

from collections.abc import Sequence
from datetime import datetime

from shopbot.model.event import Event, Source
from shopbot.rules.news import News, UnreadableError, read_json, read_news
from shopbot.rules.rule import Rule
from shopbot.store.claims import Claims, ClaimState, Ticket
from shopbot.store.dead_letters import DeadLetter


async def free_doubt(rules: Sequence[Rule], claims: Claims, letter: DeadLetter, now: datetime) -> bool:
    """Free the claims that a dead letter left in doubt; False where there is none.

    Only claims of this very event that are in doubt: what is known to be sent stays sent.
    """
    event = Event(
        id=letter.event_id, topic=letter.topic, source=Source.REPLAY, received_at=letter.dead_at, body=letter.body
    )
    news = _news(letter)
    freed = False
    for rule in rules:
        if rule.name != letter.rule:
            continue
        for step in rule.steps:
            subject = rule.message_subject(event, news, step)
            claim = await claims.look(rule.name, subject)
            if claim is None or claim.state is not ClaimState.IN_DOUBT or claim.event_id != event.id:
                continue
            ticket = Ticket(
                rule=rule.name,
                subject=subject,
                token=claim.token,
                event_id=event.id,
                psid="",
                received_at=event.received_at,
                in_line=False,
            )
            freed = await claims.free(ticket, now) or freed
    return freed


def _news(letter: DeadLetter) -> News:
    try:
        return read_news(letter.topic, read_json(letter.body))
    except UnreadableError:
        return News()
