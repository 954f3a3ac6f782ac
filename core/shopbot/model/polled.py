"""An order that was read from the platform, not told by a webhook."""

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from pydantic import AwareDatetime, Field, ValidationError

from shopbot.model.base import Value
from shopbot.model.order import Order, UnreadableOrderError


class PolledOrder(Value):
    """An order as a poller found it; it goes the same way as one that a webhook brings."""

    order_id: int
    updated_at: AwareDatetime
    """The state that was found: the same order with the same time is the same arrival."""
    body: bytes = Field(repr=False)
    """JSON in the shape of an order webhook."""
    page: int = 1
    """Which page of the platform's answer it came on, from 1; for people who look at the poll."""

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any], *, page: int = 1) -> "PolledOrder":
        """Take an order in the shape of Shopify's order webhooks (REST): `id` and `updated_at` must be there.

        Raises:
            UnreadableOrderError: one of the two is missing or unreadable, or the payload is not JSON.
        """
        order = Order.from_payload(payload)
        try:
            body = json.dumps(payload, separators=(",", ":")).encode()
            return cls.model_validate(
                {"order_id": order.id, "updated_at": order.updated_at, "body": body, "page": page}
            )
        except ValidationError as error:
            raise UnreadableOrderError("the order has no readable 'updated_at'") from error
        except (TypeError, ValueError) as error:
            raise UnreadableOrderError(f"the order is not JSON: {error}") from error

    @property
    def event_id(self) -> str:
        """The idempotency key of this arrival: `poll:<order id>:<updated at, in UTC>`."""
        return f"poll:{self.order_id}:{self.updated_at.astimezone(UTC).isoformat()}"
