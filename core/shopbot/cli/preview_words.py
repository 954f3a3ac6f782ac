"""What is said of a preview besides the message itself, on the terminal and on the page."""

from collections.abc import Iterator

from shopbot.host.preview import Preview, Sending
from shopbot.messages.locales import babel_locale
from shopbot.messages.mode import Window
from shopbot.messages.text import MESSENGER_LIMIT
from shopbot.model.printable import printable

_WINDOWS = {
    Window.OPEN: "window open",
    Window.CLOSED: "window closed",
    Window.UNKNOWN: "window not known",
    Window.UNKNOWABLE: "window not known",
}


def about(preview: Preview) -> str:
    """Say what it is about."""
    return printable(preview.subject.order or f"sample {preview.subject.sample}")


def sent_by(preview: Preview) -> str:
    """Say which rule sends it, and on what."""
    rule = preview.subject.occasion.rule
    return f"rule {rule.name} on {', '.join(sorted(rule.topics))}" if rule else "no rule sends it"


def source(preview: Preview) -> str:
    """Say where the words of its text are."""
    if preview.file is None:
        return "words in the configuration"
    return f"{preview.file}, which comes with shopbot" if preview.bundled else printable(str(preview.path))


def heading(sending: Sending) -> str:
    """Say how and when it goes out."""
    return f"{sending.delivery or 'not sent'} · {_WINDOWS[sending.window]}"


def template_of(sending: Sending) -> str:
    """Name the utility template that goes out; empty where a text does."""
    template = sending.template
    return printable(f"utility template {template.name} ({template.language})") if template else ""


def words(sending: Sending) -> str:
    """Say what the shopper reads: of a template whose words Meta alone has, its name and its values."""
    if sending.words or sending.template is None:
        return printable(sending.words)
    values = (f"{{{{{number}}}}} {value}" for number, value in enumerate(sending.template.parameters, start=1))
    return printable("\n".join([template_of(sending), *values]))


def direction(locale: str) -> str:
    """Say in which direction a language is written: `ltr`, `rtl`."""
    return babel_locale(locale.replace("_", "-")).text_direction


def warnings(preview: Preview) -> Iterator[str]:
    """Say what is wrong with the message, or other than one may think, however it goes out."""
    if preview.error:
        yield printable(preview.error)
    objection = preview.subject.objection
    if objection is not None:
        detail = f", {objection.detail}" if objection.detail else ""
        yield printable(f"would not be sent for {preview.subject.order}: {objection.reason}{detail}")
    if preview.cut:
        yield f"the text is cut: Messenger takes {MESSENGER_LIMIT} characters"


def sending_warnings(preview: Preview, sending: Sending) -> Iterator[str]:
    """Say what is wrong with one way in which it goes out."""
    if sending.fell_back:
        yield printable(f"{sending.delivery}: no words in '{preview.asked}', so those in {sending.locale} are used")
    if sending.problem:
        yield printable(f"{sending.delivery}: {sending.sender or 'senders'}: {sending.problem}")
