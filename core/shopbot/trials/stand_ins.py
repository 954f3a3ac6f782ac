"""What stands in the place of plugins that work elsewhere, so that a trial leaves the machine alone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from shopbot.discovery import implements
from shopbot.hooks import PluginInstance
from shopbot.plugin import CartResult, Event, Order, Outcome, Reason, Resolution, Retry, Run, Trust, hookimpl, is_psid
from shopbot.trials.platform import Platform, PlatformSender

_NEVER_STARTED = ("pollers", "checkouts")
"""Lists whose plugins no rule ever asks."""

_RETRY = "retry"
_ANSWERS: Mapping[str, tuple[str, ...]] = {
    "carts": (*(result.value for result in CartResult), _RETRY),
    "plugins": ("done", "failed", _RETRY),
    "resolvers": ("nobody", _RETRY),
    "senders": ("passes",),
}
"""What can be answered in the place of a plugin, by the list that it stands in; the first is the answer where the test
says nothing. In the place of a resolver also a PSID."""


class Part(StrEnum):
    """What becomes of a plugin in a trial."""

    ITSELF = "itself"
    STAND_IN = "stand_in"
    """The test answers in its place."""
    ABSENT = "absent"
    """It is not started: no rule ever asks it."""


def part_of(instance: PluginInstance, answers: Mapping[str, str]) -> Part:
    """Say what becomes of a plugin.

    answers: by plugin name, as `plugins:` in a test gives them.
    """
    if instance.section in _NEVER_STARTED:
        return Part.ABSENT
    if instance.section not in _ANSWERS:
        return Part.ITSELF
    answered = instance.name in answers and fits(instance, answers[instance.name])
    outside = getattr(instance.plugin, "outside", False) is True
    return Part.STAND_IN if answered or outside or instance.section == "senders" else Part.ITSELF


def players(
    instances: Iterable[PluginInstance], answers: Mapping[str, str], platform: Platform, calls: Counter[str]
) -> Sequence[PluginInstance]:
    """Give the plugins of a trial: something stands in for each that would leave the host and its store.

    calls: counts the calls of stand-ins, by plugin name; those of senders are the platform's to count.
    """
    playing: list[PluginInstance] = []
    for instance in instances:
        part = part_of(instance, answers)
        if part is Part.ITSELF:
            playing.append(instance)
        elif part is Part.STAND_IN:
            stand_in = _stand_in(instance, answers.get(instance.name, ""), platform, calls)
            playing += [] if stand_in is None else [replace(instance, plugin=stand_in)]
    return playing


def fits(instance: PluginInstance, answer: str) -> bool:
    """Say whether something can be answered in the place of a plugin."""
    return answer in _answers(instance) or (instance.section == "resolvers" and is_psid(answer))


def possible_answers(instances: Iterable[PluginInstance]) -> Sequence[str]:
    """List what can be answered in the place of plugins."""
    found = {answer: None for instance in instances for answer in _answers(instance)}
    return [*found, *(["a PSID"] if any(instance.section == "resolvers" for instance in instances) else [])]


def _answers(instance: PluginInstance) -> Sequence[str]:
    if instance.section == "plugins" and not implements(type(instance.plugin), "run_step"):
        return ()  # filters and observers are asked for nothing that a rule would notice
    return _ANSWERS.get(instance.section, ())


def _stand_in(instance: PluginInstance, answer: str, platform: Platform, calls: Counter[str]) -> object | None:
    """Make what stands in a plugin's place; None where no rule would notice that it is gone."""
    if instance.section == "senders":
        channel = getattr(instance.plugin, "channel", None)
        return PlatformSender(platform, channel=channel, passes=answer == "passes")
    possible = _answers(instance)
    if not possible:
        return None
    kind = {"carts": _Cart, "resolvers": _Resolver}.get(instance.section, _Step)
    return kind(instance.name, answer if fits(instance, answer) else possible[0], calls)


class _StandIn:
    def __init__(self, name: str, answer: str, calls: Counter[str]) -> None:
        self._name = name
        self._answer = answer
        self._calls = calls

    def _answered(self) -> str:
        """Give the answer.

        Raises:
            Retry: that is the answer.
        """
        self._calls[self._name] += 1
        if self._answer == _RETRY:
            raise Retry(f"the test says that {self._name} is out of order")
        return self._answer


class _Cart(_StandIn):
    @hookimpl
    async def clear_cart(self, psid: str, order: Order) -> CartResult:  # noqa: ARG002 - the hook's arguments
        return CartResult(self._answered())


class _Resolver(_StandIn):
    @hookimpl
    async def resolve_psid(self, order: Order) -> Resolution | None:  # noqa: ARG002 - likewise
        answer = self._answered()
        return None if answer == "nobody" else Resolution(psid=answer, trust=Trust.ANY)


class _Step(_StandIn):
    @hookimpl
    async def run_step(self, event: Event, run: Run) -> Outcome:  # noqa: ARG002 - likewise
        if self._answered() == "failed":
            return Outcome.failed(Reason.PLUGIN_FAILED, f"the test says that {self._name} failed")
        return Outcome.done()
