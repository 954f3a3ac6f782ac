"""Plugins put together for tests of the facade, as entries of shopbot.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import structlog

from shopbot.hooks import Hooks, PluginInstance
from shopbot.plugin import (
    Context,
    Delivery,
    InboundRequest,
    Order,
    Origin,
    OutboundMessage,
    Resolution,
    Run,
    SharedKeys,
    Shop,
    Store,
    Trust,
    hookimpl,
)

PSID = "7312345678901234"
ORDER = Order(id=1001)
RUN = Run(attempt=1)
REQUEST = InboundRequest(route=Origin.SHOPIFY, headers={}, body=b"{}")
MESSAGE = OutboundMessage(
    psid=PSID, text="Order confirmed!", delivery=Delivery.UPDATE, purpose="order_update", claim="shopbot|r:s|token"
)
FOUND = Resolution(psid=PSID, trust=Trust.ANY)
SINCE = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def at(section: str, plugin: object, index: int = 0, **more: Any) -> PluginInstance:  # noqa: ANN401 - any field of it
    """Let a plugin stand in a list, under its class's name."""
    return PluginInstance(section=section, index=index, name=type(plugin).__name__.lower(), plugin=plugin, **more)


def entries(section: str, *plugins: object) -> Hooks:
    """Make the facade of plugins that stand in one list, in this order."""
    return Hooks([at(section, plugin, index) for index, plugin in enumerate(plugins)])


def context_of(instance: PluginInstance) -> Context:
    """Make what a plugin gets at its start; it has no store."""
    return Context(
        shop=Shop(domain="acme.myshopify.com", name="Acme", locale="en", timezone=ZoneInfo("Europe/Berlin")),
        store=cast("Store", None),
        keys=SharedKeys(),
        ttl_seconds={},
        data_dir=Path(),
        log=structlog.get_logger().bind(plugin=instance.place),
    )


@dataclass(eq=False)
class LifeCycle:
    """Keeps what happens to it in a list that several share."""

    name: str
    lines: list[str]
    fails: Sequence[str] = ()

    @hookimpl
    async def start(self, context: Context) -> None:
        self.lines.append(f"start {self.name} in {context.shop.domain}")
        if "start" in self.fails:
            raise OSError("no such host")

    @hookimpl
    async def stop(self) -> None:
        self.lines.append(f"stop {self.name}")
        if "stop" in self.fails:
            raise OSError("the connection is gone")
