"""`GET /metrics`, in Prometheus' text format, and the timing of answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from prometheus_client import Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from redis.exceptions import RedisError
from sanic import Request
from sanic.response import HTTPResponse

from shopbot import __version__, metrics
from shopbot.metrics import Family, Metrics
from shopbot.model.config_state import ConfigState
from shopbot.store.channels import ChannelState
from shopbot.store.gauges import Readings

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""https://prometheus.io/docs/instrumenting/exposition_formats/"""
_READ_SECONDS = 2.0
"""A store that takes longer counts as down: the rest of the page must come before Prometheus gives up (10 s)."""
_STATES = (ChannelState.OPEN, ChannelState.PAUSED, ChannelState.DOWN)
_REFUSED = frozenset({401, 403})

Handler = Callable[[Request], Awaitable[HTTPResponse]]


@dataclass(frozen=True, slots=True)
class MeteredShop:
    """Where the page gets one shop's numbers from."""

    domain: str
    read: Callable[[], Awaitable[Readings]]
    """Reads the store; its errors mean that the store is down."""
    warnings: Callable[[], Sequence[str]]
    """Says how the store could lose data."""
    config: Callable[[], ConfigState]
    """Says what became of changes of the configuration. May read a file: called in a thread."""


class MetricsPage:
    """The route's handler. The page holds the numbers of all processes, whichever of them answers."""

    def __init__(self, counted: Metrics, shops: Sequence[MeteredShop]) -> None:
        self._counted = counted
        self._shops = shops

    async def __call__(self, _request: Request) -> HTTPResponse:
        """Answer a scrape; while a store is away, without the numbers that are in it."""
        readings = await asyncio.gather(*(_read(shop) for shop in self._shops))
        # In a thread: it reads files, and takes some milliseconds.
        page = await asyncio.to_thread(self._page, readings)
        return HTTPResponse(page, content_type=_CONTENT_TYPE)

    def _page(self, readings: Sequence[Readings | None]) -> bytes:
        stored = _Stored()
        stored.add(metrics.INFO, 1, __version__)
        for shop, found in zip(self._shops, readings, strict=True):
            stored.add(metrics.STORE_UP, found is not None, shop.domain)
            stored.add(metrics.STORE_WARNINGS, len(shop.warnings()), shop.domain)
            stored.add_config(shop.domain, shop.config())
            if found is not None:
                stored.add_readings(shop.domain, found)
        return generate_latest(_Collected([*self._counted.collect(), *stored.families.values()]))


class Timed:
    """A route's handler with its answers timed, and its refusals counted."""

    def __init__(self, handler: Handler, counted: Metrics, route: str) -> None:
        self._handler = handler
        self._counted = counted
        self._route = route
        self._answers: dict[int, Histogram] = {}

    async def __call__(self, request: Request) -> HTTPResponse:
        """Answer as the handler does."""
        started = time.perf_counter()
        status = 500
        try:
            response = await self._handler(request)
            status = response.status
        finally:
            seconds = time.perf_counter() - started
            answers = self._answers.get(status)
            if answers is None:
                answers = self._answers[status] = self._counted.answers(self._route, status)
            answers.observe(seconds)
        if status in _REFUSED:
            self._counted.rejected(self._route, status)
        return response


@dataclass(frozen=True, slots=True)
class _Collected:
    metrics: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.metrics


class _Stored:
    """The families that were read, not counted."""

    def __init__(self) -> None:
        self.families: dict[Family, Metric] = {}

    def add(self, family: Family, value: float, *labels: str) -> None:
        found = self.families.get(family)
        if found is None:
            kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            found = self.families[family] = kind(family.name, family.meaning, labels=family.labels)
        found.add_metric(labels, value)  # type: ignore[attr-defined]  # both kinds have it, their base has not

    def add_config(self, shop: str, state: ConfigState) -> None:
        self.add(metrics.CONFIG_INFO, 1, shop, state.version)
        self.add(metrics.CONFIG_REFUSED, state.refusal is not None, shop)
        self.add(metrics.CONFIG_RELOADED_AT, state.since.timestamp() if state.since else 0, shop)
        self.add(metrics.CONFIG_REFUSED_AT, state.last_refused.timestamp() if state.last_refused else 0, shop)
        self.add(metrics.CONFIG_RELOADS, state.reloaded, shop, "ok")
        self.add(metrics.CONFIG_RELOADS, state.refused, shop, "refused")

    def add_readings(self, shop: str, found: Readings) -> None:
        for family, value in (
            (metrics.INBOX, found.inbox),
            (metrics.OLDEST, found.oldest_seconds),
            (metrics.RETRIES, found.retries),
            (metrics.HELD, found.held),
            (metrics.PARKED, found.parked),
            (metrics.DEAD_LETTERS, found.dead),
            (metrics.APP_UNINSTALLED, found.uninstalled),
        ):
            self.add(family, value, shop)
        for channel, now in found.channels.items():
            for state in _STATES:
                self.add(metrics.CHANNEL, state is now, shop, channel, state.value)
        for name, poller in found.pollers.items():
            self.add(metrics.POLLER_GAP, poller.gap_seconds, shop, name)
            self.add(metrics.POLLER_FAILING, poller.failing, shop, name)
            self.add(metrics.POLLED, poller.orders, shop, name)
            self.add(metrics.FIRST_SEEN, poller.first_seen, shop, name)


async def _read(shop: MeteredShop) -> Readings | None:
    try:
        async with asyncio.timeout(_READ_SECONDS):
            return await shop.read()
    except (RedisError, OSError):  # TimeoutError is an OSError
        return None
