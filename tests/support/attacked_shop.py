"""A shop whose time can be moved, whose store can be shared by several processes, and what tests ask about it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from shopbot.host.blueprint import load_blueprint
from shopbot.host.shop_host import Role, ShopHost
from shopbot.testing.clock import MovedClock as MovedClock  # noqa: PLC0414 - the tests of this shop take it from here
from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, ShopUnderTest
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import paid_order

PSID = "7312345678901234"
APP_SECRET = "test-app-secret"

MESSENGER_HMAC = {"use": "messenger_hmac", "app_secret": APP_SECRET, "verify_token": "test-verify-token"}
SHOPIFY_HMAC = {"use": "shopify_hmac", "secrets": ["${SHOPIFY_WEBHOOK_SECRET}"]}


def config(*, sender: Mapping[str, Any] | None = None, **sections: Any) -> str:  # noqa: ANN401 - YAML
    """Give the tests' configuration with whole sections replaced, and some of the sender's settings."""
    document: dict[str, Any] = yaml.safe_load(CONFIG) | {"rules": rules_in(CONFIG)} | sections
    document["senders"][0].update(sender or {})
    return yaml.safe_dump(document)


def rules_in(text: str) -> list[dict[str, Any]]:
    """Give the rules of a configuration, to be written into another one."""
    rules: list[dict[Any, Any]] = yaml.safe_load(text)["rules"]
    # YAML 1.1, as PyYAML reads it, takes the word `on` for true.
    return [{"on" if key is True else key: value for key, value in rule.items()} for rule in rules]


def message(**settings: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    """Give the section `messages:` with more settings for the confirmation."""
    return {"order_confirmation": {"tag": "order_update", "text": "order_confirmation.txt.j2", **settings}}


@asynccontextmanager
async def another_process(
    shop: ShopUnderTest, messenger_url: str, clock: Callable[[], datetime] | None = None
) -> AsyncIterator[ShopHost]:
    """Run a second host of the same configuration on the same store, as a second worker process does."""
    pool = shop.store.connection_pool
    variables = {"SHOPIFY_WEBHOOK_SECRET": SECRET, "MESSENGER_PAGE_TOKEN": PAGE_TOKEN, "MESSENGER_URL": messenger_url}
    blueprint = load_blueprint(Path(shop.host._blueprint.data_dir).parent / "shopbot.yaml", variables)
    store_url = f"unix://{pool.connection_kwargs['path']}"
    extra: dict[str, Any] = {} if clock is None else {"clock": clock}
    host = ShopHost(blueprint, store_url=store_url, role=Role.WORKER, **extra)
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


TEMPLATE = {"name": "order_confirmation", "language": "en", "parameters": ["{{ order.name }}"]}
"""With Messenger's webhook connected, shoppers who never wrote get nothing else."""


def echoing_config(*, answer_within: str = "30s", **sections: Any) -> str:  # noqa: ANN401 - YAML
    """Give the tests' configuration for a shop that takes Messenger's webhooks, echoes among them.

    answer_within: short for a send whose answer does not come at all. No other send should meet that limit, which a
    machine with much else to do may reach.
    """
    sections = {"in_doubt": {"deadline": "1m"}, "messages": message(utility_template=TEMPLATE), **sections}
    return config(verify=[SHOPIFY_HMAC, MESSENGER_HMAC], sender={"timeout": answer_within}, **sections)


def a_page(**settings: Any) -> MessengerSimulator:  # noqa: ANN401 - its own settings
    """Make a Page that has approved the shop's template."""
    page = MessengerSimulator(access_token=PAGE_TOKEN, app_secret=APP_SECRET, **settings)
    page.templates.add("order_confirmation", "Order confirmed!\nOrder {{1}}\nThank you.", language="en")
    return page


def address_of(shop: ShopUnderTest) -> str:
    """Give the simulator's address, for a second process."""
    plugin: Any = shop.host.hooks.senders[0].instance.plugin
    return str(plugin._config.api_url).removesuffix("/v25.0")


def an_order(number: int, psid: str = PSID) -> dict[str, Any]:
    """Give the body of a paid order; a number makes an order."""
    return paid_order(order_id=5_000_000_000 + number, number=number, psid=psid)


async def post_orders(shop: ShopUnderTest, count: int, *, psid: str | None = None, first: int = 1001) -> list[str]:
    """Have webhooks of paid orders come in one after the other; without a PSID each has a shopper of its own."""
    return [
        await shop.post("orders/paid", an_order(number, psid or f"{7_000_000_000_000_000 + number}"))
        for number in range(first, first + count)
    ]


def names(messenger: MessengerSimulator) -> list[str]:
    """Give the order names in what shoppers received, in the order of sending."""
    return [sent.text.split("\n")[1].removeprefix("Order ") for sent in messenger.sent]


async def waiting(shop: ShopUnderTest, name: str) -> int:
    """Count the events that wait in a sorted set: `retries`, `held`, `parked`, `dead`."""
    return int(await shop.store.zcard(getattr(shop.keys, name)))


async def everything_ended(shop: ShopUnderTest) -> bool:
    """Say whether no event waits or is worked on. One look at all places at once: events go from one to another."""
    async with shop.store.pipeline(transaction=True) as pipeline:
        pipeline.xlen(shop.keys.inbox)
        for name in ("retries", "held", "parked"):
            pipeline.zcard(getattr(shop.keys, name))
        return not any(await pipeline.execute())


async def next_due_ms(shop: ShopUnderTest, name: str) -> float | None:
    """Give when the first event of a sorted set is due; None where it is empty."""
    found = await shop.store.zrange(getattr(shop.keys, name), 0, 0, withscores=True)
    return float(found[0][1]) if found else None


async def dead_reasons(shop: ShopUnderTest) -> list[str]:
    """Give the reason codes of all dead letters, oldest first."""
    ids: Any = await shop.store.zrange(shop.keys.dead, 0, -1)
    reasons: list[Any] = [await shop.store.hget(shop.keys.event(event_id.decode()), "reason") for event_id in ids]
    return [reason.decode() for reason in reasons]


def logged(shop: ShopUnderTest, event: str) -> Sequence[Mapping[str, Any]]:
    """Give the log lines of one kind."""
    return [line for line in shop.logs.entries if line["event"] == event]


async def readiness(shop: ShopUnderTest) -> tuple[int, Mapping[str, Any]]:
    """Ask /readyz: status and checks."""
    response = await shop.http.get("/readyz")
    return response.status_code, json.loads(response.content)["checks"]
