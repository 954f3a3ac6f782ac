"""Templates that cannot be rendered, and texts and buttons that Messenger does not take as they come out."""

from collections.abc import Iterator, Mapping, Sequence

from shopbot.config.nodes import KeyPath
from shopbot.host.examinations.carried import bring_none
from shopbot.host.examinations.examination import Case, Finding
from shopbot.host.examinations.renderings import Part, Rendering, parts_of, renderings_of
from shopbot.host.samples import LONGEST
from shopbot.messages.message import About, MessageSpec
from shopbot.messages.renderer import LONGEST_TITLE
from shopbot.messages.sandbox import TemplateError
from shopbot.messages.text import MESSENGER_LIMIT, length


def examine(case: Case) -> Iterator[Finding]:
    """Read and render all messages."""
    for spec in case.messages.values():
        parts = parts_of(case, spec)
        renderings = list(renderings_of(case, spec))
        yield from _slips(parts)
        yield from _failures(case, parts, renderings)
        yield from _texts(spec, renderings)
        yield from _titles(spec, renderings)


def _slips(parts: Mapping[str, Part]) -> Iterator[Finding]:
    """Name what templates read that does not exist, also where no made-up event leads."""
    # A file that several languages take in is named once.
    yield from dict.fromkeys(Finding(part.path, str(slip)) for part in parts.values() for slip in part.reading.slips)


def _failures(case: Case, parts: Mapping[str, Part], renderings: Sequence[Rendering]) -> Iterator[Finding]:
    """Say what cannot be rendered, once for each template: other events and languages have the same to say."""
    told = {(part.path, slip.template) for part in parts.values() for slip in part.reading.slips}
    for rendering in renderings:
        for path, error in rendering.failures:
            part = parts.get(error.template)
            place = (part.path if part else path, error.template)
            # Where a plugin is missing, which is reported already, so is what it brings.
            foreign = not case.complete and error.message.startswith(("there is no filter", "there is no test"))
            if place not in told and not foreign:
                told.add(place)
                names = part.reading.names if part else frozenset[str]()
                yield Finding(place[0], f"{error}{_hint(error, names, rendering.about)}")


def _hint(error: TemplateError, names: frozenset[str], about: About) -> str:
    """Say why something is nothing: because the event does not bring it."""
    if "is nothing (none)" in error.message:
        for name, thing in (("order", about.order), ("parcel", about.parcel), ("refund", about.refund)):
            if name in names and thing is None:
                known = "; the order that it is about is `orders[0]`" if name == "order" and about.orders else ""
                return f"; {bring_none([about.event.topic], f'no {name}')}{known}"
    if "orders" in names and not about.orders and "a list has no" in error.message:
        return "; `orders` is empty here: no step has found one"
    return ""


def _texts(spec: MessageSpec, renderings: Sequence[Rendering]) -> Iterator[Finding]:
    """Find texts that are empty, or longer than Messenger takes."""
    path: KeyPath = ("messages", spec.name, "text")
    texts = [(rendering, rendering.text) for rendering in renderings if rendering.text is not None]
    empty = next((rendering for rendering, text in texts if not text.strip()), None)
    if empty is not None:
        yield Finding(path, f"the text is empty for {_sample(empty)}: Messenger takes none without words")
    over = [(length(text), rendering) for rendering, text in texts if length(text) > MESSENGER_LIMIT]
    usual = [(count, rendering) for count, rendering in over if rendering.sample not in LONGEST]
    for count, rendering in sorted(usual or over, key=lambda found: -found[0])[:1]:
        what = f"the text is {count} characters long for {_sample(rendering)}"
        why = f"Messenger takes {MESSENGER_LIMIT} at most, and longer texts are cut"
        hint = "" if usual else ": show the first lines only, as in `order.line_items[:10]`"
        yield Finding(path, f"{what}; {why}{hint}", "error" if usual else "warning")


def _titles(spec: MessageSpec, renderings: Sequence[Rendering]) -> Iterator[Finding]:
    """Find buttons whose title Messenger would not show in full; those of orders are made to fit."""
    for index, reply in enumerate(spec.quick_replies):
        for language, source in reply.titles.items():
            path: KeyPath = ("messages", spec.name, "quick_replies", index, *reply.place(language))
            titles = [
                rendering.replies[index].title
                for rendering in renderings
                if index < len(rendering.title_languages) and rendering.title_languages[index] == language
            ]
            # A title without values is the same for everybody, also where nobody has been found to read it.
            longest = max(titles, key=length, default="") if "{" in source else " ".join(source.split())
            if length(longest) > LONGEST_TITLE:
                why = f"{length(longest)} characters, and Messenger takes {LONGEST_TITLE}"
                if "{" in source:
                    yield Finding(path, f"the title is cut: '{longest}' has {why}", "warning")
                else:
                    yield Finding(path, f"the title is too long: {why}")


def _sample(rendering: Rendering) -> str:
    return f"the sample '{rendering.sample}'" + (f" in {rendering.language}" if rendering.language else "")
