"""What `shopbot demo` plays, and what must come of it."""

import asyncio
import json
import shlex
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from redis.asyncio import Redis
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from shopbot.model.outcome import Status
from shopbot.model.psid import mask
from shopbot.model.shared_keys import SharedKeys
from shopbot.store.keys import Keys
from shopbot.store.records import EventRecord, Records
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import order_bytes, paid_order, pending_order
from shopbot.testing.webhooks import shopify_headers

PSID = "7312345678901234"
ORDER_ID = 6021482911946154508
PROMISE_SECONDS = 3.0
_WAIT_SECONDS = 15.0
_LOOK_SECONDS = 0.005
_CARD_WIDTH = 50
_NAME_WIDTH = 20


class DemoFailedError(Exception):
    """Something did not go as it must."""


class Scenes:
    """The demo's scenes, in order."""

    def __init__(
        self,
        *,
        console: Console,
        simulator: MessengerSimulator,
        http: httpx.AsyncClient,
        store: Redis,
        shop: str,
        secret: str,
    ) -> None:
        self._console = console
        self._simulator = simulator
        self._http = http
        self._store = store
        self._shop = shop
        self._secret = secret
        self._records = Records(store, Keys(shop))
        self._keys = SharedKeys()

    def introduce(self, url: str, messenger: str) -> None:
        """Say what is running."""
        self._console.rule("[bold]shopbot demo")
        self._line("host", f"{url}\n[dim]the real one, on its embedded Valkey server[/]")
        self._line("Messenger", f"{messenger}\n[dim]a simulator that keeps Meta's rules[/]")

    async def play(self) -> None:
        """Play all scenes.

        Raises:
            DemoFailedError: at the first thing that does not go as it must.
        """
        await self._paid_order()
        await self._duplicates()
        await self._unpaid_order()
        await self._forged_order()
        if self._simulator.sent_count != 1:
            raise DemoFailedError(f"the shopper got {self._simulator.sent_count} messages instead of 1")
        self._console.print("\n[bold green]✓[/] one order, one confirmation.")

    def invite(self, url: str, directory: Path) -> None:
        """Print a command that sends another order to the running demo."""
        body = order_bytes(paid_order(order_id=ORDER_ID + 2, number=1236, psid=PSID, shop=self._shop))
        path = directory / "order.json"
        path.write_bytes(body)
        headers = shopify_headers("orders/paid", body, self._secret, self._shop)
        options = " ".join(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items())
        self._console.print("\nStill running. Send another paid order (Ctrl-C ends the demo):\n")
        self._console.print(
            f"curl -i {options} --data-binary @{shlex.quote(str(path))} {url}/webhooks/shopify",
            soft_wrap=True,
            markup=False,
        )

    async def _paid_order(self) -> None:
        now = datetime.now(UTC)
        cart = {
            "items": [{"variant_id": 43211234, "quantity": 2}],
            "updated_at": (now - timedelta(minutes=2)).isoformat(),
        }
        await self._store.set(self._keys.cart(PSID), json.dumps(cart))
        await self._store.set(self._keys.checkout_token(PSID), "b1f0c2d3e4a5968778695a4b3c2d1e0f")
        self._scene("A shopper has paid: Shopify sends orders/paid")
        self._line("cart", f"cart:{mask(PSID)} holds {len(cart['items'])} line")
        body = order_bytes(paid_order(order_id=ORDER_ID, psid=PSID, shop=self._shop, created_at=now))
        webhook_id = await self._post("orders/paid", body, note=f"{len(body) / 1000:.1f} kB, signed")
        await self._simulator.wait_for_sent(1, _WAIT_SECONDS)
        record = await self._finished(webhook_id)
        for entry in record.journal:
            if entry.step and entry.status is Status.DONE:
                step = entry.step.partition(":")[2]
                self._line(step, f"{entry.detail or 'done'}  [dim]{escape(entry.plugin)}[/]")
        if await self._store.exists(self._keys.cart(PSID)):
            raise DemoFailedError("the cart is still there")
        message = self._simulator.sent[0]
        seconds = message.at - record.received_ms / 1000
        self._card(message.text)
        self._line("receipt → send", f"[bold]{seconds * 1000:.0f} ms[/]  (promised: {PROMISE_SECONDS:g} s)")
        if seconds > PROMISE_SECONDS:
            raise DemoFailedError(f"the message took {seconds:.1f} s")
        self._line("order reference", await self._reference())

    async def _duplicates(self) -> None:
        self._scene("Shopify sends it again, and orders/create comes late")
        body = order_bytes(paid_order(order_id=ORDER_ID, psid=PSID, shop=self._shop))
        webhook_id = await self._post("orders/paid", body)
        await self._post("orders/paid", body, webhook_id=webhook_id, note="the very same delivery")
        late = await self._post("orders/create", body, note="another topic")
        for sent in (webhook_id, late):
            await self._expect(sent, "ALREADY_CONFIRMED")

    async def _unpaid_order(self) -> None:
        self._scene("An order that is not paid yet")
        body = order_bytes(pending_order(order_id=ORDER_ID + 1, number=1235, psid=PSID, shop=self._shop))
        await self._expect(await self._post("orders/create", body), "NOT_PAID")

    async def _forged_order(self) -> None:
        self._scene("A forged webhook")
        body = order_bytes(paid_order(order_id=ORDER_ID + 3, psid=PSID, shop=self._shop))
        headers = shopify_headers("orders/paid", body, "not the shop's secret", self._shop)
        response = await self._http.post("/webhooks/shopify", content=body, headers=headers)
        self._line("webhook", f"answered [bold]{response.status_code}[/], nothing stored")
        if response.status_code != httpx.codes.FORBIDDEN:
            raise DemoFailedError(f"a forged webhook was answered {response.status_code}")

    async def _post(self, topic: str, body: bytes, *, webhook_id: str | None = None, note: str = "") -> str:
        headers = shopify_headers(topic, body, self._secret, self._shop, webhook_id=webhook_id)
        started = time.perf_counter()
        response = await self._http.post("/webhooks/shopify", content=body, headers=headers)
        milliseconds = (time.perf_counter() - started) * 1000
        remark = f"  [dim]{note}[/]" if note else ""
        self._line("webhook", f"{topic} answered [bold]{response.status_code}[/] in {milliseconds:.1f} ms{remark}")
        if response.status_code != httpx.codes.OK:
            raise DemoFailedError(f"{topic} was answered {response.status_code}: {response.text}")
        return headers["X-Shopify-Webhook-Id"]

    async def _finished(self, webhook_id: str) -> EventRecord:
        """Wait until an event has ended."""
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while True:
                    record = await self._records.event(f"webhook:{webhook_id}")
                    if record is not None and record.status:
                        return record
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise DemoFailedError(f"the event {webhook_id} was not worked off") from None

    async def _expect(self, webhook_id: str, reason: str) -> None:
        record = await self._finished(webhook_id)
        if record.reason != reason:
            raise DemoFailedError(f"expected {reason}, got {record.status} {record.reason}")
        again = f", {record.duplicates} repetition dropped at the door" if record.duplicates else ""
        self._line(record.topic, f"no message: [bold]{reason}[/]{again}")

    async def _reference(self) -> str:
        key = self._keys.order_reference(PSID, ORDER_ID)
        value, ttl_seconds = await self._store.get(key), await self._store.ttl(key)
        if value is None:
            raise DemoFailedError("there is no order reference")
        return f"order {json.loads(value)['order_number']} can be tracked for {round(ttl_seconds / 86400)} days"

    def _scene(self, title: str) -> None:
        self._console.print(f"\n[bold cyan]▌ {title}[/]")

    def _line(self, name: str, text: str) -> None:
        row = Table.grid(padding=(0, 2))
        row.add_column(width=_NAME_WIDTH, justify="right", style="dim")
        row.add_column()
        row.add_row(name, text)
        self._console.print(row)

    def _card(self, text: str) -> None:
        card = Panel(
            Text(text),
            title="[bold blue]Messenger · Demo Shop[/]",
            title_align="left",
            box=box.ROUNDED,
            width=_CARD_WIDTH,
            padding=(1, 2),
        )
        self._console.print(Padding(card, (0, 0, 0, _NAME_WIDTH + 2)))
