"""`/carts/{psid}` over HTTP."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from shopbot.host.blueprint import load_blueprint
from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, ShopUnderTest, shop_under_test
from support.api_client import ApiClient

PSID = "7312345678901234"
MUG, TOWEL = 51_204_337_615_187, 51_204_337_713_491
KEYS = ("key-of-the-bot-0123456789", "another-key-of-the-bot-0123")
API = CONFIG + f"web: {{api_keys: [{', '.join(KEYS)}]}}\ncart_limits: {{lines: 3, quantity: 10}}\nttl: {{cart: 7d}}\n"
CART = f"/carts/{PSID}"
ITEMS = f"{CART}/items"


@asynccontextmanager
async def api(directory: Path, config: str = API, key: str = KEYS[0]) -> AsyncIterator[tuple[ShopUnderTest, ApiClient]]:
    async with (
        shop_under_test(directory, config=config) as shop,
        httpx.AsyncClient(base_url=shop.url, headers={"Authorization": f"Bearer {key}"}, timeout=30.0) as http,
    ):
        yield shop, ApiClient(http)


def quantities(response: httpx.Response) -> dict[int, int]:
    return {item["variant_id"]: item["quantity"] for item in response.json()["items"]}


class TestChanges:
    async def test_a_cart_is_filled_changed_and_emptied(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (_, client):
            assert (await client.ask("GET", CART)).json() == {"items": [], "updated_at": None}

            await client.ask("POST", ITEMS, {"variant_id": MUG, "quantity": 2, "title": "Stoneware mug"})
            added = await client.ask("POST", ITEMS, {"variant_id": str(TOWEL), "quantity": 1})
            assert quantities(added) == {MUG: 2, TOWEL: 1}
            assert added.json()["items"][0]["title"] == "Stoneware mug"

            assert quantities(await client.ask("POST", ITEMS, {"variant_id": MUG, "quantity": 3})) == {MUG: 5, TOWEL: 1}
            assert quantities(await client.ask("PATCH", f"{ITEMS}/{MUG}", {"quantity": 4})) == {MUG: 4, TOWEL: 1}
            assert quantities(await client.ask("PATCH", f"{ITEMS}/{MUG}", {"quantity": 0})) == {TOWEL: 1}
            assert quantities(await client.ask("DELETE", f"{ITEMS}/{TOWEL}")) == {}
            assert quantities(await client.ask("DELETE", f"{ITEMS}/{TOWEL}")) == {}

            items = [{"variant_id": MUG, "quantity": 1}, {"variant_id": MUG, "quantity": 1}]
            assert quantities(await client.ask("PUT", CART, {"items": items})) == {MUG: 2}
            assert quantities(await client.ask("GET", CART)) == {MUG: 2}
            assert (await client.ask("DELETE", CART)).status_code == 204
            assert (await client.ask("DELETE", CART)).status_code == 204
            assert quantities(await client.ask("GET", CART)) == {}

    async def test_the_cart_is_the_one_that_the_rest_of_the_bot_reads_and_lives_as_long_as_the_yaml_says(
        self, tmp_path: Path
    ) -> None:
        async with api(tmp_path) as (shop, client):
            before = datetime.now(UTC)
            answer = await client.ask("POST", ITEMS, {"variant_id": MUG, "quantity": 2})
            stored = json.loads(await shop.store.get(f"cart:{PSID}") or "null")

            assert stored == answer.json()
            assert stored["items"] == [{"variant_id": MUG, "quantity": 2}]
            assert before <= datetime.fromisoformat(stored["updated_at"]) <= datetime.now(UTC)
            assert 7 * 86_400_000 - 60_000 < await shop.store.pttl(f"cart:{PSID}") <= 7 * 86_400_000

    async def test_an_article_that_is_not_in_the_cart_has_no_quantity(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (shop, client):
            assert (await client.ask("PATCH", f"{ITEMS}/{MUG}", {"quantity": 1})).status_code == 404
            assert not await shop.store.exists(f"cart:{PSID}")

    async def test_a_hundred_additions_at_once_are_all_in_the_cart(self, tmp_path: Path) -> None:
        config = API.replace("quantity: 10", "quantity: 1000").replace("web: {", "web: {request_time_limit: 1m, ")
        async with api(tmp_path, config) as (_, client):
            answers = await asyncio.gather(
                *(client.ask("POST", ITEMS, {"variant_id": 1 + n % 3, "quantity": 1}) for n in range(100))
            )

            assert Counter(answer.status_code for answer in answers) == {200: 100}
            assert quantities(await client.ask("GET", CART)) == {1: 34, 2: 33, 3: 33}

    async def test_changes_through_two_processes_at_once_are_all_in_the_cart(self, tmp_path: Path) -> None:
        """Two hosts on one store know nothing of each other."""
        config = API.replace("quantity: 10", "quantity: 1000").replace("web: {", "web: {request_time_limit: 1m, ")
        other = tmp_path / "other"
        other.mkdir()
        async with api(tmp_path, config) as (shop, client):
            store_url = shop.store.connection_pool.connection_kwargs["path"]
            async with shop_under_test(other, config=config, store_url=f"unix://{store_url}") as second:
                headers = {"Authorization": f"Bearer {KEYS[1]}"}
                async with httpx.AsyncClient(base_url=second.url, headers=headers, timeout=30.0) as http:
                    clients = [client, ApiClient(http)]
                    answers = await asyncio.gather(
                        *(clients[n % 2].ask("POST", ITEMS, {"variant_id": MUG, "quantity": 1}) for n in range(100))
                    )
                    assert Counter(answer.status_code for answer in answers) == {200: 100}
                    assert quantities(await client.ask("GET", CART)) == {MUG: 100}


class TestLimits:
    async def test_a_cart_does_not_grow_beyond_its_limits(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (_, client):
            for variant in (1, 2, 3):
                await client.ask("POST", ITEMS, {"variant_id": variant, "quantity": 10})
            for method, path, body in (
                ("POST", ITEMS, {"variant_id": 1, "quantity": 1}),
                ("POST", ITEMS, {"variant_id": 4, "quantity": 1}),
                ("PATCH", f"{ITEMS}/1", {"quantity": 11}),
                ("PUT", CART, {"items": [{"variant_id": n, "quantity": 1} for n in range(1, 5)]}),
                ("PUT", CART, {"items": [{"variant_id": 1, "quantity": 6}] * 2}),
            ):
                answer = await client.ask(method, path, body)
                assert answer.status_code == 422, (method, body)
                assert "a cart may hold" in answer.json()["error"]

            assert quantities(await client.ask("GET", CART)) == {1: 10, 2: 10, 3: 10}

    async def test_what_is_over_a_limit_already_can_be_taken_out(self, tmp_path: Path) -> None:
        """Another part of the bot filled the cart, or the limits were lowered."""
        async with api(tmp_path) as (shop, client):
            items = [{"variant_id": number, "quantity": 50} for number in range(1, 6)]
            await shop.store.set(f"cart:{PSID}", json.dumps({"items": items}))

            assert len(quantities(await client.ask("DELETE", f"{ITEMS}/1"))) == 4


BAD_BODIES: list[tuple[bytes, list[tuple[str, str]]]] = [
    (b"", [("", "Invalid JSON")]),
    (b"{", [("", "Invalid JSON")]),
    (b"[]", [("", "object")]),
    (b'{"variant_id": 1}', [("quantity", "required")]),
    (b'{"variant_id": 0, "quantity": 0}', [("variant_id", "greater"), ("quantity", "greater")]),
    (b'{"variant_id": -1, "quantity": -1}', [("variant_id", "greater"), ("quantity", "greater")]),
    (b'{"variant_id": "mug", "quantity": "2"}', [("variant_id", "integer"), ("quantity", "integer")]),
    (b'{"variant_id": true, "quantity": 1.5}', [("variant_id", "integer"), ("quantity", "integer")]),
    (b'{"variant_id": 1e400, "quantity": null}', [("variant_id", "integer"), ("quantity", "integer")]),
    (b'{"variant_id": 99999999999999999999, "quantity": 1}', [("variant_id", "less")]),
    (b'{"variant_id": 1, "quantity": 1000001}', [("quantity", "less")]),
    (b'{"variant_id": 1, "quantity": 1, "qty": 1}', [("qty", "not permitted")]),
    (b'{"variant_id": 1, "quantity": 1, "title": ""}', [("title", "at least 1")]),
    (b'{"variant_id": 1, "quantity": 1, "title": 7}', [("title", "string")]),
    (b'{"variant_id": 1, "quantity": 1, "title": "\\ud800"}', [("", "Invalid JSON")]),
    (b'{"variant_id": 1, "quantity": 1, "title": "\xff"}', [("", "Invalid JSON")]),
    (b"[" * 100_000, [("", "Invalid JSON")]),
]


class TestBadRequests:
    async def test_every_part_that_is_wrong_is_named(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (shop, client):
            for body, problems in BAD_BODIES:
                answer = await client.ask("POST", ITEMS, body)

                assert answer.status_code == 400, body[:80]
                named = [(problem["field"], problem["problem"]) for problem in answer.json()["problems"]]
                assert [field for field, _ in named] == [field for field, _ in problems], body[:80]
                for (_, said), (_, expected) in zip(named, problems, strict=True):
                    assert expected in said, body[:80]
            assert not await shop.store.exists(f"cart:{PSID}")

    async def test_an_item_deep_in_a_list_is_named_by_its_place(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (_, client):
            items = [{"variant_id": 1, "quantity": 1}, {"variant_id": 2, "quantity": 0}]
            answer = await client.ask("PUT", CART, {"items": items})

        assert [problem["field"] for problem in answer.json()["problems"]] == ["items[1].quantity"]

    async def test_a_path_without_a_psid_is_refused(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (_, client):
            for psid, (method, rest, body) in itertools.product(
                ("me", "-1", "1" * 33, "%37", "1.5", "\uff11"),
                (("GET", "", None), ("DELETE", "", None), ("POST", "/items", {"variant_id": 1, "quantity": 1})),
            ):
                answer = await client.ask(method, f"/carts/{psid}{rest}", body)
                assert answer.status_code == 400, psid
                assert "PSID" in answer.json()["error"]

    async def test_a_path_without_an_article_is_refused(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (_, client):
            for variant in ("mug", "0", "-1", "1.5", str(2**63)):
                assert (await client.ask("DELETE", f"{ITEMS}/{variant}")).status_code == 400, variant

    async def test_a_body_over_the_limit_is_refused(self, tmp_path: Path) -> None:
        async with api(tmp_path, API.replace("web: {", "web: {max_body_bytes: 2048, ")) as (_, client):
            answer = await client.http.put(CART, content=b"x" * 4096)

            assert answer.status_code == 413
            assert answer.json()["error"]

    async def test_other_methods_are_refused(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (_, client):
            for method, path in (("POST", CART), ("GET", ITEMS), ("PUT", f"{ITEMS}/1"), ("GET", "/checkouts")):
                assert (await client.http.request(method, path)).status_code == 405

    async def test_something_else_under_the_key_is_left_until_it_is_replaced(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (shop, client):
            await shop.store.set(f"cart:{PSID}", "no cart")

            assert (await client.ask("GET", CART)).status_code == 409
            assert (await client.ask("POST", ITEMS, {"variant_id": 1, "quantity": 1})).status_code == 409
            assert await shop.store.get(f"cart:{PSID}") == b"no cart"
            assert quantities(await client.ask("PUT", CART, {"items": [{"variant_id": 1, "quantity": 1}]})) == {1: 1}


class TestIfMatch:
    async def test_a_change_is_made_only_to_the_cart_that_it_is_meant_for(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (_, client):
            first = (await client.ask("POST", ITEMS, {"variant_id": 1, "quantity": 1})).headers["ETag"]
            second = (await client.ask("POST", ITEMS, {"variant_id": 1, "quantity": 1}, {"If-Match": first})).headers[
                "ETag"
            ]
            item = {"variant_id": 1, "quantity": 1}
            for method, path, body in (
                ("POST", ITEMS, item),
                ("PATCH", f"{ITEMS}/1", {"quantity": 5}),
                ("DELETE", f"{ITEMS}/1", None),
                ("PUT", CART, {"items": [item]}),
                ("DELETE", CART, None),
            ):
                for stale in (first, "W/" + second, second.strip('"'), "", '""'):
                    assert (await client.ask(method, path, body, {"If-Match": stale})).status_code == 412
            assert (await client.ask("GET", CART)).headers["ETag"] == second

            either = {"If-Match": f"{first}, {second}"}
            assert quantities(await client.ask("PATCH", f"{ITEMS}/1", {"quantity": 5}, either)) == {1: 5}
            assert (await client.ask("DELETE", CART, None, {"If-Match": "*"})).status_code == 204

    async def test_of_changes_to_the_same_state_one_is_made(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (_, client):
            tag = (await client.ask("GET", CART)).headers["ETag"]
            answers = await asyncio.gather(
                *(client.ask("POST", ITEMS, {"variant_id": 1, "quantity": 1}, {"If-Match": tag}) for _ in range(20))
            )

            assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 19}


WRONG_KEYS = (
    None,
    "",
    "Bearer",
    f"Bearer {KEYS[0]}x",
    f"Bearer {KEYS[0][:-1]}",
    f"Bearer {KEYS[0].upper()}",
    f"Basic {KEYS[0]}",
    KEYS[0],
    f"Bearer {KEYS[0]} {KEYS[1]}",
    f"Bearer {KEYS[0]},{KEYS[1]}",
    b"Bearer \xff\xfe",
)


class TestKeys:
    @pytest.mark.parametrize("key", KEYS)
    async def test_each_client_has_a_key_of_its_own(self, key: str, tmp_path: Path) -> None:
        async with api(tmp_path, key=key) as (_, client):
            assert (await client.ask("GET", CART)).status_code == 200

    async def test_without_a_key_nothing_is_done(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (shop, client):
            del client.http.headers["Authorization"]
            for authorization, (method, path, body) in itertools.product(
                WRONG_KEYS,
                (
                    ("GET", CART, None),
                    ("POST", ITEMS, {"variant_id": 1, "quantity": 1}),
                    ("POST", "/checkouts", {"psid": PSID}),
                ),
            ):
                headers: Any = {} if authorization is None else {"Authorization": authorization}
                answer = await client.ask(method, path, body, headers)
                assert answer.status_code == 401, authorization
                assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert not await shop.store.exists(f"cart:{PSID}")
            rejected = [line for line in shop.logs.entries if line["event"] == "request_rejected"]
            assert {line["route"] for line in rejected} == {"/carts/{psid}", "/carts/{psid}/items", "/checkouts"}
            for key in KEYS:
                assert key not in repr(shop.logs.entries)

    async def test_the_scheme_may_be_written_in_any_case(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (_, client):
            assert (await client.ask("GET", CART, None, {"Authorization": f"bearer {KEYS[1]}"})).status_code == 200

    async def test_without_configured_keys_there_is_no_api(self, tmp_path: Path) -> None:
        async with api(tmp_path, CONFIG) as (_, client):
            for method, path in (("GET", CART), ("POST", ITEMS), ("POST", "/checkouts"), ("GET", "/openapi.json")):
                assert (await client.http.request(method, path)).status_code == 404

    def test_keys_stay_out_of_the_configuration_s_picture(self, tmp_path: Path) -> None:
        path = tmp_path / "shopbot.yaml"
        path.write_text(API, encoding="utf-8")
        environ = {
            "SHOPIFY_WEBHOOK_SECRET": SECRET,
            "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
            "MESSENGER_URL": "http://localhost",
        }

        assert KEYS[0] not in repr(load_blueprint(path, environ).settings)


class TestFaults:
    async def test_a_store_that_is_away_is_a_503_with_a_time_to_come_back(self, tmp_path: Path) -> None:
        async with api(tmp_path) as (shop, client):
            await shop.store.client_pause(20_000)
            answer = await client.ask("POST", ITEMS, {"variant_id": 1, "quantity": 1})

            assert answer.status_code == 503
            assert answer.headers["Retry-After"]
            assert PSID not in repr(shop.logs.entries)
