"""Messages as they would go out, without sending any: rendered and written by the code that sends."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from shopbot.config.duration import format_duration
from shopbot.hooks import Hook, PluginFailedError
from shopbot.host.blueprint import Blueprint
from shopbot.host.given_order import GivenOrder, NotAboutError
from shopbot.host.occasions import FOUND, Occasion, occasions_of
from shopbot.host.samples import named_samples
from shopbot.messages.locales import locale_chain
from shopbot.messages.message import About, MessageSpec, SendRequest
from shopbot.messages.mode import Window, mode
from shopbot.messages.renderer import Renderer, language_of
from shopbot.messages.sandbox import TemplateError
from shopbot.messages.text import MESSENGER_LIMIT, fit, length
from shopbot.model.failures import Refused
from shopbot.model.message import Delivery, MessagePreview, OutboundMessage, QuickReply, UtilityTemplate
from shopbot.model.outcome import Outcome
from shopbot.model.request import Origin
from shopbot.model.template import TemplateDefinition
from shopbot.rules.news import News
from shopbot.store.claims import write_metadata

SAMPLE_PSID = "1234567890123456"
"""The shopper of every preview: whose message it really is stays out of what is shown."""
_TOKEN = "made-up-for-a-preview"  # noqa: S105 - stands where a claim's token will be


@dataclass(frozen=True, slots=True)
class Subject:
    """What a preview is about, and who would send it."""

    about: About
    occasion: Occasion
    sample: str | None = None
    """The name of the made-up thing that it is about; None for a real order."""
    order: str | None = None
    """What people call the real order that it is about; None for what is made up."""
    objection: Outcome | None = None
    """Why the rule would not send it; None where it would."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What goes out while Messenger's window stands one way."""

    window: Window
    delivery: Delivery | None
    """None: nothing goes out."""
    why: str
    locale: str = ""
    """The language of its words."""
    fell_back: bool = False
    """Whether there are no words in the language that was asked for, so that those in another one are taken."""
    words: str = ""
    """What the shopper reads; empty where nothing goes out, or where Meta alone has the template's words."""
    template: UtilityTemplate | None = None
    """The utility template that goes out; None where a text does."""
    quick_replies: Sequence[QuickReply] = ()
    sender: str = ""
    """The sender's place in shopbot.yaml; empty where none takes the message."""
    call: MessagePreview | None = None
    problem: str = ""
    """Why there is no call to show, or why the message would be refused; empty where neither is so."""
    refused: bool = False
    """Whether it would not be sent at all."""


@dataclass(frozen=True, slots=True)
class Preview:
    """One message about one thing in one language."""

    message: str
    subject: Subject
    asked: str
    """The shopper's language, as it was asked for."""
    locale: str
    """The language of the text."""
    file: str | None = None
    """The template file's name; None for a text that stands in shopbot.yaml."""
    path: Path | None = None
    """Where that is; None as above."""
    bundled: bool = False
    """Whether the file comes with shopbot."""
    rendered: OutboundMessage | None = None
    """None where a template cannot be rendered."""
    characters: int = 0
    """Of the whole text, as Messenger counts."""
    sendings: Sequence[Sending] = field(default_factory=tuple)
    error: str = ""
    """Why a template cannot be rendered; empty where it can."""

    @property
    def cut(self) -> bool:
        """Whether the text is too long for Messenger, and is cut."""
        return self.characters > MESSENGER_LIMIT

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with it."""
        return not (self.error or self.cut or any(sending.refused for sending in self.sendings))


class Previewer:
    """Makes previews of the messages of one configuration. Starts nothing and sends nothing."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self._renderer = Renderer(blueprint.messages, blueprint.sandbox, blueprint.shop, blueprint.calendar)
        self._previewers: Mapping[str, Hook[[OutboundMessage], MessagePreview | None]] = {
            previewer.place: previewer for previewer in blueprint.hooks.previewers
        }
        knowable = blueprint.hooks.judges(Origin.MESSENGER)
        self.windows: Sequence[Window] = (Window.OPEN, Window.CLOSED) if knowable else (Window.UNKNOWABLE,)
        """How the window can stand when this shop sends."""

    def occasions(self, message: str) -> Sequence[Occasion]:
        """Say when the message is sent; where no rule sends it, one without a rule."""
        return occasions_of(self._blueprint.rules, message) or [Occasion(None, FOUND)]

    def samples(self, message: str) -> Mapping[str, Subject]:
        """Give what the message may be about, made up, by name; the everyday one first."""
        found: dict[str, Subject] = {}
        for occasion in self.occasions(message):
            for name, about in named_samples(self._blueprint.shop, occasion.rule, occasion.found):
                found.setdefault(name, Subject(about, occasion, sample=name))
        return found

    def about_order(self, message: str, order: GivenOrder) -> Subject:
        """Say what the message would be about for an order: by the first rule that would send it, else the first.

        Raises:
            NotAboutError: nothing of the order brings it about.
        """
        subjects: list[Subject] = []
        reasons: list[NotAboutError] = []
        for occasion in self.occasions(message):
            try:
                about = order.about(occasion, self._blueprint.shop)
            except NotAboutError as error:
                reasons.append(error)
                continue
            objection = order.objection(occasion.rule, about) if occasion.rule else None
            subjects.append(Subject(about, occasion, order=order.name, objection=objection))
        if not subjects:
            raise reasons[0]
        return min(subjects, key=lambda subject: subject.objection is not None)

    def languages(self, message: str) -> Sequence[str]:
        """Give the languages that the message, or its utility template, has words in; the shop's own first."""
        spec = self._blueprint.messages[message]
        template = spec.utility_template
        tags = (self._blueprint.shop.locale, *self._renderer.languages(spec), *(template.bodies if template else ()))
        return list(dict.fromkeys(tag.replace("_", "-") for tag in tags))

    def preview(
        self, message: str, subject: Subject, *, language: str | None = None, windows: Sequence[Window] | None = None
    ) -> Preview:
        """Render a message.

        language: the shopper's; None leaves it to the order, and else to the shop.
        windows: how Messenger's window stands; None: as it can stand.
        """
        spec = self._blueprint.messages[message]
        about = replace(subject.about, language=language) if language else subject.about
        shop_locale = self._blueprint.shop.locale.replace("_", "-")
        preview = Preview(message, subject, asked=language_of(about) or shop_locale, locale=shop_locale)
        try:
            template = self._renderer.template(spec, about)
            path = self._blueprint.sandbox.path(template) if spec.is_file else None
            own = path is not None and path.is_relative_to(self._blueprint.settings.templates_dir)
            preview = replace(
                preview,
                locale=template.locale or shop_locale,
                file=template.name if spec.is_file else None,
                path=path,
                bundled=path is not None and not own,
            )
            text = self._renderer.text(spec, about)
            rendered = self._render(spec, subject.occasion, about)
        except TemplateError as error:
            return replace(preview, error=str(error))
        return replace(
            preview,
            rendered=rendered,
            characters=_count(text),
            sendings=tuple(self._sendings(spec, preview, rendered, windows)),
        )

    def _render(self, spec: MessageSpec, occasion: Occasion, about: About) -> OutboundMessage:
        rule, _, step = occasion
        order_id = about.order.id if about.order else about.orders[0].order_id if about.orders else None
        news = News(order=about.order, parcel=about.parcel, refund=about.refund, order_id=order_id)
        claimed = rule.message_subject(about.event, news, step) if rule and step else f"event:{about.event.id}"
        request = SendRequest(
            message=spec.name,
            psid=SAMPLE_PSID,
            about=about,
            rule=rule.name if rule else "",
            subject=claimed,
            confirms_order=False,
            claim_ttl_seconds=0.0,
        )
        claim = write_metadata(request.rule, claimed, _TOKEN)
        return self._renderer.render(request, delivery=Delivery.UPDATE, claim=claim)

    def _sendings(
        self, spec: MessageSpec, preview: Preview, rendered: OutboundMessage, windows: Sequence[Window] | None
    ) -> Iterator[Sending]:
        answer, template = spec.answers(preview.subject.about.event.topic), rendered.template
        for window in windows or self.windows:
            chosen = mode(answer=answer, window=window, template=template is not None)
            if chosen.delivery is not None:
                message = rendered.model_copy(update={"delivery": chosen.delivery})
                going = template if chosen.delivery is Delivery.UTILITY else None
                locale = going.language.replace("_", "-") if going else preview.locale
                sending = Sending(
                    window,
                    chosen.delivery,
                    chosen.why,
                    locale=locale,
                    fell_back=_language(locale) != _language(preview.asked),
                    words=_filled(spec, going) if going else message.text,
                    template=going,
                    quick_replies=() if going else message.quick_replies,
                )
                yield self._offered(sending, message)
            elif windows or not answer:  # what a shopper has just written has opened the window
                yield Sending(window, None, self._unsent(spec))

    def _offered(self, sending: Sending, message: OutboundMessage) -> Sending:
        """Ask the senders in order, as the host does."""
        for sender in self._blueprint.hooks.senders:
            sending = replace(sending, sender=sender.place)
            previewer = self._previewers.get(sender.place)
            if previewer is None:
                return replace(sending, problem=f"'{sender.instance.name}' does not show what it sends")
            try:
                call = previewer.compute(message)
            except Refused as refusal:
                return replace(sending, problem=f"refused: {refusal.reason}", refused=True)
            except PluginFailedError as failure:
                return replace(sending, problem=f"failed: {failure.what}", refused=True)
            if call is not None:
                return replace(sending, call=call)
        return replace(sending, sender="", problem="no entry of `senders:` takes this message", refused=True)

    def _unsent(self, spec: MessageSpec) -> str:
        if spec.drop_over_limit:
            return "without a `utility_template:` it is dropped, as `on_limit:` says"
        release = format_duration(self._blueprint.settings.window.release)
        return f"without a `utility_template:` it waits until the shopper writes, {release} at most"


def _filled(spec: MessageSpec, template: UtilityTemplate) -> str:
    """Put the values into the template's words; empty where Meta alone has them."""
    body = spec.utility_template.bodies.get(template.language) if spec.utility_template else None
    if body is None:
        return ""
    definition = TemplateDefinition(name=template.name, language=template.language, body=body)
    return definition.filled(template.parameters)


def _count(text: str) -> int:
    """Count the characters of a whole text, as it would be sent if there were no limit."""
    fitting, cut = fit(text)
    return length(text) if cut else length(fitting)


def _language(tag: str) -> str:
    """Give the bare language of a tag; what is no language tag is one of its own."""
    return next(reversed(locale_chain(tag, None)), tag)
