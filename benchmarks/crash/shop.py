"""One shop under attack: its store, its host, Shopify and Messenger around it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.crash.host_process import HostProcess, kill
from benchmarks.crash.page import Page
from benchmarks.crash.shopify import Shopify
from benchmarks.crash.store_proxy import Command, StoreProxy
from redis.asyncio import Redis

from shopbot.store.connection import connect
from shopbot.store.embedded import EmbeddedServer, url_for
from shopbot.store.keys import Keys
from shopbot.store.server_socket import socket_path

SHOP = "acme.myshopify.com"
WEBHOOK_SECRET = "crash-webhook-secret"  # noqa: S105 - signs the attack's own webhooks
PAGE_TOKEN = "crash-page-token"  # noqa: S105 - only the simulator takes it
APP_SECRET = "crash-app-secret"  # noqa: S105 - signs the simulator's webhooks

DEADLINE_SECONDS = 3.0

_CONFIG = """\
shop: {domain: acme.myshopify.com, name: Acme, locale: en, timezone: Europe/Berlin}
store: ${STORE}
verify:
  - {use: shopify_hmac, secrets: ["${SHOPIFY_WEBHOOK_SECRET}"]}
  - {use: messenger_hmac, app_secret: "${MESSENGER_APP_SECRET}", verify_token: crash-verify-token}
resolvers:
  - {use: note_attributes, key: psid, trust: any}
carts:
  - {use: redis_cart}
senders:
  - {use: messenger, page_id: "102290129340398", access_token: "${MESSENGER_PAGE_TOKEN}",
     api_url: "${MESSENGER_URL}/v25.0", timeout: 2s}
retry: {attempts: 20, first: 200ms, factor: 2, max: 2s}
in_doubt: {deadline: 3s}
worker: {lease: 2s}
log: {format: json}
rules:
  - name: order_confirmation
    on: [orders/create, orders/paid, orders/updated]
    when: {financial_status: [paid], cancelled: false, test: false}
    once_per: order
    steps: [resolve_psid, clear_cart, save_order_reference, {send_message: order_confirmation}]
messages:
  order_confirmation:
    tag: order_update
    text: order_confirmation.txt.j2
    utility_template: {name: order_confirmation, language: en, parameters: ["{{ order.name }}"]}
"""

_STORE_PAUSES_SECONDS = (0.05, 0.1, 0.2, *[0.5] * 10_000)
_LOOK_SECONDS = 0.1


class Shop:
    """All that belongs to one shop; `serving` makes it.

    embedded: whether the host runs its own store, as by default; else the attack runs it, behind a proxy.
    """

    def __init__(self, directory: Path, *, embedded: bool, first_order_id: int, chance: random.Random) -> None:
        self.embedded = embedded
        self.claimed_by: dict[int, int] = {}
        """The process that has claimed an order's message last."""
        self.page = Page(access_token=PAGE_TOKEN, app_secret=APP_SECRET, chance=chance)
        # Nobody has ever written to this Page, so that everybody gets the approved template.
        self.page.templates.add("order_confirmation", "Order confirmed!\nOrder {{1}}\nThank you.", language="en")
        self.keys = Keys(SHOP)
        self._directory = directory
        self._config = directory / "shopbot.yaml"
        self._data_dir = directory / "data"
        self.log = directory / "host.log"
        self._first_order_id = first_order_id
        self._chance = chance
        self._server: EmbeddedServer | None = None
        self.proxy = StoreProxy(directory / "proxy.sock", socket_path(self._data_dir), self._saw)
        self.host: HostProcess
        self.shopify: Shopify
        self.client: Redis

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Bring up everything but the host, until the block ends; then end the host, too."""
        self._config.write_text(_CONFIG, encoding="utf-8")
        async with contextlib.AsyncExitStack() as stack:
            page_url = await stack.enter_async_context(self.page.serve())
            store = "embedded"
            if not self.embedded:
                self._server = EmbeddedServer(self._data_dir, restart_pauses_seconds=_STORE_PAUSES_SECONDS)
                await asyncio.to_thread(self._server.start)
                stack.push_async_callback(asyncio.to_thread, self._server.stop)
                store = await stack.enter_async_context(self.proxy.serve())
            environ = {
                "STORE": store,
                "SHOPIFY_WEBHOOK_SECRET": WEBHOOK_SECRET,
                "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
                "MESSENGER_APP_SECRET": APP_SECRET,
                "MESSENGER_URL": page_url,
            }
            self.host = HostProcess(self._config, environ, self.log)
            stack.push_async_callback(self.host.stop)
            self.shopify = Shopify(
                url=self.host.url,
                shop=SHOP,
                secret=WEBHOOK_SECRET,
                first_order_id=self._first_order_id,
                chance=self._chance,
            )
            stack.push_async_callback(self.shopify.close)
            self.page.webhook_url = f"{self.host.url}/webhooks/messenger"
            self.client = connect(url_for(self._data_dir))
            stack.push_async_callback(self.client.aclose)
            yield

    def kill_store(self) -> bool:
        """`kill -9` the store; False when it is down already."""
        pid = self._server.pid if self._server is not None else self.host.store_pid()
        return pid is not None and kill(pid)

    async def replay_dead_letters(self) -> None:
        """`shopbot dead replay --all`, as an operator runs it."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shopbot", "dead", "replay", "--all", "--config", str(self._config)),
            env=self.host.environ,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await process.wait()

    async def waiting(self) -> Mapping[str, int]:
        """Count what is not finished: the inbox, and what waits for a time, an echo or a channel."""
        keys = self.keys
        found = {"inbox": int(await self.client.xlen(keys.inbox))}
        for name, key in (("retries", keys.retries), ("held", keys.held), ("parked", keys.parked)):
            found[name] = int(await self.client.zcard(key))
        return found

    async def idle(self, limit_seconds: float) -> None:
        """Wait until nothing waits. Raises TimeoutError, which says what still does."""
        waiting: Mapping[str, int] = {}
        try:
            async with asyncio.timeout(limit_seconds):
                while any((waiting := await self.waiting()).values()):  # noqa: ASYNC110 - the host has no event for it
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"not finished after {limit_seconds:g} s: {dict(waiting)}; see {self.log}") from None

    async def dead_letters(self) -> Mapping[int, str]:
        """Give the reason code of each order's dead letter."""
        found: dict[int, str] = {}
        ids: Any = await self.client.zrange(self.keys.dead, 0, -1)
        for event_id in ids:
            fields: Any = await self.client.hmget(self.keys.event(event_id.decode()), ["reason", "body"])
            reason, body = fields
            found[int(json.loads(body)["id"])] = reason.decode()
        return found

    def _saw(self, command: Command) -> None:
        if command.script == "claim":
            order_id = command.arguments[0].rpartition(b"order:")[2]
            if order_id.isdigit():
                self.claimed_by[int(order_id)] = command.pid
