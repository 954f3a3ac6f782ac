"""`POST /checkouts` over HTTP."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shopbot.host.blueprint import check_config
from shopbot.model.shared_keys import SharedKeys
from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET
from shopbot.testing.storefront import Variant
from support.api_client import ApiClient
from support.checkout_shop import (
    CODEC,
    MUG,
    PAGE,
    PERMALINK,
    PSID,
    STOREFRONT,
    STOREFRONT_TOKEN,
    TOWEL,
    CheckoutShop,
    checkout_config,
    checkout_shop,
)
from support.orders import drop_in

SHARED = SharedKeys()
BOTH = pytest.mark.parametrize("checkouts", [STOREFRONT, PERMALINK], ids=["storefront", "permalink"])
LINES = [{"variant_id": MUG, "quantity": 2}, {"variant_id": str(TOWEL), "quantity": 1}]
WISH = {"psid": PSID, "lines": LINES}
TTL = "ttl: {checkout_token: 24h, checkout_token_lookup: 12h}\n"

FAULTY = '''
"""Make checkout links in a way that goes wrong.

    checkouts:
      - use: faulty
        how: raise
"""
import asyncio, time
from shopbot.plugin import Checkout, ChannelDown, CheckoutRequest, Field, PluginConfig, Refused, Retry, hookimpl


class Config(PluginConfig):
    how: str = Field("raise", description="What goes wrong.")


class Plugin:
    def __init__(self, config: Config) -> None:
        self._how = config.how

    @hookimpl
    async def create_checkout(self, request: CheckoutRequest) -> Checkout | None:
        if self._how == "retry":
            raise Retry("the shop is closed", after_seconds=7.2)
        if self._how == "down":
            raise ChannelDown("the token was revoked")
        if self._how == "refuse":
            raise Refused("not today")
        if self._how == "block":
            time.sleep(4)
        if self._how in ("hang", "block"):
            await asyncio.Event().wait()
        if self._how == "nonsense":
            return "https://acme.myshopify.com"
        if self._how == "pass":
            return None
        raise RuntimeError(f"broken for {request!r}")
'''


def faulty(how: str, *, then: str = "", **settings: object) -> str:
    entry = ", ".join(["use: faulty", f"how: {how}", *(f"{name}: {value}" for name, value in settings.items())])
    return f"checkouts:\n  - {{{entry}}}\n{then.removeprefix('checkouts:').lstrip(chr(10))}"


def client_of(shop: CheckoutShop) -> ApiClient:
    return ApiClient(shop.bot)


@BOTH
async def test_a_link_is_made_and_kept_as_documented(checkouts: str, tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(checkouts, more=TTL)) as shop:
        answer = await client_of(shop).ask("POST", "/checkouts", WISH)
        found = answer.json()

        assert answer.status_code == 200
        assert set(found) == {"checkout_url", "checkout_token"}
        token, store = found["checkout_token"], shop.shop.store
        assert await store.get(SHARED.checkout_token(PSID)) == token.encode()
        assert await store.get(SHARED.checkout_token_lookup(token)) == PSID.encode()
        assert 23.9 < await store.pttl(SHARED.checkout_token(PSID)) / 3_600_000 <= 24
        assert 11.9 < await store.pttl(SHARED.checkout_token_lookup(token)) / 3_600_000 <= 12
        checkout = shop.storefront.open(found["checkout_url"])
        assert [(line.variant_id, line.quantity) for line in checkout.cart.lines] == [(MUG, 2), (TOWEL, 1)]


@BOTH
async def test_the_link_carries_a_signed_token_for_this_page_s_shopper(checkouts: str, tmp_path: Path) -> None:
    now = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    config = checkout_config(checkouts).replace(
        "checkout_tokens: {", "checkout_tokens: {valid_for: 7d, attribute: who, "
    )
    async with checkout_shop(tmp_path, config=config, clock=lambda: now) as shop:
        checkout = await shop.opened()
        token = CODEC.read(checkout.cart.attributes["who"])

        assert (token.page_id, token.psid, token.expires_at) == (PAGE, PSID, now + timedelta(days=7))


async def test_the_whole_cart_id_is_kept_for_clearing(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path) as shop:
        await shop.link()
        cart = next(iter(shop.storefront.carts.values()))

        assert await shop.shop.store.get(SHARED.storefront_cart(PSID)) == cart.cart_id.encode()


async def test_every_link_is_different(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path, config=checkout_config(PERMALINK)) as shop:
        links = await asyncio.gather(*(shop.link() for _ in range(50)))
        tokens = {shop.storefront.open(link["checkout_url"]).cart.attributes["psid"] for link in links}

        assert len(tokens) == len({link["checkout_token"] for link in links}) == 50


class TestLines:
    async def test_what_stands_twice_is_added_up(self, tmp_path: Path) -> None:
        lines = [{"variant_id": MUG, "quantity": 1}, {"variant_id": str(MUG), "quantity": 2}]
        async with checkout_shop(tmp_path) as shop:
            await client_of(shop).ask("POST", "/checkouts", {"psid": PSID, "lines": lines})
            cart = next(iter(shop.storefront.carts.values()))

            assert [(line.variant_id, line.quantity) for line in cart.lines] == [(MUG, 3)]

    async def test_without_lines_the_shopper_s_cart_is_meant_and_stays(self, tmp_path: Path) -> None:
        async with checkout_shop(tmp_path) as shop:
            client = client_of(shop)
            await client.ask("POST", f"/carts/{PSID}/items", {"variant_id": MUG, "quantity": 2})
            before = (await client.ask("GET", f"/carts/{PSID}")).content
            assert (await client.ask("POST", "/checkouts", {"psid": PSID})).status_code == 200
            cart = next(iter(shop.storefront.carts.values()))

            assert [(line.variant_id, line.quantity) for line in cart.lines] == [(MUG, 2)]
            assert (await client.ask("GET", f"/carts/{PSID}")).content == before

    async def test_an_empty_cart_has_no_checkout(self, tmp_path: Path) -> None:
        async with checkout_shop(tmp_path) as shop:
            answer = await client_of(shop).ask("POST", "/checkouts", {"psid": PSID})

            assert (answer.status_code, answer.json()["error"]) == (422, "the cart is empty")

    async def test_something_else_under_the_cart_s_key_is_no_cart(self, tmp_path: Path) -> None:
        async with checkout_shop(tmp_path) as shop:
            await shop.shop.store.set(SHARED.cart(PSID), "no cart")

            assert (await client_of(shop).ask("POST", "/checkouts", {"psid": PSID})).status_code == 409

    async def test_the_limits_of_carts_hold(self, tmp_path: Path) -> None:
        async with checkout_shop(
            tmp_path, config=checkout_config(more="cart_limits: {lines: 1, quantity: 3}\n")
        ) as shop:
            for lines in (
                [{"variant_id": MUG, "quantity": 4}],
                [{"variant_id": MUG, "quantity": 2}] * 2,
                [{"variant_id": MUG, "quantity": 1}, {"variant_id": TOWEL, "quantity": 1}],
            ):
                answer = await client_of(shop).ask("POST", "/checkouts", {"psid": PSID, "lines": lines})
                assert answer.status_code == 422
            assert not shop.storefront.operations

    async def test_every_part_that_is_wrong_is_named(self, tmp_path: Path) -> None:
        line = {"variant_id": MUG, "quantity": 1}
        wrong: list[tuple[Any, list[str]]] = [
            ({}, ["psid"]),
            ({"psid": 7312345678901234}, ["psid"]),
            ({"psid": "me"}, ["psid"]),
            ({"psid": "1\n"}, ["psid"]),
            ({"psid": PSID, "lines": []}, ["lines"]),
            ({"psid": PSID, "lines": {}}, ["lines"]),
            ({"psid": PSID, "lines": [line] * 251}, ["lines"]),
            ({"psid": PSID, "lines": [line, {"variant_id": MUG}]}, ["lines[1].quantity"]),
            ({"psid": PSID, "lines": [{"variant_id": MUG, "quantity": 0}]}, ["lines[0].quantity"]),
            ({"psid": "x", "lines": [{"variant_id": "x", "quantity": 1}]}, ["psid", "lines[0].variant_id"]),
            ({"psid": PSID, "lines": [{**line, "price": 0}]}, ["lines[0].price"]),
            ({"psid": PSID, "attributes": {}}, ["attributes"]),
            (b"psid=1", [""]),
        ]
        async with checkout_shop(tmp_path) as shop:
            for body, fields in wrong:
                answer = await client_of(shop).ask("POST", "/checkouts", body)
                assert answer.status_code == 400, body
                assert [problem["field"] for problem in answer.json()["problems"]] == fields
            assert not shop.storefront.operations


class TestRefusals:
    async def test_too_little_stock_says_how_much_there_is(self, tmp_path: Path) -> None:
        async with checkout_shop(tmp_path) as shop:
            shop.storefront.variants[MUG] = Variant("Stoneware mug", "19.25", stock=1)
            answer = await client_of(shop).ask("POST", "/checkouts", WISH)

            assert answer.status_code == 422
            assert answer.json()["code"] == "OUT_OF_STOCK"
            assert answer.json()["lines"] == [{"variant_id": MUG, "requested": 2, "available": 1}]
            assert not await shop.shop.store.exists(SHARED.checkout_token(PSID))

    async def test_an_unknown_article_is_refused(self, tmp_path: Path) -> None:
        async with checkout_shop(tmp_path) as shop:
            wish = {"psid": PSID, "lines": [{"variant_id": 7, "quantity": 1}]}
            answer = await client_of(shop).ask("POST", "/checkouts", wish)

            assert (answer.status_code, answer.json()["code"]) == (422, "CHECKOUT_REFUSED")


class TestFaults:
    @pytest.mark.parametrize(
        ("how", "status", "retry_after"),
        [
            ("retry", 503, "8"),
            ("down", 502, None),
            ("raise", 502, None),
            ("nonsense", 502, None),
            ("pass", 502, None),
        ],
    )
    async def test_a_backend_that_cannot_is_told_apart_from_one_that_can_later(
        self, how: str, status: int, retry_after: str | None, tmp_path: Path
    ) -> None:
        drop_in(tmp_path, "faulty", FAULTY)
        async with checkout_shop(tmp_path, config=checkout_config(faulty(how))) as shop:
            answer = await client_of(shop).ask("POST", "/checkouts", WISH)

            assert answer.status_code == status
            assert answer.headers.get("Retry-After") == retry_after
            assert "sb1." not in answer.text
            assert not await shop.shop.store.exists(SHARED.checkout_token(PSID))

    @pytest.mark.parametrize("how", ["retry", "down", "raise", "nonsense", "pass"])
    async def test_the_next_plugin_makes_the_link_where_the_first_cannot(self, how: str, tmp_path: Path) -> None:
        drop_in(tmp_path, "faulty", FAULTY)
        async with checkout_shop(tmp_path, config=checkout_config(faulty(how, then=PERMALINK))) as shop:
            answer = await client_of(shop).ask("POST", "/checkouts", WISH)

            assert answer.status_code == 200
            assert f"/cart/{MUG}:2" in answer.json()["checkout_url"]

    async def test_a_refusal_is_not_got_around_by_the_next_plugin(self, tmp_path: Path) -> None:
        drop_in(tmp_path, "faulty", FAULTY)
        async with checkout_shop(tmp_path, config=checkout_config(faulty("refuse", then=PERMALINK))) as shop:
            answer = await client_of(shop).ask("POST", "/checkouts", WISH)

            assert (answer.status_code, answer.json()["error"]) == (422, "not today")

    async def test_a_plugin_that_hangs_is_passed_over(self, tmp_path: Path) -> None:
        drop_in(tmp_path, "faulty", FAULTY)
        config = checkout_config(faulty("hang", then=PERMALINK, time_limit="100ms"))
        async with checkout_shop(tmp_path, config=config) as shop:
            assert (await client_of(shop).ask("POST", "/checkouts", WISH)).status_code == 200

    @pytest.mark.parametrize("how", ["hang", "block"])
    async def test_a_request_that_takes_too_long_is_a_503(self, tmp_path: Path, how: str) -> None:
        """Where the process was held up, the server's own limit has passed as well: it answers in the API's place."""
        drop_in(tmp_path, "faulty", FAULTY)
        config = checkout_config(faulty(how)).replace("web: {", "web: {request_time_limit: 1s, ")
        async with checkout_shop(tmp_path, config=config) as shop:
            answer = await client_of(shop).ask("POST", "/checkouts", WISH)

            assert answer.status_code == 503
            assert answer.headers["Retry-After"]

    async def test_a_shop_that_is_away_is_a_503_and_a_wrong_token_a_502(self, tmp_path: Path) -> None:
        async with checkout_shop(tmp_path) as shop:
            shop.storefront.fail_next(503, retry_after_seconds=30)
            answer = await client_of(shop).ask("POST", "/checkouts", WISH)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
            shop.storefront.fail_next(401)
            assert (await client_of(shop).ask("POST", "/checkouts", WISH)).status_code == 502

    async def test_a_shop_without_checkout_plugins_has_carts_alone(self, tmp_path: Path) -> None:
        async with checkout_shop(tmp_path, config=checkout_config("")) as shop:
            client = client_of(shop)

            assert (await client.ask("POST", "/checkouts", WISH)).status_code == 404
            assert (await client.ask("GET", f"/carts/{PSID}")).status_code == 200


async def test_no_secret_is_in_the_log(tmp_path: Path) -> None:
    drop_in(tmp_path, "faulty", FAULTY)
    config = checkout_config(faulty("raise", then=STOREFRONT))
    async with checkout_shop(tmp_path, config=config) as shop:
        link = await shop.link()
        shop.storefront.fail_next(401)
        await client_of(shop).ask("POST", "/checkouts", WISH)
        cart = next(iter(shop.storefront.carts.values()))
        written = json.dumps(shop.shop.logs.entries, default=repr)

        made = [line for line in shop.shop.logs.entries if line["event"] == "checkout_made"]
        assert [(line["psid"], line["plugin"]) for line in made] == [("…1234", "checkouts[1]:storefront_cart")]
        for secret in (PSID, cart.key, cart.attributes["psid"], STOREFRONT_TOKEN, link["checkout_url"]):
            assert secret not in written


class TestConfiguration:
    def problems(self, directory: Path, text: str) -> list[str]:
        path = directory / "shopbot.yaml"
        path.write_text(text, encoding="utf-8")
        environ = {
            "SHOPIFY_WEBHOOK_SECRET": SECRET,
            "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
            "MESSENGER_URL": "http://localhost:1",
            "STOREFRONT_URL": "http://localhost:2",
        }
        return [str(problem) for problem in check_config(path, environ).problems]

    def test_the_test_shop_s_configuration_is_right(self, tmp_path: Path) -> None:
        assert self.problems(tmp_path, checkout_config()) == []

    def test_links_without_a_key_to_sign_them_are_an_error(self, tmp_path: Path) -> None:
        problems = self.problems(tmp_path, CONFIG + PERMALINK)

        assert len(problems) == 1
        assert "checkout_tokens: {keys:" in problems[0]

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ("[{id: a, secret: short}]", "at least 32 characters"),
            (f"[{{id: A, secret: {'x' * 32}}}]", "lower-case"),
            (f"[{{id: a, secret: {'x' * 32}}}, {{id: a, secret: {'y' * 32}}}]", "different ids"),
            (f"[{{secret: {'x' * 32}}}]", "has no 'id'"),
            ("[{id: a}]", "has no 'secret'"),
        ],
    )
    def test_a_key_that_cannot_be_used_is_an_error_that_does_not_show_it(
        self, keys: str, expected: str, tmp_path: Path
    ) -> None:
        problems = self.problems(tmp_path, CONFIG + f"checkout_tokens: {{keys: {keys}}}\n")

        assert len(problems) == 1
        assert expected in problems[0]
        assert "xxxx" not in problems[0]

    def test_a_plugin_that_makes_no_links_cannot_stand_among_those_that_do(self, tmp_path: Path) -> None:
        problems = self.problems(tmp_path, checkout_config("checkouts:\n  - {use: redis_cart}\n"))

        assert any("'redis_cart' is a cart and cannot stand under `checkouts:`" in problem for problem in problems)
