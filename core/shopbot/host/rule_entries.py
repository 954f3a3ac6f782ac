"""The rules and messages of shopbot.yaml: compiles them, and tries them before an order does."""

import re
from collections.abc import Iterator, Mapping, Sequence

from shopbot.config.document import Document
from shopbot.config.nodes import KeyPath
from shopbot.config.problem import Problem, suggest
from shopbot.config.rule import RuleSettings
from shopbot.config.settings import Settings
from shopbot.host.samples import sample_event, sample_orders
from shopbot.messages.delivery import DeliveryCalendar
from shopbot.messages.message import MessageSpec
from shopbot.messages.renderer import Renderer
from shopbot.messages.sandbox import TemplateError, TemplateSandbox
from shopbot.messages.text import MESSENGER_LIMIT, length
from shopbot.plugin import Order, Shop
from shopbot.rules.attempt import Attempt
from shopbot.rules.engine import ORDER_TOPICS
from shopbot.rules.rule import Filters, Rule, Step
from shopbot.rules.steps import STEP_NAMES

_LISTS_OF_STEPS = {"resolve_psid": "resolvers", "clear_cart": "carts", "send_message": "senders"}
"""Steps that have nothing to do without an entry in their list."""


class RuleEntries:
    """Compiles rules and collects what is wrong with them."""

    def __init__(
        self,
        document: Document,
        settings: Settings,
        sandbox: TemplateSandbox,
        shop: Shop,
        *,
        step_names: Sequence[str],
        complete: bool,
    ) -> None:
        """Prepare.

        step_names: the steps that plugins bring.
        complete: False when plugins are missing: the filters and tests that they bring are no problem then.
        """
        self._document = document
        self._settings = settings
        self._sandbox = sandbox
        self._shop = shop
        self._plugin_steps = tuple(step_names)
        self._complete = complete
        self.problems: list[Problem] = []

    def rules(self) -> tuple[Rule, ...]:
        """Compile all rules; the result is good for nothing when there are problems."""
        return tuple(self._rule(index, rule) for index, rule in enumerate(self._settings.rules))

    def _rule(self, index: int, rule: RuleSettings) -> Rule:
        when = rule.when
        condition = None
        if rule.condition is not None:
            try:
                condition = self._sandbox.compile_expression(rule.condition)
                if set(rule.on) <= ORDER_TOPICS and "payload" not in rule.condition:
                    condition.evaluate(self._sample_context())
            except TemplateError as error:
                if not self._may_be_a_plugin_s(error):
                    self._problem(("rules", index, "if"), f"`if:` {error.message}")
        return Rule(
            name=rule.name,
            topics=frozenset(rule.on),
            steps=self._steps(index, rule),
            filters=Filters(
                financial_status=when.financial_status,
                fulfillment_status=when.fulfillment_status,
                source_name=when.source_name,
                cancelled=when.cancelled,
                test=when.test,
                text_matches=[re.compile(pattern, re.IGNORECASE) for pattern in when.text_matches]
                if when.text_matches is not None
                else None,
            ),
            condition=condition,
            once_per_order=rule.once_per == "order",
        )

    def _steps(self, index: int, rule: RuleSettings) -> tuple[Step, ...]:
        steps: list[Step] = []
        sends = 0
        for number, (name, setting) in enumerate(rule.plan):
            path = ("rules", index, "steps", number)
            self._check_step(path, name, setting)
            sends += name == "send_message"
            steps.append(
                Step(
                    place=f"{number + 1}:{name}",
                    name=name,
                    argument=setting if isinstance(setting, str) else None,
                    ordinal=max(1, sends),
                )
            )
        return tuple(steps)

    def _check_step(self, path: tuple[str | int, ...], name: str, setting: object) -> None:
        known = (*STEP_NAMES, *self._plugin_steps)
        if name not in known:
            self._problem(path, f"no step named '{name}'; there are: {', '.join(known)}{suggest(name, known)}")
            return
        needed = _LISTS_OF_STEPS.get(name)
        if needed is not None and not getattr(self._settings, needed):
            self._problem(path, f"the step '{name}' has nothing to work with: `{needed}:` is empty")
        if name != "send_message":
            if setting is not None:
                self._problem(path, f"the step '{name}' takes no setting")
        elif not isinstance(setting, str):
            self._problem(path, "say which message: `send_message: NAME`")
        elif setting not in self._settings.messages:
            names = ", ".join(self._settings.messages) or "none"
            hint = suggest(setting, self._settings.messages)
            self._problem((*path, name), f"no message named '{setting}' under `messages:`; there are: {names}{hint}")

    def message_problems(self, messages: Mapping[str, MessageSpec], calendar: DeliveryCalendar) -> Sequence[Problem]:
        """Render every message for sample orders, in each language that it has, and say what goes wrong."""
        renderer = Renderer(messages, self._sandbox, self._shop, calendar)
        problems: dict[tuple[KeyPath, str], Problem] = {}
        for name, spec in messages.items():
            for language in self._languages(spec):
                for order in sample_orders(self._shop):
                    spoken = order.model_copy(update={"customer_locale": language}) if language else order
                    for path, message in self._try(renderer, spec, spoken):
                        # One for each place and template: the other sample orders have the same to say.
                        problem = self._document.problem(self._document.position(("messages", name, *path)), message)
                        problems.setdefault((("messages", name, *path), message.partition(":")[0]), problem)
        return list(problems.values())

    def _languages(self, spec: MessageSpec) -> Sequence[str | None]:
        """Give the languages of a message's files, as shoppers name them; None stands for the shop's own."""
        if not spec.is_file:
            return [None]
        try:
            files = self._sandbox.translations(spec.text)
        except TemplateError:
            return [None]  # rendering says the same, at its place
        stem, _, suffixes = spec.text.partition(".")
        tags = [file.removeprefix(f"{stem}.").removesuffix(suffixes).rstrip(".") for file in files]
        return [None, *(tag for tag in tags if tag)]

    def _try(self, renderer: Renderer, spec: MessageSpec, order: Order) -> Iterator[tuple[KeyPath, str]]:
        try:
            text = renderer.text(spec, sample_event(), order)
            if length(text) > MESSENGER_LIMIT:
                yield (
                    ("text",),
                    (
                        f"the text is {length(text)} characters long for a sample order; Messenger takes"
                        f" {MESSENGER_LIMIT} at most, and longer texts are cut"
                    ),
                )
            if not text.strip():
                yield ("text",), "the text is empty for a sample order"
        except TemplateError as error:
            if not self._may_be_a_plugin_s(error):
                yield ("text",), str(error)
        try:
            renderer.parameters(spec, sample_event(), order)
        except TemplateError as error:
            if not self._may_be_a_plugin_s(error):
                yield ("utility_template",), str(error)

    def _may_be_a_plugin_s(self, error: TemplateError) -> bool:
        """Say whether the fault may only be that a plugin is missing, which is reported already."""
        return not self._complete and error.message.startswith(("there is no filter", "there is no test"))

    def _sample_context(self) -> Mapping[str, object]:
        """Give what `if:` may ask about, for an order that has everything."""
        attempt = Attempt(event=sample_event(), number=1, earlier=(), clock=lambda: sample_event().received_at)
        attempt.order = sample_orders(self._shop)[0]
        return attempt.context()

    def _problem(self, path: tuple[str | int, ...], message: str) -> None:
        self.problems.append(self._document.problem(self._document.position(path), message))
