"""What an event's body says: of an order, a parcel, a refund, or what a shopper did."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic_core import from_json

from shopbot.model.fulfillment import Fulfillment, FulfillmentEvent
from shopbot.model.order import Order, UnreadableOrderError
from shopbot.model.parcel import Parcel
from shopbot.model.psid import is_psid
from shopbot.model.refund import Refund

ORDER_TOPICS = frozenset(
    {
        "orders/create",
        "orders/paid",
        "orders/updated",
        "orders/cancelled",
        "orders/fulfilled",
        "orders/partially_fulfilled",
    }
)
"""Topics whose body is the order itself (`orders/edited` wraps an edit, `orders/delete` has only the id).
https://shopify.dev/docs/api/admin-graphql/latest/enums/WebhookSubscriptionTopic"""

FULFILLMENT_TOPICS = frozenset({"fulfillments/create", "fulfillments/update"})
FULFILLMENT_EVENT_TOPIC = "fulfillment_events/create"
REFUND_TOPIC = "refunds/create"
PARCEL_TOPICS = FULFILLMENT_TOPICS | {FULFILLMENT_EVENT_TOPIC}
NEWS_OF_ORDERS = ORDER_TOPICS | PARCEL_TOPICS | {REFUND_TOPIC}
"""Topics whose bodies say which order they are about."""
ACTS = ("message", "postback", "referral", "optin", "reaction")
"""What a shopper does in Messenger, in the order in which an update is searched for it."""
ACT_TOPICS = frozenset(f"messenger/{act}" for act in ACTS)
SPOKEN_TOPICS = frozenset({"messenger/message", "messenger/postback"})
"""Topics whose bodies may say what a shopper wrote, or which button they tapped."""


class UnreadableError(ValueError):
    """The body is not what its topic promises; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class News:
    """What is known of an event once its body is read."""

    payload: object = None
    order: Order | None = None
    parcel: Parcel | None = None
    refund: Refund | None = None
    order_id: int | None = None
    """The order that it is about, whatever brings it."""
    order_name: str | None = None
    """What the order is called, where the body tells."""
    sender: str | None = None
    """The PSID of the shopper whose act in Messenger it is; None for all other events."""
    text: str | None = None
    """What that shopper wrote, or the title of the button tapped."""
    tapped: str | None = None
    """The payload of the button or quick reply that was tapped."""


def read_json(body: bytes) -> object:
    """Parse a body.

    Raises:
        UnreadableError: it is not JSON.
    """
    try:
        return from_json(body)  # pydantic's own: half the time
    except ValueError:
        pass  # It is no JSON, or what it is stricter about: a half of an emoji that somebody cut off, deep nesting.
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"the body is not JSON: {error}") from error


def read_news(topic: str, payload: object) -> News:
    """Read a body by what its topic promises; of a topic that promises nothing, nothing but the payload.

    Raises:
        UnreadableError: the body breaks its topic's promise.
    """
    if topic.startswith("messenger/"):
        return _act(payload)
    if topic in ORDER_TOPICS:
        try:
            order = Order.from_payload(payload)
        except UnreadableOrderError as error:
            raise UnreadableError(str(error)) from error
        return News(payload=payload, order=order, order_id=order.id, order_name=order.name)
    if topic in PARCEL_TOPICS:
        return _parcel(topic, payload)
    if topic == REFUND_TOPIC:
        refund = Refund.from_payload(payload) if isinstance(payload, Mapping) else None
        if refund is None or refund.id is None or refund.order_id is None:
            raise UnreadableError("the refund has no integer 'id' and 'order_id'")
        return News(payload=payload, refund=refund, order_id=refund.order_id)
    return News(payload=payload)


def _parcel(topic: str, payload: object) -> News:
    if isinstance(payload, Mapping) and topic == FULFILLMENT_EVENT_TOPIC:
        event = FulfillmentEvent.from_payload(payload)
        parcel, order_id, name = Parcel.of_event(event), event.order_id, None
    elif isinstance(payload, Mapping):
        fulfillment = Fulfillment.from_payload(payload)
        # Its own name is the order's with a number: `#1001.2`.
        parcel, order_id, name = Parcel.of_fulfillment(fulfillment), fulfillment.order_id, fulfillment.name
    else:
        parcel, order_id, name = None, None, None
    if parcel is None or order_id is None:
        raise UnreadableError("the body has no integer ids of a fulfilment and its order")
    return News(payload=payload, parcel=parcel, order_id=order_id, order_name=name.rpartition(".")[0] if name else None)


def _act(payload: object) -> News:
    """Read who did something in Messenger, and what.

    https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks
    """
    fields = payload if isinstance(payload, Mapping) else {}
    sender, message, postback = (_mapping(fields.get(name)) for name in ("sender", "message", "postback"))
    psid = sender.get("id")
    return News(
        payload=payload,
        sender=psid if isinstance(psid, str) and is_psid(psid) else None,
        text=_text(message.get("text")) or _text(postback.get("title")),
        tapped=_text(_mapping(message.get("quick_reply")).get("payload")) or _text(postback.get("payload")),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
