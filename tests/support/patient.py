"""A running shop with everything around it, for the doctor to look at, healthy or made ill."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from shopbot.doctor.examine import OpenStore, examine
from shopbot.doctor.public_address import Patience
from shopbot.doctor.report import Report
from shopbot.host.blueprint import check_config
from shopbot.model.finding import Finding, Level
from shopbot.testing.host import PAGE_TOKEN, SECRET, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import AppWebhook, MessengerSimulator
from shopbot.testing.shopify import ShopifySimulator
from support.attacked_shop import APP_SECRET, MESSENGER_HMAC, SHOPIFY_HMAC, config, message
from support.eventually import eventually

TODAY = date(2026, 11, 26)
"""A day on which the default versions of all APIs are good."""

ADMIN_TOKEN = "shpat_simulated"
FIELDS = frozenset({"messages", "messaging_postbacks", "message_echoes"})
TOPICS = ("orders/create", "orders/paid", "orders/updated")
POLLER = {"use": "shopify_orders", "access_token": "${SHOPIFY_ADMIN_TOKEN}", "api_url": "${SHOPIFY_URL}"}
PATIENCE = Patience(answer_seconds=20.0, work_seconds=20.0)
"""So long that a busy machine makes nobody ill."""


@dataclass(frozen=True)
class Patient:
    """What the doctor looks at."""

    shop: ShopUnderTest
    shopify: ShopifySimulator
    page: MessengerSimulator
    path: Path
    """Of the configuration."""
    environ: Mapping[str, str]
    store_url: str

    async def examined(
        self,
        address: str | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        patience: Patience = PATIENCE,
        store: OpenStore | None = None,
        today: date = TODAY,
    ) -> Report:
        """Have the doctor look, through *address*: the host's own where none is given."""
        checked = check_config(self.path, {**self.environ, **(environ or {})})
        return await examine(
            checked,
            store or OpenStore(self.store_url, host_runs=True),
            address=address or self.shop.url,
            today=today,
            patience=patience,
        )


def config_of_a_patient(*, sender: Mapping[str, str] | None = None, **sections: Any) -> str:  # noqa: ANN401 - YAML
    """Give a configuration in which nothing is missing."""
    template = {"name": "shop_order_confirmation", "language": "en", "parameters": ["{{ order.name }}"]}
    return config(
        **{
            "verify": [SHOPIFY_HMAC, MESSENGER_HMAC],
            "pollers": [POLLER],
            "messages": message(utility_template=template),
            **sections,
        },
        sender={"app_secret": "${MESSENGER_APP_SECRET}", **(sender or {})},
    )


@asynccontextmanager
async def a_patient(directory: Path, *, store_url: str | None = None, **sections: Any) -> AsyncIterator[Patient]:  # noqa: ANN401 - YAML
    """Run a healthy shop until the block ends.

    sections: of the configuration, in place of the usual ones.
    """
    page = MessengerSimulator(access_token=PAGE_TOKEN, app_secret=APP_SECRET, require_appsecret_proof=True)
    page.templates.add("shop_order_confirmation", "Your order {{1}} is confirmed.", language="en")
    page.subscribed_fields = FIELDS
    shopify = ShopifySimulator(access_token=ADMIN_TOKEN, shop_specific=True, topics=TOPICS)
    async with shopify.serve() as shopify_url:
        text = config_of_a_patient(**sections)
        environ = {"SHOPIFY_ADMIN_TOKEN": ADMIN_TOKEN, "SHOPIFY_URL": shopify_url, "MESSENGER_APP_SECRET": APP_SECRET}
        async with shop_under_test(
            directory, config=text, messenger=page, environ=environ, store_url=store_url
        ) as shop:
            shopify.webhooks.url = f"{shop.url}/webhooks/shopify"
            page.app_webhook = AppWebhook(f"{shop.url}/webhooks/messenger", FIELDS)
            patient = Patient(
                shop=shop,
                shopify=shopify,
                page=page,
                path=directory / "shopbot.yaml",
                environ={
                    **environ,
                    "SHOPIFY_WEBHOOK_SECRET": SECRET,
                    "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
                    "MESSENGER_URL": _messenger_url(shop),
                },
                store_url=store_url or f"unix://{shop.store.connection_pool.connection_kwargs['path']}",
            )
            if yaml.safe_load(text).get("pollers"):
                await eventually(lambda: _has_polled(shop), "the first poll")
            yield patient


async def _has_polled(shop: ShopUnderTest) -> bool:
    return await shop.host.poller_problem() is None and bool(
        await shop.store.hexists(shop.keys.poller("shopify_orders"), "last_success_ms")
    )


def _messenger_url(shop: ShopUnderTest) -> str:
    plugin: Any = shop.host.hooks.senders[0].instance.plugin
    return str(plugin._config.api_url).rpartition("/")[0]


def lines(report: Report, level: Level) -> list[str]:
    """Give what a report says at a level, each with its area before it."""
    return [f"{entry.area}: {entry.finding.what}" for entry in report.entries if entry.finding.level is level]


def the_one(report: Report, level: Level) -> Finding:
    """Give the only finding of a level; the test fails where there are others, or of a worse level."""
    found = [entry.finding for entry in report.entries if entry.finding.level is level]
    assert len(found) == 1, "\n".join(lines(report, level)) or f"there is no {level}"
    if level is Level.WARNING:
        assert report.healthy, lines(report, Level.PROBLEM)
    return found[0]
