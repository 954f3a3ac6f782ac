"""What tests of plugins may import, each name of it: checked as an integrator's own code is, and run."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from shopbot.plugin import (
    ChannelDown,
    Checkout,
    CheckoutLine,
    InDoubt,
    LineItem,
    Money,
    Origin,
    OutboundMessage,
    OutOfStock,
    PersonToErase,
    Refused,
    Retry,
    Store,
)
from shopbot.testing.clock import Clock, ManualClock, MovedClock, http_date
from shopbot.testing.contracts import (
    KINDS_OF_ORDER,
    ORDERED_AT,
    PSID,
    CartContract,
    CheckoutContract,
    DiagnosisContract,
    EraserContract,
    FiltersContract,
    ObserverContract,
    PluginContract,
    PollerContract,
    RecordingLog,
    ResolverContract,
    Running,
    SenderContract,
    StepContract,
    VerifierContract,
    a_finished_run,
    a_message,
    a_person,
    an_event,
    an_examination,
    changed_order,
)
from shopbot.testing.contracts import SHOP as SHOP_OF_CONTRACTS
from shopbot.testing.fixtures import HostFixture, OrdersFixture, StoreFixture
from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, SHOP, ShopUnderTest, several_apps, shop_under_test
from shopbot.testing.http_service import Answer, Asked, HttpService
from shopbot.testing.messenger import (
    AppWebhook,
    Delivery,
    Fault,
    MessengerSimulator,
    ReceivedRequest,
    SentMessage,
    Usage,
)
from shopbot.testing.orders import (
    DEFAULT_ORDER_ID,
    Line,
    LineLike,
    authorized_order,
    cancelled_order,
    draft_order,
    fulfilled_order,
    order_body,
    order_bytes,
    paid_order,
    partially_paid_order,
    pending_order,
    refunded_order,
    updated_order,
)
from shopbot.testing.shopify import OrderDelivery, ShopifySimulator, Weather
from shopbot.testing.storefront import CartLine, OpenedCheckout, StorefrontCart, StorefrontSimulator, Variant
from shopbot.testing.webhooks import (
    HeaderFamily,
    escape_like_meta,
    messenger_headers,
    shopify_headers,
    sign_messenger,
    sign_shopify,
)
from support import every_hook

KEY = "a-signing-secret"


def maker(contract: PluginContract) -> every_hook.Plugin:
    """Make the plugin with its own type."""
    plugin: every_hook.Plugin = contract.make()
    return plugin


def never(asked: Asked) -> Answer:
    """Answer as a service does that should not have been asked."""
    return Answer(500, f"not {asked.path}")


class TestTheVerifier(DiagnosisContract, VerifierContract):
    module = every_hook
    settings: ClassVar = {"secret": KEY}
    origin = Origin.SHOPIFY
    secrets = (KEY,)

    def headers(self, body: bytes, secret: str) -> Mapping[str, str]:
        return {"X-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}

    async def test_it_is_told_what_the_rules_need(self) -> None:
        told = an_examination(topics={Origin.SHOPIFY: frozenset({"orders/paid"})})
        found = [finding async for finding in maker(self).diagnose(told)]

        assert [finding.what for finding in found] == ["1 platforms are listened to"]
        assert http_date(0).endswith(" GMT")


class TestTheResolver(ResolverContract):
    module = every_hook
    settings: ClassVar = {"secret": KEY}
    order = paid_order(psid=PSID)

    async def test_a_host_asks_it(self, shopbot_host: HostFixture, shopbot_orders: OrdersFixture) -> None:
        resolvers = "resolvers: [{use: every_hook, secret: '${KEY}'}]"
        async with shopbot_host(resolvers, plugin=every_hook, environ={"KEY": KEY}) as shop:
            await shop.fill_cart(PSID, updated_at=datetime.now(UTC) - timedelta(days=300))
            record = await shop.finished(await shop.post("orders/paid", shopbot_orders(pending_order, psid=PSID)))

        assert record.reason == "NOT_PAID"


class TestTheCart(CartContract):
    module = every_hook
    settings: ClassVar = {"secret": KEY}

    async def fill(self, running: Running, psid: str, changed_at: datetime) -> None:
        await running.store.set(running.keys.cart(psid), json.dumps({"updated_at": changed_at.isoformat()}))

    async def is_empty(self, running: Running, psid: str) -> bool:
        return await running.store.get(running.keys.cart(psid)) is None

    server: StoreFixture | None = None

    def open_store(self) -> AbstractAsyncContextManager[Store]:
        return super().open_store() if self.server is None else self.server()

    async def test_a_real_store_will_do(self, shopbot_store: StoreFixture) -> None:
        self.server = shopbot_store
        await self.test_it_is_safe_to_repeat()


class TestTheSender(SenderContract):
    module = every_hook
    settings: ClassVar = {"secret": KEY}

    plugin: every_hook.Plugin

    def make(self, **changes: object) -> every_hook.Plugin:
        self.plugin = super().make(**changes)
        return self.plugin

    def delivered(self) -> Sequence[OutboundMessage]:
        return self.plugin.sent

    @pytest.mark.parametrize(
        ("text", "failure"), [("refuse", Refused), ("wait", Retry), ("doubt", InDoubt), ("down", ChannelDown)]
    )
    async def test_failures_are_told_apart(self, text: str, failure: type[Exception]) -> None:
        async with self.running() as running:
            with pytest.raises(failure, match="as asked"):
                await self.send(running, a_message(text=text))

    async def test_a_message_may_have_everything(self) -> None:
        async with self.running() as running:
            receipt = await self.send(running, every_hook.reminder(PSID))

        assert receipt is not None
        assert receipt.usage_percent == 12.5


class TestThePoller(PollerContract):
    module = every_hook
    settings: ClassVar = {"secret": KEY}

    @pytest.fixture(autouse=True)
    def _with_a_file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "orders.jsonl"
        self.path.touch()

    @asynccontextmanager
    async def surroundings(self) -> AsyncGenerator[Mapping[str, Any], None]:
        yield {"orders_file": str(self.path)}

    async def change(self, body: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(body) + "\n")

    async def test_an_order_that_cannot_be_read_is_logged(self) -> None:
        async with self.running() as running:
            await self.change({**changed_order(0), "id": None})

            assert await self.poll(running) == []
            log: RecordingLog = running.log
            assert len(log.of("order_unreadable")) == 1


class TestTheCheckout(CheckoutContract):
    module = every_hook
    settings: ClassVar = {"secret": KEY}

    async def attributes(self, checkout: Checkout) -> Mapping[str, str]:
        return dict(parse_qsl(urlsplit(checkout.url).query, keep_blank_values=True))

    async def test_what_is_out_of_stock_is_named(self) -> None:
        async with self.running() as running:
            with pytest.raises(OutOfStock) as refusal:
                await self.create(running, lines=(CheckoutLine(variant_id=5, quantity=10),))

        assert [(line.variant_id, line.available) for line in refusal.value.lines] == [(5, 9)]


class TestTheStep(StepContract):
    module = every_hook
    settings: ClassVar = {"secret": KEY}


class TestTheFilters(FiltersContract):
    module = every_hook
    settings: ClassVar = {"secret": KEY}
    examples: ClassVar = {"rounded": [(Money(amount=Decimal("9.60"), currency="EUR"), "10 EUR"), (None, "")]}


class TestTheObserver(ObserverContract):
    module = every_hook
    settings: ClassVar = {"secret": KEY}

    async def test_it_remembers(self) -> None:
        plugin = maker(self)
        await plugin.event_finished(an_event(paid_order()), a_finished_run())

        assert plugin.seen == [f"{an_event().id} True"]


class TestTheEraser(EraserContract):
    module = every_hook
    settings: ClassVar = {"secret": KEY}

    def make(self, **changes: object) -> every_hook.Plugin:
        self.plugin = super().make(**changes)
        assert isinstance(self.plugin, every_hook.Plugin)
        return self.plugin

    async def keep(self, running: Running, person: PersonToErase) -> None:
        del running
        self.plugin.sent += [a_message(psid=psid) for psid in person.psids]

    async def is_kept(self, running: Running, person: PersonToErase) -> bool:
        del running
        return any(message.psid in person.psids for message in self.plugin.sent)

    def test_somebody_else_is_made_by_saying_what_differs(self) -> None:
        assert a_person(customer_id=None).psids == frozenset({PSID})


class TestTheSimulators:
    async def test_messenger(self, shopbot_messenger: MessengerSimulator) -> None:
        shopbot_messenger.page_usage = Usage(call_count=50)
        shopbot_messenger.app_webhook = AppWebhook("https://bot.example/webhooks/messenger", frozenset({"messages"}))
        shopbot_messenger.inject(Fault.error(4))
        async with shopbot_messenger.serve() as address, httpx.AsyncClient(base_url=address, timeout=30.0) as client:
            body = {"recipient": {"id": PSID}, "messaging_type": "UPDATE", "message": {"text": "Hi"}}
            for _ in range(2):
                await client.post("/v25.0/me/messages", json=body, headers={"Authorization": f"Bearer {PAGE_TOKEN}"})
            written: Delivery = await shopbot_messenger.say(PSID, "Hello?")
        sent: list[SentMessage] = shopbot_messenger.sent
        requests: list[ReceivedRequest] = shopbot_messenger.requests

        assert [message.text for message in sent] == ["Hi"]
        assert [request.code for request in requests] == [4, None]
        assert written.status is None

    async def test_shopify(self, shopbot_shopify: ShopifySimulator, shopbot_clock: MovedClock) -> None:
        shopbot_shopify.webhooks.weather = Weather(loss=1.0)
        service = HttpService(never)
        async with service.serve() as address, shopbot_shopify.serve():
            shopbot_shopify.webhooks.url = address
            shopbot_clock.move(hours=1)
            shopbot_shopify.place(paid_order())
            deliveries: Sequence[OrderDelivery] = list(shopbot_shopify.webhooks.deliveries)

        assert {delivery.lost for delivery in deliveries} == {True}
        assert service.asked == []

    def test_the_storefront(self) -> None:
        clock = ManualClock()
        of_simulators: Clock = clock
        storefront = StorefrontSimulator(variants={7: Variant("Mug", "19.25")}, clock=of_simulators)
        cart: StorefrontCart = storefront.new_cart()
        cart.lines.append(CartLine(variant_id=7, quantity=1))
        checkout: OpenedCheckout = storefront.open(f"https://{storefront.shop}/cart/7:1")

        assert checkout.order_body(created_at=ORDERED_AT)["line_items"][0]["title"] == "Mug"

    async def test_a_shop_without_fixtures(self, tmp_path: Path) -> None:
        with several_apps():
            simulator = MessengerSimulator(access_token=PAGE_TOKEN)
            async with shop_under_test(tmp_path, config=CONFIG, messenger=simulator) as running:
                shop: ShopUnderTest = running
                health = await shop.http.get("/healthz")

        assert health.status_code == 200


def test_orders_and_signatures() -> None:
    lines: list[LineLike] = [Line("Mug", "19.25"), ("Towel", "12.00"), ("Bowl", "30.00", 2)]
    bodies = [
        order_body(lines=lines),
        authorized_order(),
        cancelled_order(),
        draft_order(),
        fulfilled_order(),
        partially_paid_order(),
        refunded_order(),
        updated_order(pending_order(), datetime.fromtimestamp(time.time(), UTC), financial_status="paid"),
    ]
    family: HeaderFamily = "Shopify"
    raw = order_bytes(bodies[0])
    of_meta = escape_like_meta({"object": "page"})

    assert {body["id"] for body in bodies} == {DEFAULT_ORDER_ID}
    assert shopify_headers("orders/paid", raw, SECRET, SHOP, family=family)["shopify-hmac-sha256"] == sign_shopify(
        raw, SECRET
    )
    assert messenger_headers(of_meta, "s")["X-Hub-Signature-256"] == sign_messenger(of_meta, "s")
    assert SHOP_OF_CONTRACTS.domain == SHOP
    assert "paid" in KINDS_OF_ORDER
    assert LineItem(title="Mug").quantity == 1
