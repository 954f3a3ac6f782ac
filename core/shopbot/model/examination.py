"""What a plugin is told when it is examined."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from shopbot.model.request import Origin


@dataclass(frozen=True, slots=True)
class Examination:
    """What the host needs of the outside, so that a plugin can look whether it is there."""

    today: date
    """In UTC; for what ends on a day, such as versions of an API."""
    topics: Mapping[Origin, frozenset[str]] = field(default_factory=dict)
    """The platform's topics that the rules listen to: `orders/paid`, `messenger/message`."""
    taken: frozenset[Origin] = frozenset()
    """The platforms whose webhooks the host takes: a verifier judges them."""
    addresses: Mapping[Origin, str] = field(default_factory=dict)
    """Where the platform's webhooks must go, the whole address; empty where nobody has said what the public URL is."""
    sends_templates: bool = False
    """Whether a message has a utility template."""
