"""A message as configured, and the request to send it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from shopbot.model.event import Event
from shopbot.model.order import Order

ANSWER_PURPOSE = "order_answer"
"""The purpose of messages that answer what the shopper just wrote."""


@dataclass(frozen=True, slots=True)
class TemplateSpec:
    """The approved utility template of a message."""

    name: str
    language: str
    parameters: Sequence[str]
    """Jinja sources of the body's placeholders, in order."""


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """One entry of `messages:` in shopbot.yaml."""

    name: str
    purpose: str
    """The `tag:`: groups messages for limits, never sent to Meta."""
    text: str
    """A template file's name (it ends in `.j2`) or the template itself."""
    utility_template: TemplateSpec | None = None
    limit: tuple[int, timedelta] | None = None
    """How many per shopper in how long a stretch of time, outside the standard window; None does not limit."""
    drop_over_limit: bool = False
    """Whether what may not be sent now is given up instead of held."""

    @property
    def is_file(self) -> bool:
        """Whether `text` names a file."""
        return self.text.endswith(".j2") and "\n" not in self.text


@dataclass(frozen=True, slots=True)
class SendRequest:
    """What a rule asks the dispatcher to send."""

    message: str
    """The message's name in shopbot.yaml."""
    psid: str
    event: Event
    order: Order | None
    rule: str
    subject: str
    """With the rule, the claim's business key: `order:1001`."""
    confirms_order: bool
    """Whether the order counts as confirmed once this is sent."""
    claim_ttl_seconds: float
