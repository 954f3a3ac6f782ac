"""Tries every message of shopbot.yaml on made-up events, in every language that it has."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from shopbot.config.document import Document
from shopbot.config.nodes import KeyPath
from shopbot.config.problem import Problem
from shopbot.host.occasions import FOUND, Occasion, occasions_of
from shopbot.host.samples import sample_situations
from shopbot.messages.message import ANSWER_PURPOSE, About, MessageSpec, TemplateSpec
from shopbot.messages.renderer import LONGEST_TITLE, ORDER_PAYLOAD, Renderer
from shopbot.messages.sandbox import TemplateError
from shopbot.messages.text import MESSENGER_LIMIT, length
from shopbot.plugin import Shop, TemplateDefinition
from shopbot.rules.rule import Rule


class _Fault(NamedTuple):
    """What is wrong, and where below the message."""

    path: KeyPath
    message: str
    severity: Literal["error", "warning"] = "error"


class MessageTrials:
    """Renders messages as the rules would send them, and says what goes wrong."""

    def __init__(self, document: Document, shop: Shop, rules: Sequence[Rule], *, complete: bool) -> None:
        """Prepare.

        complete: False when plugins are missing: the filters and tests that they bring are no problem then.
        """
        self._document = document
        self._shop = shop
        self._rules = rules
        self._complete = complete

    def problems(self, renderer: Renderer, messages: Mapping[str, MessageSpec]) -> Sequence[Problem]:
        """Try all messages; one problem for each place and template."""
        problems: dict[tuple[KeyPath, str], Problem] = {}
        for name, spec in messages.items():
            senders: Sequence[Occasion] = occasions_of(self._rules, name) or [Occasion(None, FOUND)]
            for fault in (*self._misfits(spec, senders), *self._faults(renderer, spec, senders)):
                path: KeyPath = ("messages", name, *fault.path)
                problem = self._document.problem(self._document.position(path), fault.message, fault.severity)
                # The other sample events have the same to say.
                problems.setdefault((path, fault.message.partition(":")[0]), problem)
        return list(problems.values())

    def _misfits(self, spec: MessageSpec, senders: Sequence[Occasion]) -> Iterator[_Fault]:
        """Say what about a message does not fit the rules."""
        for rule, *_ in senders:
            strangers = [topic for topic in sorted(rule.topics if rule else ()) if not topic.startswith("messenger/")]
            if spec.purpose == ANSWER_PURPOSE and strangers:
                why = f"a rule sends it for {strangers[0]}, which answers nobody"
                yield _Fault(("tag",), f"{ANSWER_PURPOSE} is for answers to what a shopper just did: {why}", "warning")
        listens = any(ORDER_PAYLOAD in (rule.filters.payloads or ()) for rule in self._rules)
        if spec.offers_orders and not listens:
            why = f"no rule has `payload: {ORDER_PAYLOAD}`, so nobody would answer"
            yield _Fault(("quick_replies",), f"a tap on an order comes back as {ORDER_PAYLOAD}: {why}")
        if spec.utility_template is not None:
            yield from self._template_misfits(spec.utility_template)
        for index, reply in enumerate(spec.quick_replies):
            if "{" not in reply.title and length(reply.title) > LONGEST_TITLE:
                why = f"{length(reply.title)} characters, and Messenger takes {LONGEST_TITLE}"
                yield _Fault(("quick_replies", index, "title"), f"the title is too long: {why}")

    def _template_misfits(self, template: TemplateSpec) -> Iterator[_Fault]:
        for language, body in template.bodies.items():
            if body is None:
                continue
            definition = TemplateDefinition(name=template.name, language=language, body=body)
            objection = definition.objection(len(template.parameters))
            if objection is not None:
                yield _Fault(("utility_template", "body"), f"the template in '{language}': {objection}")

    def _faults(self, renderer: Renderer, spec: MessageSpec, senders: Sequence[Occasion]) -> Iterator[_Fault]:
        """Say what goes wrong when the message is rendered."""
        for language in _languages(renderer, spec):
            for rule, found, _ in senders:
                for about in sample_situations(self._shop, rule, found):
                    spoken = replace(about, language=language) if language else about
                    yield from self._try(renderer, spec, spoken)

    def _try(self, renderer: Renderer, spec: MessageSpec, about: About) -> Iterator[_Fault]:
        parts: list[tuple[str, Callable[[MessageSpec, About], object]]] = [("utility_template", renderer.parameters)]
        try:
            text = renderer.text(spec, about)
        except TemplateError as error:
            yield from self._told(("text",), error)
        else:
            parts.append(("quick_replies", renderer.quick_replies))  # in the language of the text
            if length(text) > MESSENGER_LIMIT:
                why = f"Messenger takes {MESSENGER_LIMIT} at most, and longer texts are cut"
                yield _Fault(("text",), f"the text is {length(text)} characters long for a sample order; {why}")
            if not text.strip():
                yield _Fault(("text",), "the text is empty for a sample order")
        for part, render in parts:
            try:
                render(spec, about)
            except TemplateError as error:
                yield from self._told((part,), error)

    def _told(self, path: KeyPath, error: TemplateError) -> Iterator[_Fault]:
        # Where a plugin is missing, which is reported already, so is what it brings.
        if self._complete or not error.message.startswith(("there is no filter", "there is no test")):
            yield _Fault(path, str(error))


def _languages(renderer: Renderer, spec: MessageSpec) -> Sequence[str | None]:
    """Give the languages to try a message in; None stands for the shop's own."""
    try:
        return [None, *renderer.languages(spec)]
    except TemplateError:
        return [None]  # rendering says the same, at its place
