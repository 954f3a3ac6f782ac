"""Utility templates as the platform knows them: what is submitted for approval, and what became of it."""

import re
from collections.abc import Sequence
from enum import StrEnum

from shopbot.model.base import Value

_PLACEHOLDER = re.compile(r"\{\{\s*([0-9]+)\s*\}\}")
_LONGEST_BODY = 1024


class TemplateStatus(StrEnum):
    """How a template stands with the platform."""

    APPROVED = "approved"
    PENDING = "pending"
    """Submitted; nobody has decided yet."""
    REJECTED = "rejected"
    MISSING = "missing"
    """The platform has none of this name and language."""
    DIFFERENT = "different"
    """The platform has one, with other words. One that was approved cannot be changed: it needs a new name."""
    UNKNOWN = "unknown"
    """The platform says something else; see the reason."""


class TemplateDefinition(Value):
    """A template in one language, ready to be submitted."""

    name: str
    language: str
    """`en`, `en_US`."""
    body: str
    """The words, with `{{1}}`, `{{2}}` and so on where values go; empty where only the platform has them."""
    examples: tuple[str, ...] = ()
    """A value for each placeholder, for those who decide."""

    @property
    def placeholders(self) -> tuple[int, ...]:
        """Give the numbers of the placeholders, in the order of the words, each once."""
        return tuple(dict.fromkeys(int(number) for number in _PLACEHOLDER.findall(self.body)))

    def filled(self, values: Sequence[str]) -> str:
        """Put values into their places; a place without one stays as it is."""
        lines = {number: one_line(value) for number, value in enumerate(values, start=1)}
        return _PLACEHOLDER.sub(lambda place: lines.get(int(place[1]), place[0]), self.body)

    def objection(self, parameters: int) -> str | None:
        """Say why the platform would not take it, or not with so many parameters; None when it would.

        https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/utility-messages
        """
        if not re.fullmatch(r"[a-z0-9_]{1,512}", self.name):
            return "the name must be of lower-case letters, digits and '_'"
        if not re.fullmatch(r"[a-z]{2,3}(_[A-Z]{2})?", self.language):
            return f"'{self.language}' is no language of a template; write en or en_US"
        if len(self.body) > _LONGEST_BODY:
            return f"the text has {len(self.body)} characters, and Messenger takes {_LONGEST_BODY}"
        if sorted(self.placeholders) != list(range(1, len(self.placeholders) + 1)):
            return "placeholders are numbered {{1}}, {{2}} and so on, without a gap"
        if len(self.placeholders) != parameters:
            has = f"the text has {_count(len(self.placeholders), 'placeholder')}"
            return f"{has}, and `parameters:` has {_count(parameters, 'value')}"
        if _PLACEHOLDER.match(self.body.strip()) or self.body.strip().endswith("}}"):
            return "the text may neither begin nor end with a placeholder"
        return None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def one_line(value: str) -> str:
    """Write a placeholder's value as platforms take it: on one line, and "-" where there is none."""
    return " ".join(value.split()) or "-"


class TemplateState(Value):
    """What the platform says of a template."""

    status: TemplateStatus
    reason: str = ""
    """Why it was rejected, in the platform's words; empty where it was not."""
