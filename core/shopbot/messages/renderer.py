"""Turns a message's templates and what it is about into what the shopper will read."""

from collections.abc import Mapping, Sequence
from datetime import date

import structlog

from shopbot.messages.delivery import DeliveryCalendar
from shopbot.messages.filters import Formatting
from shopbot.messages.locales import babel_locale, locale_chain
from shopbot.messages.message import About, MessageSpec, SendRequest
from shopbot.messages.sandbox import CompiledTemplate, TemplateSandbox
from shopbot.messages.template_reading import example_of
from shopbot.messages.text import fit, length
from shopbot.model.message import Delivery, OutboundMessage, QuickReply, UtilityTemplate
from shopbot.model.order import Customer, Order
from shopbot.model.order_reference import OrderReference, OrderStatus
from shopbot.model.parcel import Parcel
from shopbot.model.refund import Refund
from shopbot.model.surrogates import joined
from shopbot.plugin import Shop

MOST_QUICK_REPLIES = 13
LONGEST_TITLE = 20
"""https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/quick-replies"""

ORDER_PAYLOAD = "ORDER_STATUS"
"""What comes back, with a colon and the order's id, when one of several orders is tapped."""

_NOT_COMING = frozenset({OrderStatus.DELIVERED, OrderStatus.CANCELLED, OrderStatus.REFUNDED, OrderStatus.FAILED})


class OrderView(Order):
    """An order as templates see it: with what the shop adds to it."""

    estimated_delivery: date | None = None
    """None where the order's own date is unknown."""


class ReferenceView(OrderReference):
    """An order that was found, as templates see it: with what the shop adds to it."""

    estimated_delivery: date | None = None
    """What the carrier expects, else what the shop does; None where that day has passed, or nothing is to come."""


READABLE: Mapping[str, object] = {
    "order": example_of(OrderView),
    "orders": (example_of(ReferenceView),),
    "parcel": example_of(Parcel),
    "refund": example_of(Refund),
    "customer": example_of(Customer),
    "shop": dict.fromkeys(("name", "domain", "locale"), ""),
    "locale": "",
    "event": dict.fromkeys(("topic", "source"), ""),
}
"""What the templates of messages can name, by examples: see `template_reading`."""


class Renderer:
    """Renders the messages of one host."""

    def __init__(
        self,
        messages: Mapping[str, MessageSpec],
        sandbox: TemplateSandbox,
        shop: Shop,
        calendar: DeliveryCalendar,
    ) -> None:
        self._messages = messages
        self._sandbox = sandbox
        self._shop = shop
        self._calendar = calendar
        self._log = structlog.get_logger("shopbot.messages")

    def spec(self, name: str) -> MessageSpec:
        """Give a message by its name; the configuration was checked, so it is there."""
        return self._messages[name]

    def render(self, request: SendRequest, *, delivery: Delivery, claim: str) -> OutboundMessage:
        """Make the message ready to send.

        A text over Messenger's limit is cut at a word and ends in "…", with a warning in the log.

        Raises:
            TemplateError: a template cannot be rendered for this event.
        """
        spec = self._messages[request.message]
        text, cut = fit(self.text(spec, request.about))
        if cut:
            self._log.warning("message_cut", message=spec.name, event_id=request.event.id)
        return OutboundMessage(
            psid=request.psid,
            text=text,
            delivery=delivery,
            purpose=spec.purpose,
            claim=claim,
            template=self.parameters(spec, request.about),
            order_id=request.order.id if request.order else None,
            locale=self.template(spec, request.about).locale or self._shop.locale,
            quick_replies=self.quick_replies(spec, request.about),
        )

    def template(self, spec: MessageSpec, about: About) -> CompiledTemplate:
        """Choose the template of a message's text for the shopper's language.

        Raises:
            TemplateError: it cannot be compiled.
        """
        if spec.is_file:
            return self._sandbox.find_localised(spec.text, self._chain(about))
        return self._sandbox.compile_text(spec.text, f"messages.{spec.name}.text")

    def languages(self, spec: MessageSpec) -> Sequence[str]:
        """Give the languages that a message's text has files of its own for, as shoppers name them: `de`, `pt-BR`.

        Raises:
            TemplateError: the name of its file could leave the template directories.
        """
        if not spec.is_file:
            return []
        stem, _, suffixes = spec.text.partition(".")
        files = self._sandbox.translations(spec.text)
        tags = (file.removeprefix(f"{stem}.").removesuffix(suffixes).rstrip(".") for file in files)
        return [tag for tag in tags if tag]

    def text(self, spec: MessageSpec, about: About) -> str:
        """Render a message's text, in the shopper's language where there is a template for it.

        Raises:
            TemplateError: the template cannot be rendered for this event.
        """
        template = self.template(spec, about)
        return self._render(template, about, template.locale or self._shop.locale)

    def parameters(self, spec: MessageSpec, about: About) -> UtilityTemplate | None:
        """Render the values of a message's utility template; None where it has no such template.

        Raises:
            TemplateError: a value cannot be rendered for this event.
        """
        template = spec.utility_template
        if template is None:
            return None
        place = f"messages.{spec.name}.utility_template.parameters"
        language = template.language(self._chain(about))
        values = tuple(
            self._render(self._sandbox.compile_text(source, f"{place}[{i}]"), about, language)
            for i, source in enumerate(template.parameters)
        )
        return UtilityTemplate(name=template.name, language=language, parameters=values)

    def quick_replies(self, spec: MessageSpec, about: About) -> tuple[QuickReply, ...]:
        """Make a message's quick replies as Messenger takes them: so many, and with titles so long.

        Raises:
            TemplateError: one cannot be rendered for this event.
        """
        whole = [reply for reply in self.whole_quick_replies(spec, about) if reply.title and reply.payload]
        return tuple(
            reply.model_copy(update={"title": fit(reply.title, LONGEST_TITLE)[0]})
            for reply in whole[:MOST_QUICK_REPLIES]
        )

    def title_languages(self, spec: MessageSpec, about: About) -> Sequence[str]:
        """Choose for each quick reply of the YAML the language of its title, by that of the text; "" for any.

        Raises:
            TemplateError: the text's template cannot be compiled.
        """
        chain = locale_chain(self.template(spec, about).locale, self._shop.locale)
        return [reply.language(chain) for reply in spec.quick_replies]

    def whole_quick_replies(self, spec: MessageSpec, about: About) -> Sequence[QuickReply]:
        """Make a message's quick replies: those of the YAML in their order, or one for each order that was found.

        Raises:
            TemplateError: one cannot be rendered for this event.
        """
        locale = self.template(spec, about).locale or self._shop.locale
        replies: list[QuickReply] = []
        languages = self.title_languages(spec, about)
        for i, (reply, language) in enumerate(zip(spec.quick_replies, languages, strict=True)):
            place = f"quick_replies[{i}]"
            title = f"{place}.{'.'.join(reply.place(language))}"
            replies.append(
                QuickReply(
                    title=self._short(spec, about, title, reply.titles[language], locale),
                    payload=self._short(spec, about, f"{place}.payload", reply.payload, locale),
                )
            )
        if spec.offers_orders:
            replies += [self._offer(order, locale) for order in about.orders]
        return replies

    def _short(self, spec: MessageSpec, about: About, part: str, source: str, locale: str) -> str:
        template = self._sandbox.compile_text(source, f"messages.{spec.name}.{part}")
        return " ".join(self._render(template, about, locale).split())

    def _offer(self, order: OrderReference, locale: str) -> QuickReply:
        title, language = order.number, babel_locale(locale)
        if language.text_direction == "rtl":
            title = f"\u2068{title}\u2069"  # so that a number with letters does not turn the title around
        if order.created_at is not None:
            day = Formatting(language, self._shop.timezone).date(order.created_at, "day")
            with_day = f"{title} · {day}"
            title = with_day if length(with_day) <= LONGEST_TITLE else title
        return QuickReply(title=title, payload=f"{ORDER_PAYLOAD}:{order.order_id}")

    def _chain(self, about: About) -> Sequence[str]:
        return locale_chain(language_of(about), self._shop.locale)

    def _render(self, template: CompiledTemplate, about: About, locale: str) -> str:
        order = about.order
        context: Mapping[str, object] = {
            "order": self._view(order) if order else None,
            "orders": tuple(self._reference_view(reference, about) for reference in about.orders),
            "parcel": about.parcel,
            "refund": about.refund,
            "customer": (order.customer if order else None) or Customer(),
            "shop": {"name": self._shop.name, "domain": self._shop.domain, "locale": self._shop.locale},
            "locale": locale,
            "event": {"topic": about.event.topic, "source": about.event.source.value},
        }
        # A template may have escapes of its own, and no sender can write half a character.
        return joined(self._sandbox.render(template, context, locale=locale, timezone=self._shop.timezone))

    def _view(self, order: Order) -> OrderView:
        ordered_at = order.ordered_at
        estimate = self._calendar.estimate(ordered_at) if ordered_at else None
        return OrderView.model_construct(**dict(order), estimated_delivery=estimate)

    def _reference_view(self, reference: OrderReference, about: About) -> ReferenceView:
        today = about.event.received_at.astimezone(self._shop.timezone).date()
        estimate = reference.expected_by_carrier
        if estimate is None and reference.created_at is not None:
            estimate = self._calendar.estimate(reference.created_at)
        if estimate is not None and (estimate < today or reference.status in _NOT_COMING):
            estimate = None
        return ReferenceView.model_construct(**dict(reference), estimated_delivery=estimate)


def language_of(about: About) -> str | None:
    """Find the shopper's language: the one they have just used, else the one they ordered in; None: not known."""
    known: Sequence[str | None] = (
        about.language,
        about.order.customer_locale if about.order else None,
        *(reference.locale for reference in about.orders),
    )
    return next((language for language in known if language), None)
