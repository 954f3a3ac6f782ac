"""A message as shoppers would get it: for each made-up event of its rules, in each of its languages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shopbot.config.nodes import KeyPath, label
from shopbot.host.examinations.examination import Case
from shopbot.host.occasions import FOUND, Occasion, occasions_of
from shopbot.host.samples import named_samples
from shopbot.messages.message import About, MessageSpec
from shopbot.messages.renderer import READABLE
from shopbot.messages.sandbox import Reading, TemplateError
from shopbot.model.message import QuickReply


@dataclass(frozen=True, slots=True)
class Part:
    """One template of a message."""

    path: KeyPath
    """Where it stands in shopbot.yaml, or is named."""
    reading: Reading


@dataclass(slots=True)
class Rendering:
    """What became of a message for one event in one language."""

    about: About
    sample: str
    """What the event is called."""
    language: str | None
    """None for the shop's own."""
    text: str | None = None
    """None where it cannot be rendered."""
    replies: Sequence[QuickReply] = ()
    title_languages: Sequence[str] = ()
    """The languages of the titles of those replies that stand in shopbot.yaml; "" for any."""
    failures: list[tuple[KeyPath, TemplateError]] = field(default_factory=list)
    """What cannot be rendered, each with the key that it stands under."""


def parts_of(case: Case, spec: MessageSpec) -> Mapping[str, Part]:
    """Read all templates of a message, by the names that errors give them."""
    path: KeyPath = ("messages", spec.name)
    found: dict[str, Part] = {}
    if spec.is_file:
        for name in _files(case, spec):
            found[name] = Part((*path, "text"), case.sandbox.read_file(name, READABLE))
    sources: dict[KeyPath, str] = {} if spec.is_file else {("text",): spec.text}
    if spec.utility_template is not None:
        for index, source in enumerate(spec.utility_template.parameters):
            sources["utility_template", "parameters", index] = source
    for index, reply in enumerate(spec.quick_replies):
        for language, source in reply.titles.items():
            sources["quick_replies", index, *reply.place(language)] = source
        sources["quick_replies", index, "payload"] = reply.payload
    for below, source in sources.items():
        name = label((*path, *below))
        found[name] = Part((*path, *below), case.sandbox.read_text(source, name, READABLE))
    return found


def renderings_of(case: Case, spec: MessageSpec) -> Iterator[Rendering]:
    """Render a message for every event that may bring it about."""
    senders: Sequence[Occasion] = occasions_of(case.rules, spec.name) or [Occasion(None, FOUND)]
    for language in _languages(case, spec):
        for rule, found, _ in senders:
            for name, about in named_samples(case.shop, rule, found):
                spoken = replace(about, language=language) if language else about
                yield _rendering(case, spec, Rendering(spoken, name, language))


def _rendering(case: Case, spec: MessageSpec, made: Rendering) -> Rendering:
    path: KeyPath = ("messages", spec.name)
    try:
        made.text = case.renderer.text(spec, made.about)
    except TemplateError as error:
        made.failures.append(((*path, "text"), error))
    else:
        try:  # in the language of the text
            made.replies = case.renderer.whole_quick_replies(spec, made.about)
            made.title_languages = case.renderer.title_languages(spec, made.about)
        except TemplateError as error:
            made.failures.append(((*path, "quick_replies"), error))
    try:
        case.renderer.parameters(spec, made.about)
    except TemplateError as error:
        made.failures.append(((*path, "utility_template"), error))
    return made


def _files(case: Case, spec: MessageSpec) -> Sequence[str]:
    try:
        return case.sandbox.translations(spec.text)
    except TemplateError:
        return ()  # rendering says the same, at its place


def _languages(case: Case, spec: MessageSpec) -> Sequence[str | None]:
    """Give the languages to try a message in; None stands for the shop's own."""
    try:
        return [None, *case.renderer.languages(spec)]
    except TemplateError:
        return [None]  # likewise
