"""Every secret is changed by the steps of docs/deploy.md, on one store, and nothing is lost on the way.

A restart is the end of one `async with` and the beginning of the next: the store and the Page stay.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import redis

from shopbot.testing.host import CONFIG, PAGE_TOKEN, SHOP, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.shop_config import with_sections
from shopbot.testing.shopify import ShopifySimulator
from shopbot.testing.webhooks import shopify_headers
from support.attacked_shop import waiting
from support.checkout_shop import PERMALINK, TOKEN_SECRET
from support.embedded_store import client_of
from support.eventually import eventually
from support.host_process import tcp_store

OLD, NEW = "the-secret-of-before-0123456789abcdef", "the-secret-from-now-on-0123456789abcdef"
PSID = "7312345678901234"


@pytest.fixture
def page() -> MessengerSimulator:
    return MessengerSimulator(access_token=PAGE_TOKEN, app_secret=OLD)


@asynccontextmanager
async def restarted(directory: Path, page: MessengerSimulator, changes: str) -> AsyncIterator[ShopUnderTest]:
    """Run the host on the store of before, with these sections in its configuration."""
    async with shop_under_test(directory, config=with_sections(CONFIG, changes), messenger=page) as shop:
        page.webhook_url = f"{shop.url}/webhooks/messenger"
        yield shop


async def posted(shop: ShopUnderTest, number: int, secret: str) -> int:
    """Deliver a paid order that is signed with *secret*; gives the status of the answer."""
    body = order_bytes(paid_order(order_id=number, number=number, psid=str(7_000_000 + number)))
    headers = shopify_headers("orders/paid", body, secret, SHOP, webhook_id=f"wh-{number}")
    return (await shop.http.post("/webhooks/shopify", content=body, headers=headers)).status_code


def confirmed(page: MessengerSimulator) -> Sequence[int]:
    """Give the numbers of the orders that were confirmed, in order."""
    return sorted(int(message.psid) - 7_000_000 for message in page.sent)


async def test_the_secret_of_shopify_s_webhooks(tmp_path: Path, page: MessengerSimulator) -> None:
    """Shopify signs with the oldest secret that is not revoked, so both must be known before that is done."""

    def verify(*secrets: str) -> str:
        return f"verify: [{{use: shopify_hmac, secrets: [{', '.join(secrets)}]}}]\n"

    async with restarted(tmp_path, page, verify(OLD)) as shop:
        assert await posted(shop, 1, OLD) == 200
        assert await posted(shop, 2, NEW) == 403
    async with restarted(tmp_path, page, verify(NEW, OLD)) as shop:
        assert await posted(shop, 3, OLD) == 200
        assert await posted(shop, 2, NEW) == 200  # as Shopify repeats what was refused
        assert await posted(shop, 1, OLD) == 200  # a repetition changes nothing
    async with restarted(tmp_path, page, verify(NEW)) as shop:
        assert await posted(shop, 4, OLD) == 403
        assert await posted(shop, 5, NEW) == 200
        await page.wait_for_sent(4)

    assert confirmed(page) == [1, 2, 3, 5]


def app_secret(secret: str, *old: str) -> str:
    return f"""\
verify:
  - {{use: shopify_hmac, secrets: ["${{SHOPIFY_WEBHOOK_SECRET}}"]}}
  - {{use: messenger_hmac, app_secret: {secret}, old_app_secrets: [{", ".join(old)}], verify_token: hello}}
senders:
  - use: messenger
    page_id: "102290129340398"
    access_token: ${{MESSENGER_PAGE_TOKEN}}
    app_secret: {secret}
    api_url: ${{MESSENGER_URL}}/v25.0
"""


async def test_the_secret_of_meta_s_app(tmp_path: Path, page: MessengerSimulator) -> None:
    """It changes at the moment of the reset: until the restart messages wait, and what is refused is repeated."""
    page.webhooks.attempts = 1
    async with restarted(tmp_path, page, app_secret(OLD)) as shop:
        assert (await page.say("7000001", "Hello")).accepted
        assert (await page.say("7000002", "Hello")).accepted
        await shop.post("orders/paid", paid_order(order_id=1, psid="7000001"))
        await page.wait_for_sent(1)
        page.reset_app_secret(NEW)
        refused = await page.say(PSID, "Are you there?")
        assert (refused.status, refused.accepted) == (403, False)
        await shop.post("orders/paid", paid_order(order_id=2, psid="7000002"))

        async def parked() -> bool:
            return await waiting(shop, "parked") == 1

        await eventually(parked, "the message waits")
    async with restarted(tmp_path, page, app_secret(NEW, OLD)) as shop:
        await page.wait_for_sent(2)
        again = await page.webhooks.deliver(refused.payload["entry"][0]["messaging"])
        assert again.accepted
        page.webhooks.reset_app_secret(OLD)
        assert (await page.say(PSID, "Signed before the reset")).accepted
    async with restarted(tmp_path, page, app_secret(NEW)) as shop:
        assert (await page.say(PSID, "Signed with what was taken out")).status == 403
        page.webhooks.reset_app_secret(NEW)
        assert (await page.say(PSID, "Signed with the new one")).accepted

    assert confirmed(page) == [1, 2]


async def test_the_page_s_token(tmp_path: Path, page: MessengerSimulator) -> None:
    def sender(token: str) -> str:
        return (
            f'senders: [{{use: messenger, page_id: "102290129340398", access_token: {token},'
            " api_url: '${MESSENGER_URL}/v25.0'}]\n"
        )

    async with restarted(tmp_path, page, sender(PAGE_TOKEN)) as shop:
        await shop.post("orders/paid", paid_order(order_id=1, psid="7000001"))
        await page.wait_for_sent(1)
        page.tokens.accept(NEW)
        await shop.post("orders/paid", paid_order(order_id=2, psid="7000002"))
        await page.wait_for_sent(2)
    async with restarted(tmp_path, page, sender(NEW)) as shop:
        page.tokens.revoke()
        page.tokens.accept(NEW)
        await shop.post("orders/paid", paid_order(order_id=3, psid="7000003"))
        await page.wait_for_sent(3)

    assert confirmed(page) == [1, 2, 3]
    assert {request.outcome for request in page.requests} == {"accepted"}


async def test_the_verify_token(tmp_path: Path, page: MessengerSimulator) -> None:
    """Meta asks for it when a webhook is set up, and never with a delivery."""

    async def handshake(shop: ShopUnderTest, token: str) -> httpx.Response:
        query = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}
        return await shop.http.get("/webhooks/messenger", params=query)

    async with restarted(tmp_path, page, app_secret(OLD)) as shop:
        assert (await handshake(shop, "hello")).text == "1158201444"
    async with restarted(tmp_path, page, app_secret(OLD).replace("hello", "goodbye")) as shop:
        assert (await handshake(shop, "hello")).status_code == 403
        assert (await handshake(shop, "goodbye")).text == "1158201444"
        assert (await page.say(PSID, "Hello")).accepted


def token_keys(*ids: str) -> str:
    secrets = {"a": TOKEN_SECRET, "b": TOKEN_SECRET[::-1]}
    keys = ", ".join(f"{{id: {one}, secret: {secrets[one]}}}" for one in ids)
    return f"checkout_tokens: {{keys: [{keys}]}}\n"


async def test_the_keys_of_checkout_links(tmp_path: Path, page: MessengerSimulator) -> None:
    """Links that are out with shoppers go on to be good, until the last ones of the old key have expired."""
    config = (
        CONFIG.replace("trust: any", "trust: signed") + PERMALINK + "web: {api_keys: [key-of-the-bot-0123456789]}\n"
    )

    async def link(shop: ShopUnderTest, psid: str) -> str:
        """Give the token that a link carries into its order."""
        lines = [{"variant_id": "51204337615187", "quantity": 1}]
        headers = {"Authorization": "Bearer key-of-the-bot-0123456789"}
        made = await shop.http.post("/checkouts", json={"psid": psid, "lines": lines}, headers=headers)
        url = httpx.URL(made.json()["checkout_url"])
        return next(value for name, value in url.params.multi_items() if name.startswith("attributes["))

    async def ordered(shop: ShopUnderTest, number: int, token: str) -> str:
        event = await shop.post("orders/paid", paid_order(order_id=number, psid=token))
        record = await shop.finished(event)
        return record.reason or record.status

    async with shop_under_test(tmp_path, config=config + token_keys("a"), messenger=page) as shop:
        first, second, third = [await link(shop, f"700000{n}") for n in (1, 2, 3)]
        assert await ordered(shop, 1, first) == "done"
    async with shop_under_test(tmp_path, config=config + token_keys("b", "a"), messenger=page) as shop:
        fourth = await link(shop, "7000004")
        assert await ordered(shop, 2, second) == "done"
    async with shop_under_test(tmp_path, config=config + token_keys("b"), messenger=page) as shop:
        assert await ordered(shop, 3, third) == "PSID_NOT_TRUSTED"
        assert await ordered(shop, 4, fourth) == "done"

    assert confirmed(page) == [1, 2, 4]


async def test_the_keys_of_the_checkout_and_cart_api(tmp_path: Path, page: MessengerSimulator) -> None:
    async def statuses(shop: ShopUnderTest) -> list[int]:
        """Put an article into the cart, with the old key and with the new one."""
        answers = [
            await shop.http.post(
                f"/carts/{PSID}/items",
                json={"variant_id": "51204337615187", "quantity": 1},
                headers={"Authorization": f"Bearer {key}"},
            )
            for key in (OLD, NEW)
        ]
        return [answer.status_code for answer in answers]

    async with restarted(tmp_path, page, f"web: {{api_keys: [{OLD}]}}\n") as shop:
        assert await statuses(shop) == [200, 401]
    async with restarted(tmp_path, page, f"web: {{api_keys: [{NEW}, {OLD}]}}\n") as shop:
        assert await statuses(shop) == [200, 200]
    async with restarted(tmp_path, page, f"web: {{api_keys: [{NEW}]}}\n") as shop:
        assert await statuses(shop) == [401, 200]
        cart = await shop.http.get(f"/carts/{PSID}", headers={"Authorization": f"Bearer {NEW}"})

    assert [item["quantity"] for item in cart.json()["items"]] == [4]


async def test_the_token_of_the_poller(tmp_path: Path, page: MessengerSimulator) -> None:
    """Where the old one ended too early, the window is kept: the next poll that works finds all since the last one."""
    shopify = ShopifySimulator(access_token=NEW)

    def poller(token: str, url: str) -> str:
        return f"pollers: [{{use: shopify_orders, every: 1h, access_token: {token}, api_url: '{url}'}}]\n"

    async with shopify.serve() as url:
        async with restarted(tmp_path, page, poller(NEW, url)) as shop:
            await eventually(lambda: polled(shop), "the first poll is complete")
        shopify.place(paid_order(order_id=1, psid="7000001"))
        async with restarted(tmp_path, page, poller(OLD, url)) as shop:
            await eventually(lambda: failing(shop), "a poll fails")
        async with restarted(tmp_path, page, poller(NEW, url)) as shop:
            await page.wait_for_sent(1)

    assert confirmed(page) == [1]


async def polled(shop: ShopUnderTest) -> bool:
    return await shop.host.poller_problem() is None


async def failing(shop: ShopUnderTest) -> bool:
    return any(line["event"] == "poll_failed" for line in shop.logs.entries)


async def test_the_password_of_the_store(tmp_path: Path, page: MessengerSimulator) -> None:
    """A server takes several passwords of one user, so that hosts go over one by one."""
    (tmp_path / "store").mkdir()
    async with tcp_store(tmp_path / "store") as url:

        def with_password(password: str) -> str:
            return url.replace("redis://", f"redis://:{password}@")

        with client_of(url) as operator:
            operator.config_set("requirepass", OLD)
            operator.execute_command("AUTH", OLD)
            async with shop_under_test(tmp_path, messenger=page, store_url=with_password(OLD)) as shop:
                operator.execute_command("ACL", "SETUSER", "default", f">{NEW}")
                await shop.post("orders/paid", paid_order(order_id=1, psid="7000001"))
                await page.wait_for_sent(1)
            async with shop_under_test(tmp_path, messenger=page, store_url=with_password(NEW)) as shop:
                operator.execute_command("ACL", "SETUSER", "default", f"<{OLD}")
                await shop.post("orders/paid", paid_order(order_id=2, psid="7000002"))
                await shop.post("orders/updated", paid_order(order_id=1, psid="7000001"))
                await page.wait_for_sent(2)
        with client_of(with_password(OLD)) as outdated, pytest.raises(redis.AuthenticationError):
            outdated.ping()

    assert confirmed(page) == [1, 2]
