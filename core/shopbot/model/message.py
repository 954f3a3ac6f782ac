"""A message on its way to a shopper, and what senders answer."""

from enum import StrEnum

from pydantic import Field, JsonValue

from shopbot.model.base import Value


class Delivery(StrEnum):
    """How a message may reach the shopper. The names follow Messenger's `messaging_type`.

    https://developers.facebook.com/docs/messenger-platform/reference/send-api
    """

    RESPONSE = "RESPONSE"
    """An answer to something that the shopper just wrote."""
    UPDATE = "UPDATE"
    """Unasked, inside the standard messaging window."""
    UTILITY = "UTILITY"
    """Outside the window: only an approved utility template."""


class UtilityTemplate(Value):
    """An approved utility template with the values for its placeholders."""

    name: str
    language: str
    """As the template was approved: `en_US`."""
    parameters: tuple[str, ...] = ()
    """Values of the body's placeholders, in order."""


class QuickReply(Value):
    """A button below a message that answers for the shopper, and is gone after the tap."""

    title: str
    """What it says."""
    payload: str
    """What comes back when it is tapped; the shopper does not see it."""


class OutboundMessage(Value):
    """One message to one shopper, ready to send."""

    psid: str = Field(repr=False)
    text: str
    delivery: Delivery
    purpose: str
    """What the message is for, from `tag:` in shopbot.yaml; never sent to Meta as a message tag."""
    claim: str
    """The claim's token, to travel in the message's `metadata` and come back in its echo. Opaque."""
    template: UtilityTemplate | None = None
    """The utility template to use with UTILITY; None where the merchant has none."""
    order_id: int | None = None
    locale: str | None = None
    """The language that the text is written in: `de`, `pt-BR`; a template says its own. None: not known."""
    quick_replies: tuple[QuickReply, ...] = ()
    """Offered with the text; a utility template has none."""


class Receipt(Value):
    """The channel took the message."""

    message_id: str
    """The channel's own id of the message."""
    usage_percent: float | None = None
    """How much of the channel's quota is used, where it says so: above 80 the host slows down."""


class MessagePreview(Value):
    """What a sender would hand over for a message."""

    to: str
    """To whom or what: `POST https://graph.facebook.com/v25.0/102290129340398/messages`."""
    body: JsonValue
    """What goes there, as it is but for secrets: the JSON of a call, or a text."""
