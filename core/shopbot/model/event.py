"""Every arrival is the same event, whoever brought it: a webhook, a poll, a replay."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from shopbot.model.base import Value


class Source(StrEnum):
    """Who brought an event."""

    WEBHOOK = "webhook"
    POLL = "poll"
    REPLAY = "replay"


class Arrival(NamedTuple):
    """What the inbox takes in; workers get it as an `Event`. A plain tuple of texts: one is made for every webhook."""

    id: str
    """As `Event.id`."""
    topic: str
    source: Source
    received_ms: int
    """When the host had the whole request, in milliseconds since 1970 UTC."""
    body: bytes
    triggered_at: str = ""
    """In ISO 8601, as the platform wrote it; empty where it did not. What cannot be read counts as not written."""
    verified_by: str = ""
    """As `Event.verified_by`."""


class Event(Value):
    """An arrival as workers see it. The body stays the raw bytes until a rule reads it."""

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
    verified_by: str = ""
    """Which verifier vouched for it, with which of its secrets: `verify[0]:shopify_hmac, secret 1`. Empty for what the
    host asked for itself, as polls do."""
