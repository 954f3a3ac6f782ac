"""Every arrival is the same event, whoever brought it: a webhook, a poll, a replay."""

from datetime import datetime
from enum import StrEnum

from shopbot.model.base import Value


class Source(StrEnum):
    """Who brought an event."""

    WEBHOOK = "webhook"
    POLL = "poll"
    REPLAY = "replay"


class Event(Value):
    """An arrival as the inbox keeps it. The body stays the raw bytes until a worker reads it."""

    id: str
    """The idempotency key of the arrival, unique per shop: `webhook:<X-Shopify-Webhook-Id>`,
    `poll:<order id>:<updated at>`."""
    topic: str
    """As Shopify names it (`orders/paid`), or `messenger/message` and its kin."""
    source: Source
    received_at: datetime
    """When the host had the whole request, in UTC: the start of the three seconds."""
    triggered_at: datetime | None = None
    """When the platform says it happened; unsigned, for people to read, never for decisions."""
    body: bytes
    """The raw body; signed, not yet parsed."""
