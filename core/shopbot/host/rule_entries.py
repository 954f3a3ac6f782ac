"""The rules of shopbot.yaml: compiles them, and finds steps and messages that are not there."""

from collections.abc import Mapping, Sequence

from shopbot.config.document import Document
from shopbot.config.nodes import KeyPath
from shopbot.config.problem import Problem, suggest
from shopbot.config.rule import RuleSettings, WhenSettings
from shopbot.config.settings import Settings
from shopbot.config.wording import show_bare
from shopbot.messages.sandbox import TemplateError, TemplateSandbox
from shopbot.rules.phrases import Phrases
from shopbot.rules.rule import Filters, Rule, Step
from shopbot.rules.steps import STEP_NAMES

_LISTS_OF_STEPS = {"resolve_psid": "resolvers", "clear_cart": "carts", "send_message": "senders"}
"""Steps that have nothing to do without an entry in their list."""

_BY_NUMBER = ("one", "several", "none")


class RuleEntries:
    """Compiles rules and collects what is wrong with them."""

    def __init__(
        self,
        document: Document,
        settings: Settings,
        sandbox: TemplateSandbox,
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
                parcel_status=when.parcel_status,
                phrases=_phrases(when),
                payloads=when.payload,
            ),
            condition=condition,
            once_per=rule.once_per,
        )

    def _steps(self, index: int, rule: RuleSettings) -> tuple[Step, ...]:
        steps: list[Step] = []
        sends = 0
        for number, (name, setting) in enumerate(rule.plan):
            path = ("rules", index, "steps", number)
            self._check_step(path, name, setting)
            sends += name == "send_message"
            by_number = setting if name == "send_message" and isinstance(setting, dict) else {}
            if by_number and "find_orders" not in [step.name for step in steps]:
                self._problem((*path, name), "how many orders there are is known only behind the step 'find_orders'")
            text = by_number.get("one") if by_number else setting
            steps.append(
                Step(
                    place=f"{number + 1}:{name}",
                    name=name,
                    argument=text if isinstance(text, str) else None,
                    ordinal=max(1, sends),
                    otherwise={number: str(message) for number, message in by_number.items() if number != "one"},
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
        elif isinstance(setting, dict):
            self._check_messages_by_number((*path, name), setting)
        elif not isinstance(setting, str):
            self._problem(path, f"say which message: `send_message: NAME`{self._misread((*path, name))}")
        else:
            self._check_message((*path, name), setting)

    def _check_messages_by_number(self, path: KeyPath, by_number: Mapping[str, object]) -> None:
        """Check `send_message: {one: …, several: …, none: …}`."""
        if "one" not in by_number:
            self._problem(path, "say which message where there is one order: `send_message: {one: NAME, none: NAME}`")
        for number, message in by_number.items():
            if number not in _BY_NUMBER:
                hint = suggest(str(number), _BY_NUMBER) or f"; known here: {', '.join(_BY_NUMBER)}"
                self._problem((*path, number), f"unknown key '{number}'{hint}")
            elif not isinstance(message, str):
                hint = self._misread((*path, number))
                self._problem((*path, number), f"say which message, by its name under `messages:`{hint}")
            else:
                self._check_message((*path, number), message)

    def _check_message(self, path: KeyPath, message: str) -> None:
        if message not in self._settings.messages:
            names = ", ".join(self._settings.messages) or "none"
            hint = suggest(message, self._settings.messages)
            self._problem(path, f"no message named '{message}' under `messages:`; there are: {names}{hint}")

    def _misread(self, path: KeyPath) -> str:
        """Say what YAML made of the bare word that stands in place of a name, as the end of a sentence."""
        written = self._document.scalar(path)
        if written is None or not written.plain or written.value is None:
            return ""
        return f", got {show_bare(written.source, written.value, quotes=True)}"

    def _may_be_a_plugin_s(self, error: TemplateError) -> bool:
        """Say whether the fault may only be that a plugin is missing, which is reported already."""
        return not self._complete and error.message.startswith(("there is no filter", "there is no test"))

    def _problem(self, path: tuple[str | int, ...], message: str) -> None:
        message = self._document.masked(message)
        self.problems.append(self._document.problem(self._document.position(path), message))


def _phrases(when: WhenSettings) -> Phrases | None:
    patterns = when.text_matches
    if patterns is None:
        return None
    return Phrases(patterns if isinstance(patterns, dict) else {"": patterns})
