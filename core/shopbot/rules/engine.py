"""Runs every rule that an event matches, and says what becomes of the event."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from shopbot.model.outcome import JournalEntry, Outcome, Status
from shopbot.model.reason import Reason
from shopbot.rules.attempt import Attempt
from shopbot.rules.backoff import Backoff
from shopbot.rules.news import News, UnreadableError, read_json, read_news
from shopbot.rules.objection import objection
from shopbot.rules.redaction import Redaction, names_somebody
from shopbot.rules.rule import Rule, Step
from shopbot.rules.steps import Steps
from shopbot.store.claims import Claims, ClaimState
from shopbot.store.conversations import Conversations
from shopbot.store.queue import Delivery, Disposition, Settlement

_FOUND_ANEW = frozenset({"resolve_psid", "clear_cart", "find_orders", "update_order_reference"})
"""Steps that are run again although they are done, for what they find; a cart step knows its backends' results."""

_CHANNEL_CLOSED = frozenset({Reason.CHANNEL_DOWN, Reason.CHANNEL_PAUSED})
_FREE_OF_CHARGE = _CHANNEL_CLOSED.union(
    (Reason.LIMIT_REACHED, Reason.WAITING_FOR_EARLIER, Reason.IN_DOUBT, Reason.PRIVACY_UNDER_WAY)
)
"""Reasons to wait that are nobody's failure: they use up no attempt."""

_STEPS_DECIDE = (Status.FAILED, Status.HELD, Status.DEFERRED, Status.DONE, Status.SKIPPED)
_RULES_DECIDE = (Status.HELD, Status.DEFERRED, Status.FAILED, Status.DONE, Status.SKIPPED)
"""A rule that has failed must not take the others' further attempts away."""


class Engine:
    """The rules of one host. Holds no state of its own between events."""

    def __init__(
        self,
        *,
        rules: Sequence[Rule],
        steps: Steps,
        claims: Claims,
        conversations: Conversations,
        redaction: Redaction,
        backoff: Backoff,
        clock: Callable[[], datetime],
        chance: random.Random,
    ) -> None:
        self._rules = rules
        self._steps = steps
        self._claims = claims
        self._conversations = conversations
        self._redaction = redaction
        self._backoff = backoff
        self._clock = clock
        self._chance = chance
        self._log = structlog.get_logger("shopbot.rules")

    async def process(self, delivery: Delivery) -> tuple[Attempt, Settlement]:
        """Run one attempt. Faults of the store come out as exceptions: the event then stays with the worker."""
        attempt = Attempt(
            event=delivery.event, number=delivery.attempts + 1, earlier=delivery.journal, clock=self._clock
        )
        rules = [
            rule for rule in self._rules if attempt.event.topic in rule.topics and delivery.only_rule in ("", rule.name)
        ]
        results: list[Outcome] = []
        unreadable = self._read(attempt)
        redacted = await self._redaction.objection(attempt)
        if redacted is not None:
            attempt.note("", "", redacted)
            return attempt, _forgetting(attempt)
        if attempt.sender is not None and opens_window(attempt.event.topic, attempt.payload):
            released = await self._conversations.active(attempt.sender, attempt.happened_at)
            if released:
                self._log.info("messages_released", count=released, event_id=attempt.event.id)
        if unreadable is not None and (rules or attempt.payload is None):
            results.append(unreadable)
            attempt.note("", "", unreadable)
        elif not rules:
            results.append(Outcome.skipped(Reason.NO_RULE))
            attempt.note("", "", results[0])
        else:
            results += [await self._run_rule(attempt, rule) for rule in rules]
        return attempt, self._settlement(attempt, delivery, results)

    def _read(self, attempt: Attempt) -> Outcome | None:
        """Parse the body; gives why it cannot be read, or None."""
        try:
            attempt.news = News(payload=read_json(attempt.event.body))
            attempt.news = read_news(attempt.event.topic, attempt.payload)
        except UnreadableError as error:
            return Outcome.failed(Reason.WEBHOOK_PROCESSING_ERROR, str(error))
        return None

    async def _run_rule(self, attempt: Attempt, rule: Rule) -> Outcome:
        finished = attempt.settled(rule.name, "")
        if finished is not None:
            return Outcome(status=finished.status, reason=finished.reason)
        attempt.no_psid, attempt.psid, attempt.reference_saved, attempt.orders = None, attempt.sender, False, ()
        attempt.lined_up, attempt.reference = False, None
        started = time.monotonic()
        result = await self._objection(attempt, rule)
        if result is None:
            result = await self._run_steps(attempt, rule)
        attempt.note(rule.name, "", result, milliseconds=(time.monotonic() - started) * 1000)
        attempt.shopper = attempt.shopper or attempt.psid
        attempt.keeps_place = attempt.keeps_place or _waits_in_line(attempt, rule, result)
        return result

    async def _objection(self, attempt: Attempt, rule: Rule) -> Outcome | None:
        """Say why the rule has nothing to do for this event; None when it has."""
        found = objection(rule, attempt)
        if found is None and rule.by_business_key:
            return await self._taken(attempt, rule)
        return found

    async def _taken(self, attempt: Attempt, rule: Rule) -> Outcome | None:
        """Say who has the rule's message already; None when it is free, or this event's own."""
        claim = await self._claims.look(rule.name, rule.subject(attempt.event, attempt.news))
        if claim is None or claim.event_id == attempt.event.id:
            return None
        if claim.state is ClaimState.SENT:
            return Outcome.skipped(Reason.ALREADY_CONFIRMED, f"by {claim.event_id}")
        return Outcome.skipped(Reason.IN_PROGRESS, f"carried by {claim.event_id}")

    async def _run_steps(self, attempt: Attempt, rule: Rule) -> Outcome:
        pending: Outcome | None = None
        skipped: Outcome | None = None
        for step in rule.steps:
            result = await self._run_step(attempt, rule, step)
            if result.status is Status.SKIPPED:
                skipped = skipped or result
            elif result.status is Status.DEFERRED and result.reason is Reason.CART_CLEAR_FAILED:
                pending = pending or result  # it is retried alone; the confirmation does not wait
            elif result.status is not Status.DONE:
                return result
        return pending or skipped or Outcome.done()

    async def _run_step(self, attempt: Attempt, rule: Rule, step: Step) -> Outcome:
        earlier = attempt.settled(rule.name, step.place)
        if earlier is not None and step.name not in _FOUND_ANEW:
            if step.name == "save_order_reference":
                attempt.reference_saved = True
            return Outcome(status=earlier.status, reason=earlier.reason)
        started = time.monotonic()
        outcomes = await self._steps.run(attempt, rule, step)
        milliseconds = (time.monotonic() - started) * 1000
        for outcome in outcomes:
            attempt.note(rule.name, step.place, outcome, milliseconds=milliseconds)
        return _overall(outcomes)

    def _settlement(self, attempt: Attempt, delivery: Delivery, results: Sequence[Outcome]) -> Settlement:
        result = self._deciding(results, delivery.attempts + 1)
        disposition, due_at = Disposition.FINISHED, None
        free = result.reason in _FREE_OF_CHARGE
        attempts = delivery.attempts + (0 if free else 1)
        if result.status is Status.HELD:
            disposition = Disposition.PARKED if result.reason in _CHANNEL_CLOSED else Disposition.HELD
            due_at = self._clock() + timedelta(seconds=result.retry_after_seconds or 0.0)
        if result.status is Status.DEFERRED:
            if attempts >= self._backoff.attempts and not free:
                result = Outcome.failed(result.reason or Reason.WEBHOOK_PROCESSING_ERROR, result.detail)
            else:
                disposition = Disposition.RETRY
                due_at = self._clock() + timedelta(seconds=self._wait_seconds(result, attempts))
        if result.status is Status.FAILED:
            disposition = Disposition.DEAD
        return Settlement(
            disposition=disposition,
            status=result.status,
            reason=result.reason,
            attempts=attempts,
            journal=_news(attempt) if free else attempt.entries,
            order_id=attempt.news.order_id,
            psid=attempt.sender or attempt.shopper,
            due_at=due_at,
        )

    def _deciding(self, results: Sequence[Outcome], attempts: int) -> Outcome:
        """Give the result that decides: a rule whose attempts are used up takes none from one that waits for free."""
        result = _overall(results, _RULES_DECIDE)
        if result.status is Status.DEFERRED and attempts >= self._backoff.attempts:
            waiting = [one for one in results if one.status is Status.DEFERRED and one.reason in _FREE_OF_CHARGE]
            return waiting[-1] if waiting else result
        return result

    def _wait_seconds(self, result: Outcome, attempts: int) -> float:
        if result.reason in _FREE_OF_CHARGE and result.retry_after_seconds is not None:
            return result.retry_after_seconds
        return max(result.retry_after_seconds or 0.0, self._backoff.seconds(max(1, attempts), self._chance))


def _forgetting(attempt: Attempt) -> Settlement:
    """End an event of an erased person: in no index.

    Nothing at all is kept of one whose own id names them, or whose earlier attempts have left their lines.
    """
    return Settlement(
        disposition=Disposition.FINISHED,
        status=Status.SKIPPED,
        reason=Reason.REDACTED,
        attempts=attempt.number,
        journal=attempt.entries,
        forget=names_somebody(attempt.event) or bool(attempt.earlier),
    )


def _waits_in_line(attempt: Attempt, rule: Rule, result: Outcome) -> bool:
    """Say whether a rule has a message that is not out yet, and behind which later ones wait."""
    # What its limit holds has left the line.
    if not attempt.lined_up or result.reason is Reason.LIMIT_REACHED:
        return False
    if result.status not in (Status.DEFERRED, Status.HELD):
        return False
    lines = (*attempt.earlier, *attempt.entries)
    settled = {line.step for line in lines if line.rule == rule.name and line.status in (Status.DONE, Status.SKIPPED)}
    return any(step.name == "send_message" and step.place not in settled for step in rule.steps)


def _news(attempt: Attempt) -> Sequence[JournalEntry]:
    """Leave out the lines that only repeat what the journal says: an event may ask hundreds of times for its turn."""
    known = {(entry.rule, entry.step, entry.plugin): entry for entry in attempt.earlier}
    return [
        entry for entry in attempt.entries if not _repeats(entry, known.get((entry.rule, entry.step, entry.plugin)))
    ]


def _repeats(entry: JournalEntry, earlier: JournalEntry | None) -> bool:
    return earlier is not None and (entry.status, entry.reason) == (earlier.status, earlier.reason)


def opens_window(topic: str, payload: object) -> bool:
    """Say whether what a shopper did opens or renews the standard messaging window.

    Messages, taps, m.me links into a thread and reactions do; an opt-in on a page outside Messenger is not said to.
    https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
    """
    if topic != "messenger/reaction":
        return topic in ("messenger/message", "messenger/postback", "messenger/referral")
    reaction = payload.get("reaction") if isinstance(payload, dict) else None
    return isinstance(reaction, dict) and reaction.get("action") != "unreact"


def _overall(outcomes: Sequence[Outcome], order: Sequence[Status] = _STEPS_DECIDE) -> Outcome:
    """Give the one outcome that decides."""
    for status in order:
        for outcome in reversed(outcomes):
            if outcome.status is status:
                return outcome
    return Outcome.done()
