"""Turns a message's templates and an order into what the shopper will read."""

from collections.abc import Mapping
from datetime import date

import structlog

from shopbot.messages.delivery import DeliveryCalendar
from shopbot.messages.locales import locale_chain
from shopbot.messages.message import MessageSpec, SendRequest
from shopbot.messages.sandbox import CompiledTemplate, TemplateSandbox
from shopbot.messages.text import fit
from shopbot.model.event import Event
from shopbot.model.message import Delivery, OutboundMessage, UtilityTemplate
from shopbot.model.order import Customer, Order
from shopbot.plugin import Shop


class OrderView(Order):
    """An order as templates see it: with what the shop adds to it."""

    estimated_delivery: date | None = None
    """None where the order's own date is unknown."""


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
            TemplateError: a template cannot be rendered for this order.
        """
        spec = self._messages[request.message]
        text, cut = fit(self.text(spec, request.event, request.order))
        if cut:
            self._log.warning("message_cut", message=spec.name, event_id=request.event.id)
        return OutboundMessage(
            psid=request.psid,
            text=text,
            delivery=delivery,
            purpose=spec.purpose,
            claim=claim,
            template=self.parameters(spec, request.event, request.order),
            order_id=request.order.id if request.order else None,
        )

    def text(self, spec: MessageSpec, event: Event, order: Order | None) -> str:
        """Render a message's text, in the shopper's language where there is a template for it.

        Raises:
            TemplateError: the template cannot be rendered for this order.
        """
        template = self._template(spec, order)
        return self._render(template, event, order, template.locale or self._shop.locale)

    def _template(self, spec: MessageSpec, order: Order | None) -> CompiledTemplate:
        if spec.is_file:
            chain = locale_chain(order.customer_locale if order else None, self._shop.locale)
            return self._sandbox.find_localised(spec.text, chain)
        return self._sandbox.compile_text(spec.text, f"messages.{spec.name}.text")

    def parameters(self, spec: MessageSpec, event: Event, order: Order | None) -> UtilityTemplate | None:
        """Render the values of a message's utility template; None where it has no such template.

        Raises:
            TemplateError: a value cannot be rendered for this order.
        """
        template = spec.utility_template
        if template is None:
            return None
        place = f"messages.{spec.name}.utility_template.parameters"
        values = tuple(
            self._render(self._sandbox.compile_text(source, f"{place}[{i}]"), event, order, template.language)
            for i, source in enumerate(template.parameters)
        )
        return UtilityTemplate(name=template.name, language=template.language, parameters=values)

    def _render(self, template: CompiledTemplate, event: Event, order: Order | None, locale: str) -> str:
        context: Mapping[str, object] = {
            "order": self._view(order) if order else None,
            "customer": (order.customer if order else None) or Customer(),
            "shop": {"name": self._shop.name, "domain": self._shop.domain, "locale": self._shop.locale},
            "locale": locale,
            "event": {"topic": event.topic, "source": event.source.value},
        }
        return self._sandbox.render(template, context, locale=locale, timezone=self._shop.timezone)

    def _view(self, order: Order) -> OrderView:
        ordered_at = order.ordered_at
        estimate = self._calendar.estimate(ordered_at) if ordered_at else None
        return OrderView.model_construct(**dict(order), estimated_delivery=estimate)
