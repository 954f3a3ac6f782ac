"""Kinds of values that a test file has and shopbot.yaml has not: moments, PSIDs, reason codes, patterns."""

import re
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Strict, WithJsonSchema

from shopbot.config.expected import expected
from shopbot.config.problem import suggest
from shopbot.config.topics import KNOWN_TOPICS, TOPIC_PATTERN
from shopbot.model.psid import is_psid
from shopbot.model.reason import Reason

DUPLICATE = "DUPLICATE"
"""Why nothing was said: the same delivery came before, and was dropped at the door."""

DONE = "DONE"
"""Why nothing was said: a rule did all of its steps, and sent nothing."""

SILENCES = (*(reason.value for reason in Reason), DUPLICATE, DONE)

_MOMENT = "a time such as 2026-02-05 10:30 or 2026-02-05T10:30:00+01:00"


class PlatformAnswer(StrEnum):
    """What the platform says when a message is offered to it."""

    OK = "ok"
    """It takes the message."""
    OUTSIDE_WINDOW = "outside_window"
    """For it the messaging window is closed: it refuses texts and takes utility templates."""
    REFUSED = "refused"
    """It refuses this message for good."""
    RETRY = "retry"
    """It is out of order for the moment."""
    RATE_LIMITED = "rate_limited"
    """It takes nothing for a minute."""
    DOWN = "down"
    """It takes nothing until a person acts: the token was revoked."""
    IN_DOUBT = "in_doubt"
    """It was given the message, and its answer was lost."""


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise expected(_MOMENT, text=False) from error
    if isinstance(value, datetime):
        return value
    raise expected(_MOMENT, ": give the time of day, too" if isinstance(value, date) else "", text=False)


def _psid(value: str) -> str:
    if not is_psid(value):
        raise expected("a PSID: up to 32 digits, in quotes")
    return value


def _topic(value: str) -> str:
    if not re.fullmatch(TOPIC_PATTERN, value):
        raise expected("a topic such as orders/paid or messenger/message", suggest(value, KNOWN_TOPICS))
    return value


def _silence(value: str) -> str:
    if value not in SILENCES:
        raise expected("a reason code such as NOT_PAID", suggest(value, SILENCES))
    return value


def _reason(value: str) -> str:
    codes = [reason.value for reason in Reason]
    if value not in codes:
        raise expected("a reason code such as OUTSIDE_WINDOW", suggest(value, codes))
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        place = "" if error.pos is None else f" at character {error.pos + 1}"
        raise expected("a regular expression", f": {error.msg}{place}", got=False) from error
    return value


Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "examples": ["2026-02-05 10:30"]})
]
"""A point in time. One without an offset is in the shop's own time zone: it has no tzinfo yet."""

Psid = Annotated[str, AfterValidator(_psid), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,32}$"})]

Topic = Annotated[str, AfterValidator(_topic), WithJsonSchema({"type": "string", "pattern": TOPIC_PATTERN})]

Silence = Annotated[str, AfterValidator(_silence), WithJsonSchema({"type": "string", "enum": list(SILENCES)})]
"""Why no message was sent: a reason code, or one of the words above."""

ReasonCode = Annotated[
    str, AfterValidator(_reason), WithJsonSchema({"type": "string", "enum": [reason.value for reason in Reason]})
]

Pattern = Annotated[str, AfterValidator(_pattern), WithJsonSchema({"type": "string", "format": "regex"})]
"""A regular expression of Python's."""

YesNo = Annotated[bool, Strict()]
"""No text stands for it: unlike shopbot.yaml, a test file has no variables, whose values are always texts."""

WholeNumber = Annotated[int, Strict()]
"""Likewise."""
