"""Several shops in one host: nothing of one reaches the other."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from shopbot.host.fleet import check_fleet, store_url
from shopbot.host.service import serving
from shopbot.host.shop_host import Role, ShopHost
from shopbot.metrics import Metrics
from shopbot.store.connection import connect
from shopbot.store.embedded import EmbeddedServer
from shopbot.store.keys import Keys
from shopbot.store.records import Records
from shopbot.testing.host import CONFIG, several_apps
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.webhooks import shopify_headers
from support.eventually import eventually

PSID = "7312345678901234"
PAGES = {"acme": "1000000000001", "umbrella": "1000000000002"}


def a_config(name: str, *, prefix: bool = True) -> str:
    """Configure one shop of several: its own domain, Page and secrets, and one store for all."""
    verifier = '  - {use: messenger_hmac, app_secret: "${APP_SECRET}", verify_token: hello}\nresolvers:'
    text = (
        CONFIG.replace("acme.myshopify.com", f"{name}.myshopify.com")
        .replace("102290129340398", PAGES[name])
        .replace("${SHOPIFY_WEBHOOK_SECRET}", f"${{{name.upper()}_SECRET}}")
        .replace("${MESSENGER_PAGE_TOKEN}", f"${{{name.upper()}_TOKEN}}")
        .replace("${MESSENGER_URL}", f"${{{name.upper()}_URL}}")
        .replace("resolvers:", verifier, 1)
    )
    text += f"web: {{api_keys: [the-api-key-of-{name}]}}\n"
    return text.replace("locale: en,", f'locale: en, key_prefix: "{name}:",') if prefix else text


@dataclass
class Fleet:
    """Two shops on one host, each with a Messenger of its own."""

    http: httpx.AsyncClient
    store: Redis
    messengers: dict[str, MessengerSimulator]

    async def order(self, name: str, order_id: int, *, signed_by: str | None = None) -> tuple[int, str]:
        """Deliver a paid order; gives the status and the id of its event."""
        shop = f"{name}.myshopify.com"
        body = order_bytes(paid_order(psid=PSID, order_id=order_id, shop=shop))
        headers = shopify_headers("orders/paid", body, f"{signed_by or name}-secret", shop)
        response = await self.http.post("/webhooks/shopify", content=body, headers=headers)
        return response.status_code, f"webhook:{headers['X-Shopify-Webhook-Id']}"

    async def greet(self) -> None:
        """Let the shopper write to both Pages, which opens the messaging windows."""
        for name, messenger in self.messengers.items():
            said = await messenger.say(PSID, "Hello!")
            await eventually(partial(_is, self, name, f"messenger:message:{said.mid}", "skipped"), "it is taken in")

    async def status(self, name: str, event_id: str) -> str:
        """Give an event's status in one shop."""
        record = await Records(self.store, Keys(f"{name}.myshopify.com")).event(event_id)
        return record.status if record else ""


@contextlib.asynccontextmanager
async def a_fleet(directory: Path) -> AsyncIterator[Fleet]:
    messengers = {
        name: MessengerSimulator(page_id=page, access_token=f"{name}-token", app_secret="app-secret")
        for name, page in PAGES.items()
    }
    async with contextlib.AsyncExitStack() as stack:
        environ = {"APP_SECRET": "app-secret"}
        paths = []
        for name, messenger in messengers.items():
            environ[f"{name.upper()}_URL"] = await stack.enter_async_context(messenger.serve())
            environ |= {f"{name.upper()}_SECRET": f"{name}-secret", f"{name.upper()}_TOKEN": f"{name}-token"}
            paths.append(directory / f"{name}.yaml")
            paths[-1].write_text(a_config(name), encoding="utf-8")
        fleet = check_fleet(paths, environ)
        assert [str(problem) for problem in fleet.problems] == []
        stack.enter_context(several_apps())
        stack.enter_context(EmbeddedServer(directory / "data"))
        metrics = Metrics()
        hosts = [ShopHost(one, store_url=store_url(one), metrics=metrics) for one in fleet.blueprints]
        listener = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        listener.bind(("127.0.0.1", 0))
        await stack.enter_async_context(
            serving(
                hosts,
                listener,
                metrics=metrics,
                role=Role.ALL,
                max_body_bytes=5_000_000,
                request_time_limit_seconds=5.0,
            )
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30.0))
        for messenger in messengers.values():
            messenger.webhook_url = f"{url}/webhooks/messenger"
        store = connect(store_url(fleet.blueprints[0]))
        stack.push_async_callback(store.aclose)
        yield Fleet(http, store, messengers)


async def test_each_order_goes_out_by_its_own_shops_page(tmp_path: Path) -> None:
    async with a_fleet(tmp_path) as fleet:
        await fleet.greet()
        await fleet.order("acme", 1)
        await fleet.order("umbrella", 1)

        for messenger in fleet.messengers.values():
            await messenger.wait_for_sent(1)
        keys = {str(key, "utf-8") for key in await fleet.store.keys("*order_reference*") if isinstance(key, bytes)}

    assert [messenger.sent_count for messenger in fleet.messengers.values()] == [1, 1]
    assert keys == {f"{name}:order_reference:{PSID}:1" for name in PAGES}


async def test_a_webhook_signed_by_another_shop_of_the_host_is_refused(tmp_path: Path) -> None:
    async with a_fleet(tmp_path) as fleet:
        status, _ = await fleet.order("acme", 1, signed_by="umbrella")

    assert status == 403


async def test_one_shops_revoked_token_does_not_touch_the_other(tmp_path: Path) -> None:
    async with a_fleet(tmp_path) as fleet:
        await fleet.greet()
        fleet.messengers["acme"].tokens.revoke()
        _, parked = await fleet.order("acme", 1)
        await eventually(lambda: _is(fleet, "acme", parked, "held"), "the order waits for the channel")

        _, done = await fleet.order("umbrella", 2)
        await eventually(lambda: _is(fleet, "umbrella", done, "done"), "the other shop's order is confirmed")
        ready = (await fleet.http.get("/readyz")).json()["checks"]

    assert "down" in ready["channel acme.myshopify.com"]
    assert ready["channel umbrella.myshopify.com"] == "ok"


async def test_what_a_shopper_writes_goes_to_the_shop_of_the_page(tmp_path: Path) -> None:
    async with a_fleet(tmp_path) as fleet:
        said = await fleet.messengers["umbrella"].say(PSID, "Hello!")
        event_id = f"messenger:message:{said.mid}"
        await eventually(lambda: _is(fleet, "umbrella", event_id, "skipped"), "the message is worked off")

        assert await fleet.status("acme", event_id) == ""


async def test_the_key_of_a_request_says_whose_cart_is_meant(tmp_path: Path) -> None:
    async with a_fleet(tmp_path) as fleet:
        for name in PAGES:
            headers = {"Authorization": f"Bearer the-api-key-of-{name}"}
            item = {"variant_id": 1, "quantity": len(name)}
            answer = await fleet.http.post(f"/carts/{PSID}/items", json=item, headers=headers)
            assert answer.status_code == 200
        carts = {name: json.loads(await fleet.store.get(f"{name}:cart:{PSID}") or "{}") for name in PAGES}

    assert {name: cart["items"][0]["quantity"] for name, cart in carts.items()} == {"acme": 4, "umbrella": 8}


async def _is(fleet: Fleet, name: str, event_id: str, status: str) -> bool:
    return await fleet.status(name, event_id) == status


@pytest.mark.parametrize("prefix", [True, False])
def test_shops_with_one_store_need_a_prefix_each(tmp_path: Path, *, prefix: bool) -> None:
    environ = {"APP_SECRET": "app-secret"}
    paths = [tmp_path / f"{name}.yaml" for name in PAGES]
    for name, path in zip(PAGES, paths, strict=True):
        path.write_text(a_config(name, prefix=prefix), encoding="utf-8")
        environ |= {f"{name.upper()}_{what}": "http://127.0.0.1:9" for what in ("SECRET", "TOKEN", "URL")}

    problems = [str(problem) for problem in check_fleet(paths, environ).problems]

    assert len(problems) == (0 if prefix else 1)
    assert all("key_prefix" in problem for problem in problems)


def test_no_api_key_opens_two_shops(tmp_path: Path) -> None:
    environ = {"APP_SECRET": "app-secret"}
    paths = [tmp_path / f"{name}.yaml" for name in PAGES]
    for name, path in zip(PAGES, paths, strict=True):
        config = a_config(name).replace("the-api-key-of-umbrella", "the-api-key-of-acme")
        path.write_text(config, encoding="utf-8")
        environ |= {f"{name.upper()}_{what}": "http://127.0.0.1:9" for what in ("SECRET", "TOKEN", "URL")}

    problems = [str(problem) for problem in check_fleet(paths, environ).problems]

    assert len(problems) == 1
    assert f"web.api_keys has a key in common with {paths[0]}" in problems[0]
    assert "the-api-key" not in problems[0]


def test_one_domain_cannot_stand_twice(tmp_path: Path) -> None:
    environ = {"APP_SECRET": "x", "ACME_SECRET": "x", "ACME_TOKEN": "x", "ACME_URL": "http://127.0.0.1:9"}
    paths = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    for path in paths:
        path.write_text(a_config("acme"), encoding="utf-8")

    problems = [str(problem) for problem in check_fleet(paths, environ).problems]

    assert any(f"shop.domain acme.myshopify.com is also that of {paths[0]}" in problem for problem in problems)
