"""What an examination looks at, and what it finds."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shopbot.config.document import Document
from shopbot.config.nodes import KeyPath
from shopbot.config.problem import Severity
from shopbot.config.rule import RuleSettings
from shopbot.config.settings import Settings
from shopbot.config.topics import is_slip
from shopbot.hooks import Hooks
from shopbot.messages.message import MessageSpec
from shopbot.messages.renderer import Renderer
from shopbot.messages.sandbox import TemplateSandbox
from shopbot.plugin import Shop
from shopbot.rules.news import ACT_TOPICS
from shopbot.rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Case:
    """A configuration, as it was read and as the host would use it."""

    document: Document
    settings: Settings
    rules: Sequence[Rule]
    """In the order of `settings.rules`."""
    messages: Mapping[str, MessageSpec]
    hooks: Hooks
    sandbox: TemplateSandbox
    renderer: Renderer
    shop: Shop
    complete: bool
    """False where a plugin is missing: what it would bring is no problem then, and what it would do is not known."""

    def each_rule(self) -> Iterator["RuleCase"]:
        """Give the rules in their order."""
        for index, (settings, rule) in enumerate(zip(self.settings.rules, self.rules, strict=True)):
            topics = [topic for topic in settings.on if not (is_slip(topic) or is_no_event(topic))]
            yield RuleCase(("rules", index), settings, rule, topics)


class RuleCase(NamedTuple):
    """One rule under examination."""

    path: KeyPath
    settings: RuleSettings
    """As it is written."""
    rule: Rule
    """As it is compiled."""
    topics: Sequence[str]
    """The topics whose events can come; what is wrong with the others is said once, and nothing follows from it."""


class Finding(NamedTuple):
    """What is wrong, and where."""

    path: KeyPath
    message: str
    severity: Severity = "error"
    """An error where the shop would certainly misbehave; else a warning."""
    at_key: bool = False
    """Whether the key is meant, and not what stands behind it."""


Examination = Callable[[Case], Iterable[Finding]]


def is_no_event(topic: str) -> bool:
    """Say whether a topic looks like an event in Messenger, and is none: shopbot keeps what it says by itself."""
    return topic.startswith("messenger/") and topic not in ACT_TOPICS


def listed(names: Iterable[str], last: str = "and") -> str:
    """Write names for people: `a, b and c`, sorted."""
    *most, final = sorted(names)
    return f"{', '.join(most)} {last} {final}" if most else final
