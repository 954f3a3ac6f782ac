"""The example shop of config/conversations.yaml, running, with a simulated Messenger that calls its webhook."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from shopbot.store.records import EventRecord
from shopbot.testing.clock import Clock
from shopbot.testing.host import PAGE_TOKEN, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Delivery, MessengerSimulator
from shopbot.testing.messenger_state import WindowPolicy
from shopbot.testing.orders import order_bytes

EXAMPLE = Path(__file__).parents[2] / "config" / "conversations.yaml"
APP_SECRET = "test-app-secret"
CONFIG = (
    EXAMPLE.read_text(encoding="utf-8")
    .replace("https://graph.facebook.com", "${MESSENGER_URL}")
    .replace("trust: known_shopper", "trust: any")
    + "retry: {attempts: 3, first: 50ms, factor: 2, max: 1s}\n"
)
TEMPLATES: Mapping[str, Mapping[str, str]] = {
    message["utility_template"]["name"]: message["utility_template"]["body"]
    for message in yaml.safe_load(CONFIG)["messages"].values()
    if "utility_template" in message
}
"""The utility templates of the example, by name and language, as Meta has approved them."""


@asynccontextmanager
async def talking_shop(
    directory: Path, *, config: str = CONFIG, seconds: Clock = time.time, window: WindowPolicy = "open"
) -> AsyncIterator[ShopUnderTest]:
    """Run the example.

    seconds: the clock, of the simulator as well as of the host.
    window: how the simulator sees shoppers who never did anything.
    """
    messenger = MessengerSimulator(access_token=PAGE_TOKEN, app_secret=APP_SECRET, clock=seconds, window=window)
    for name, bodies in TEMPLATES.items():
        for language, body in bodies.items():
            messenger.templates.add(name, body, language=language)

    def clock() -> datetime:
        return datetime.fromtimestamp(seconds(), UTC)

    environ = {"MESSENGER_APP_SECRET": APP_SECRET, "MESSENGER_VERIFY_TOKEN": "hello"}
    async with shop_under_test(directory, config=config, messenger=messenger, environ=environ, clock=clock) as shop:
        messenger.webhook_url = f"{shop.url}/webhooks/messenger"
        yield shop


async def ended(shop: ShopUnderTest, act: Delivery, kind: str = "message") -> EventRecord:
    """Wait until the host has dealt with something that a shopper did."""
    assert act.accepted
    return await shop.finished(f"messenger:{kind}:{act.mid}")


async def tell(shop: ShopUnderTest, topic: str, body: Mapping[str, Any]) -> EventRecord:
    """Deliver a Shopify webhook and wait until the host has dealt with it."""
    return await shop.finished(await shop.post(topic, order_bytes(body)))


def fulfillment(order_id: int, *, fulfillment_id: int = 255_858_046, **fields: object) -> dict[str, object]:
    """Make the body of `fulfillments/create`."""
    return {
        "id": fulfillment_id,
        "order_id": order_id,
        "name": "#1234.1",
        "status": "success",
        "shipment_status": None,
        "tracking_company": "DHL",
        "tracking_number": "00340434161094042557",
        "tracking_url": "https://www.dhl.com/track?id=00340434161094042557",
        "updated_at": "2026-11-24T09:00:00+01:00",
        **fields,
    }


def fulfillment_event(
    order_id: int, status: str, *, fulfillment_id: int = 255_858_046, **fields: object
) -> dict[str, object]:
    """Make the body of `fulfillment_events/create`."""
    return {
        "id": 1234567,
        "fulfillment_id": fulfillment_id,
        "order_id": order_id,
        "status": status,
        "happened_at": "2026-11-25T09:00:00+01:00",
        **fields,
    }


def refund(order_id: int, amount: str = "10.50", refund_id: int = 929_361_465) -> dict[str, object]:
    """Make the body of `refunds/create`."""
    payment = {"kind": "refund", "status": "success", "amount": amount, "currency": "EUR"}
    return {"id": refund_id, "order_id": order_id, "transactions": [payment]}
