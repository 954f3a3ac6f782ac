"""Why a rule has nothing to do for an event, as far as the event itself says."""

from shopbot.messages.sandbox import TemplateError
from shopbot.model.outcome import Outcome
from shopbot.model.reason import Reason
from shopbot.rules.attempt import Attempt
from shopbot.rules.rule import Rule


def objection(rule: Rule, attempt: Attempt) -> Outcome | None:
    """Hold an event against a rule's `when:`, `once_per:` and `if:`; None where nothing speaks against it."""
    mismatch = rule.filters.mismatch(attempt.news) or rule.missing(attempt.news)
    if mismatch is not None or rule.condition is None:
        return mismatch
    try:
        holds = rule.condition.evaluate(attempt.context())
    except TemplateError as error:
        return Outcome.failed(Reason.CONDITION_FAILED, str(error))
    return None if holds else Outcome.skipped(Reason.CONDITION_FALSE)
