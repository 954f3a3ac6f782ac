"""The rules and messages of shopbot.yaml: compiles them, and tries them before an order does."""

import re
from collections.abc import Mapping, Sequence

from shopbot.config.document import Document
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
from shopbot.rules.rule import Filters, Rule, Step
from shopbot.rules.steps import STEP_NAMES

_LISTS_OF_STEPS = {"resolve_psid": "resolvers", "clear_cart": "carts", "send_message": "senders"}
"""Steps that have nothing to do without an entry in their list."""


class RuleEntries:
    """Compiles rules and collects what is wrong with them."""

    def __init__(
        self, document: Document, settings: Settings, sandbox: TemplateSandbox, *, step_names: Sequence[str]
    ) -> None:
        """Prepare.

        step_names: the steps that plugins bring.
        """
        self._document = document
        self._settings = settings
        self._sandbox = sandbox
        self._plugin_steps = tuple(step_names)
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
            except TemplateError as error:
                self._problem(("rules", index, "if"), f"`if:` {error}")
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

    def message_problems(
        self,
        messages: Mapping[str, MessageSpec],
        shop: Shop,
        calendar: DeliveryCalendar,
        *,
        complete: bool,
    ) -> Sequence[Problem]:
        """Render every message for sample orders and say what goes wrong.

        complete: False when plugins are missing: their filters are too, so nothing can be said.
        """
        if not complete:
            return []
        renderer = Renderer(messages, self._sandbox, shop, calendar)
        problems: dict[str, Problem] = {}
        for name, spec in messages.items():
            for order in sample_orders(shop):
                problem = self._try(renderer, name, spec, order)
                if problem is not None:
                    problems.setdefault(name, problem)
        return list(problems.values())

    def _try(self, renderer: Renderer, name: str, spec: MessageSpec, order: Order) -> Problem | None:
        path = ("messages", name, "text")
        try:
            text = renderer.text(spec, sample_event(), order)
            path = ("messages", name, "utility_template")
            renderer.parameters(spec, sample_event(), order)
        except TemplateError as error:
            return self._document.problem(self._document.position(path), str(error))
        if length(text) > MESSENGER_LIMIT:
            message = (
                f"the text is {length(text)} characters long for a sample order; Messenger takes"
                f" {MESSENGER_LIMIT} at most, and longer texts are cut"
            )
            return self._document.problem(self._document.position(("messages", name, "text")), message)
        if not text.strip():
            return self._document.problem(self._document.position(path), "the text is empty for a sample order")
        return None

    def _problem(self, path: tuple[str | int, ...], message: str) -> None:
        self.problems.append(self._document.problem(self._document.position(path), message))
