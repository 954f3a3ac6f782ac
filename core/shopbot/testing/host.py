"""A whole shop in one test: the real host, in this process, with its own store and a simulated Messenger.

    async with shop_under_test(tmp_path) as shop:
        event_id = await shop.post("orders/paid", paid_order(psid=PSID))
        record = await shop.finished(event_id)
        assert [message.text for message in shop.messenger.sent] == [...]

Everything goes over HTTP and through a real Valkey server, as in production.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import structlog
from redis.asyncio import Redis
from sanic import Sanic
from structlog.testing import LogCapture

from shopbot.host.blueprint import load_blueprint
from shopbot.host.service import serving
from shopbot.host.shop_host import Role, ShopHost
from shopbot.metrics import Metrics
from shopbot.model.shared_keys import SharedKeys
from shopbot.store.connection import connect
from shopbot.store.embedded import EmbeddedServer
from shopbot.store.keys import Keys
from shopbot.store.records import EventRecord, Records
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import order_bytes
from shopbot.testing.webhooks import shopify_headers

__all__ = ["CONFIG", "PAGE_TOKEN", "SECRET", "SHOP", "ShopUnderTest", "several_apps", "shop_under_test"]

SHOP = "acme.myshopify.com"
SECRET = "test-webhook-secret"  # noqa: S105 - signs tests' own webhooks and nothing else
PAGE_TOKEN = "test-page-token"  # noqa: S105 - only the simulator takes it

CONFIG = """\
shop: {domain: acme.myshopify.com, name: Acme, locale: en, timezone: Europe/Berlin}
verify:
  - {use: shopify_hmac, secrets: ["${SHOPIFY_WEBHOOK_SECRET}"]}
resolvers:
  - {use: note_attributes, key: psid, trust: any}
  - {use: attributes, key: psid, trust: any}
  - {use: token_lookup}
carts:
  - {use: redis_cart}
senders:
  - use: messenger
    page_id: "102290129340398"
    access_token: ${MESSENGER_PAGE_TOKEN}
    api_url: ${MESSENGER_URL}/v25.0
    timeout: 30s
retry: {attempts: 3, first: 50ms, factor: 2, max: 1s}
rules:
  - name: order_confirmation
    on: [orders/create, orders/paid, orders/updated]
    when: {financial_status: [paid], cancelled: false, test: false}
    once_per: order
    steps: [resolve_psid, clear_cart, save_order_reference, {send_message: order_confirmation}]
messages:
  order_confirmation: {tag: order_update, text: order_confirmation.txt.j2, utility_template: none}
"""
"""A configuration for tests: every well-formed PSID is trusted, retries come at once, and a machine that pauses for
seconds brings no send into doubt."""

_WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.005


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ShopUnderTest:
    """A running shop, and everything around it that a test may look at."""

    url: str
    host: ShopHost
    http: httpx.AsyncClient
    messenger: MessengerSimulator
    store: Redis
    records: Records
    keys: Keys
    shared: SharedKeys
    logs: LogCapture

    async def post(self, topic: str, body: Mapping[str, Any] | bytes, *, webhook_id: str | None = None) -> str:
        """Deliver a signed webhook and give the id of its event. Fails unless it is answered 200."""
        raw = body if isinstance(body, bytes) else order_bytes(body)
        headers = shopify_headers(topic, raw, SECRET, SHOP, webhook_id=webhook_id)
        response = await self.http.post("/webhooks/shopify", content=raw, headers=headers)
        if response.status_code != httpx.codes.OK:
            raise AssertionError(f"{topic} was answered {response.status_code}: {response.text}")
        return f"webhook:{headers['X-Shopify-Webhook-Id']}"

    async def finished(self, event_id: str) -> EventRecord:
        """Wait until an event is done, skipped or given up. Raises AssertionError with its journal if it is not."""
        record: EventRecord | None = None
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while True:
                    record = await self.records.event(event_id)
                    if record is not None and record.status in ("done", "skipped", "failed"):
                        return record
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"{event_id} has not ended: {record}") from None

    async def fill_cart(self, psid: str, *, updated_at: datetime) -> None:
        """Put a cart and a checkout token there, as the bot does."""
        cart = {"items": [{"variant_id": 1, "quantity": 2}], "updated_at": updated_at.isoformat()}
        await self.store.set(self.shared.cart(psid), json.dumps(cart))
        await self.store.set(self.shared.checkout_token(psid), "0123456789abcdef0123456789abcdef")


@contextlib.contextmanager
def several_apps() -> Iterator[None]:
    """Let Sanic start one app after another in this process, which outside tests nobody does."""
    before = Sanic.test_mode
    Sanic.test_mode = True
    try:
        yield
    finally:
        Sanic.test_mode = before


@contextlib.asynccontextmanager
async def shop_under_test(
    directory: Path,
    *,
    config: str = CONFIG,
    messenger: MessengerSimulator | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Callable[[], datetime] = _now,
    store_url: str | None = None,
) -> AsyncIterator[ShopUnderTest]:
    """Run a shop until the block ends.

    directory: for the configuration and the store; made by the test, empty.
    messenger: the simulator to send to; None makes one.
    environ: more variables, besides those that `CONFIG` reads.
    store_url: an existing store; None starts an embedded one.

    Raises:
        ConfigError, PluginError, StoreError: as `shopbot run` reports them.
    """
    simulator = messenger or MessengerSimulator(access_token=PAGE_TOKEN)
    logs = LogCapture()
    before = structlog.get_config()
    async with contextlib.AsyncExitStack() as stack:
        messenger_url = await stack.enter_async_context(simulator.serve())
        path = directory / "shopbot.yaml"
        path.write_text(config, encoding="utf-8")
        variables = {
            "SHOPIFY_WEBHOOK_SECRET": SECRET,
            "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
            "MESSENGER_URL": messenger_url,
            **(environ or {}),
        }
        stack.callback(lambda: structlog.configure(**before))
        stack.enter_context(several_apps())
        structlog.configure(processors=[logs], cache_logger_on_first_use=False)
        blueprint = load_blueprint(path, variables)
        if store_url is None:
            server = EmbeddedServer(directory / "data")
            await asyncio.to_thread(server.start)
            stack.push_async_callback(asyncio.to_thread, server.stop)
            store_url = server.url
        metrics = Metrics()
        host = ShopHost(blueprint, store_url=store_url, clock=clock, metrics=metrics)
        listener = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        listener.bind(("127.0.0.1", 0))
        web = blueprint.settings.web
        await stack.enter_async_context(
            serving(
                [host],
                listener,
                metrics=metrics,
                role=Role.ALL,
                max_body_bytes=web.max_body_bytes,
                request_time_limit_seconds=web.request_time_limit.total_seconds(),
            )
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        patience = httpx.Timeout(30.0, pool=None)  # a test that posts hundreds at once waits for its own connections
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=patience))
        store = connect(store_url)
        stack.push_async_callback(store.aclose)
        keys = Keys(SHOP)
        yield ShopUnderTest(
            url=url,
            host=host,
            http=http,
            messenger=simulator,
            store=store,
            records=Records(store, keys),
            keys=keys,
            shared=SharedKeys(),
            logs=logs,
        )
