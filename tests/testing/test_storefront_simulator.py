"""The Storefront simulator answers as the recorded API of 2026-04 did.

The expectations are recordings by github.com/airhorns/shopify-draft-proxy (Apache-2.0), with its redacted ids replaced.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from shopbot.testing.clock import ManualClock
from shopbot.testing.storefront import StorefrontSimulator, Variant

BLUE = 51_514_459_160_882
GID = f"gid://shopify/ProductVariant/{BLUE}"
TOKEN = {"X-Shopify-Storefront-Access-Token": "public-storefront-token"}

CART = """
  id createdAt updatedAt checkoutUrl totalQuantity note attributes { key value }
  lines(first: 10) {
    nodes { id quantity attributes { key value } merchandise { ... on ProductVariant { id title } } }
  }
  cost { subtotalAmount { amount currencyCode } totalAmount { amount currencyCode } }
"""
PAYLOAD = f"cart {{ {CART} }} userErrors {{ field message code }} warnings {{ code message target }}"
CREATE = f"mutation ($input: CartInput!) {{ cartCreate(input: $input) {{ {PAYLOAD} }} }}"
READ = f"query ($id: ID!) {{ cart(id: $id) {{ {CART} }} }}"
REMOVE = f"""mutation ($cartId: ID!, $lineIds: [ID!]!) {{
  cartLinesRemove(cartId: $cartId, lineIds: $lineIds) {{ {PAYLOAD} }} }}"""
ATTRIBUTES = f"""mutation ($cartId: ID!, $attributes: [AttributeInput!]!) {{
  cartAttributesUpdate(cartId: $cartId, attributes: $attributes) {{ {PAYLOAD} }} }}"""


class Api:
    """A client of the simulator."""

    def __init__(self, simulator: StorefrontSimulator, http: httpx.AsyncClient) -> None:
        self.simulator = simulator
        self.http = http

    async def answer(self, query: str, **variables: object) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        response = await self.http.post("/api/2026-10/graphql.json", json=body, headers=TOKEN)
        assert response.status_code == 200
        found: dict[str, Any] = response.json()
        return found

    async def data(self, query: str, **variables: object) -> dict[str, Any]:
        found: dict[str, Any] = (await self.answer(query, **variables))["data"]
        return found

    async def create(self, quantity: int = 2, **more: object) -> dict[str, Any]:
        lines = [{"merchandiseId": GID, "quantity": quantity, "attributes": [{"key": "engraving", "value": "A"}]}]
        found: dict[str, Any] = (await self.data(CREATE, input={"lines": lines, **more}))["cartCreate"]
        return found


@asynccontextmanager
async def api(**settings: Any) -> AsyncIterator[Api]:  # noqa: ANN401 - any setting of the simulator
    variants = {BLUE: Variant("Blue", "12.5", stock=5, currency="CAD")}
    simulator = StorefrontSimulator(**{"variants": variants, **settings})
    async with simulator.serve() as address, httpx.AsyncClient(base_url=address, timeout=30.0) as http:
        yield Api(simulator, http)


async def test_a_new_cart_looks_as_recorded() -> None:
    async with api() as shop:
        attributes = [{"key": "channel", "value": "conformance"}]
        created = await shop.create(attributes=attributes, note="Initial cart note")
        known = next(iter(shop.simulator.carts.values()))

    assert (created["userErrors"], created["warnings"]) == ([], [])
    cart = created["cart"]
    assert cart["id"] == f"gid://shopify/Cart/{known.token}?key={known.key}"
    assert cart["checkoutUrl"] == f"https://acme.myshopify.com/cart/c/{known.token}?key={known.key}"
    assert cart["lines"]["nodes"] == [
        {
            "id": f"gid://shopify/CartLine/{known.lines[0].line_id}?cart={known.token}",
            "quantity": 2,
            "attributes": [{"key": "engraving", "value": "A"}],
            "merchandise": {"id": GID, "title": "Blue"},
        }
    ]
    assert (cart["totalQuantity"], cart["note"], cart["attributes"]) == (2, "Initial cart note", attributes)
    assert cart["cost"]["subtotalAmount"] == {"amount": "25.0", "currencyCode": "CAD"}
    assert cart["createdAt"] == cart["updatedAt"]
    assert cart["updatedAt"].endswith("Z")


async def test_an_unknown_cart_is_null_without_an_error() -> None:
    async with api() as shop:
        answer = await shop.answer(READ, id="gid://shopify/Cart/missing?key=missing")

    assert answer["data"] == {"cart": None}
    assert "errors" not in answer


@pytest.mark.parametrize(
    ("query", "field", "variables"),
    [(REMOVE, "cartLinesRemove", {"lineIds": []}), (ATTRIBUTES, "cartAttributesUpdate", {"attributes": []})],
)
@pytest.mark.parametrize("which", ["unknown", "without its key", "with a wrong key"])
async def test_a_change_of_a_cart_that_is_not_named_whole_is_refused(
    query: str, field: str, variables: dict[str, object], which: str
) -> None:
    async with api() as shop:
        cart_id = (await shop.create())["cart"]["id"]
        cart_id = {
            "unknown": "gid://shopify/Cart/missing?key=missing",
            "without its key": cart_id.partition("?")[0],
            "with a wrong key": cart_id + "x",
        }[which]
        answer = (await shop.data(query, cartId=cart_id, **variables))[field]

    assert answer["userErrors"] == [
        {"field": ["cartId"], "message": "The specified cart does not exist.", "code": "INVALID"}
    ]


async def test_a_cart_can_be_read_without_its_key_but_not_opened() -> None:
    async with api() as shop:
        created = (await shop.create())["cart"]
        cart = (await shop.data(READ, id=created["id"].partition("?")[0]))["cart"]

    assert cart["totalQuantity"] == 2
    assert "key=" not in cart["checkoutUrl"]


async def test_an_unknown_article_is_a_user_error() -> None:
    async with api() as shop:
        lines = [{"merchandiseId": "gid://shopify/ProductVariant/0", "quantity": 1}]
        answer = (await shop.data(CREATE, input={"lines": lines}))["cartCreate"]

    assert answer == {
        "cart": None,
        "userErrors": [
            {
                "field": ["input", "lines", "0", "merchandiseId"],
                "message": "The merchandise with id gid://shopify/ProductVariant/0 does not exist.",
                "code": "INVALID",
            }
        ],
        "warnings": [],
    }


async def test_a_sold_out_article_is_a_line_of_nothing_and_a_warning() -> None:
    async with api(variants={BLUE: Variant("Blue", "12.5", stock=0)}) as shop:
        created = await shop.create(quantity=1)

    line = created["cart"]["lines"]["nodes"][0]
    assert line["quantity"] == 0
    assert created["userErrors"] == []
    assert created["warnings"] == [
        {
            "code": "MERCHANDISE_OUT_OF_STOCK",
            "message": "The product 'Blue' is already sold out.",
            "target": line["id"],
        }
    ]


async def test_too_little_stock_lowers_the_quantity_with_a_warning() -> None:
    async with api() as shop:
        created = await shop.create(quantity=6)

    assert created["cart"]["totalQuantity"] == 5
    assert [warning["code"] for warning in created["warnings"]] == ["MERCHANDISE_NOT_ENOUGH_STOCK"]


async def test_of_a_key_that_stands_twice_the_last_value_wins_at_the_first_place() -> None:
    async with api() as shop:
        cart_id = (await shop.create())["cart"]["id"]
        pairs = [("gift", "yes"), ("channel", "updated"), ("gift", "no")]
        attributes = [{"key": key, "value": value} for key, value in pairs]
        answer = (await shop.data(ATTRIBUTES, cartId=cart_id, attributes=attributes))["cartAttributesUpdate"]

    assert answer["cart"]["attributes"] == [{"key": "gift", "value": "no"}, {"key": "channel", "value": "updated"}]


async def test_new_attributes_replace_the_whole_set() -> None:
    async with api() as shop:
        cart_id = (await shop.create(attributes=[{"key": "psid", "value": "x"}]))["cart"]["id"]
        attributes = [{"key": "gift", "value": "no"}]
        answer = (await shop.data(ATTRIBUTES, cartId=cart_id, attributes=attributes))["cartAttributesUpdate"]

    assert answer["cart"]["attributes"] == attributes


@pytest.mark.parametrize("what", ["lines", "attributes"])
async def test_more_than_250_at_once_is_an_error_of_the_whole_query(what: str) -> None:
    items = {"lines": {"merchandiseId": GID, "quantity": 1}, "attributes": {"key": "k", "value": "v"}}
    async with api() as shop:
        answer = await shop.answer(CREATE, input={what: [items[what]] * 251})
        accepted = await shop.answer(CREATE, input={what: [items[what]] * 250})

    assert "data" not in answer
    assert answer["errors"] == [
        {
            "message": "The input array size of 251 is greater than the maximum allowed of 250.",
            "locations": [{"line": 2, "column": 3}],
            "path": ["cartCreate", "input", what],
            "extensions": {"code": "MAX_INPUT_SIZE_EXCEEDED"},
        }
    ]
    assert "errors" not in accepted


async def test_a_note_of_more_than_5000_characters_is_a_user_error() -> None:
    async with api() as shop:
        assert (await shop.create(note="x" * 5000))["userErrors"] == []
        assert [error["code"] for error in (await shop.create(note="x" * 5001))["userErrors"]] == ["NOTE_TOO_LONG"]


async def test_removing_all_lines_empties_a_cart() -> None:
    clock = ManualClock()
    async with api(clock=clock) as shop:
        cart = (await shop.create())["cart"]
        clock.advance(60)
        line_ids = [line["id"] for line in cart["lines"]["nodes"]]
        emptied = (await shop.data(REMOVE, cartId=cart["id"], lineIds=line_ids))["cartLinesRemove"]["cart"]

    assert emptied["lines"]["nodes"] == []
    assert (emptied["totalQuantity"], emptied["cost"]["totalAmount"]["amount"]) == (0, "0.0")
    assert emptied["updatedAt"] > cart["updatedAt"]


async def test_lines_of_another_cart_are_not_touched() -> None:
    async with api() as shop:
        first, second = (await shop.create())["cart"], (await shop.create())["cart"]
        line_ids = [line["id"] for line in first["lines"]["nodes"]]
        left = (await shop.data(REMOVE, cartId=second["id"], lineIds=line_ids))["cartLinesRemove"]["cart"]

    assert left["totalQuantity"] == 2


async def test_a_cart_is_null_once_it_is_paid_or_too_old() -> None:
    clock = ManualClock()
    async with api(clock=clock) as shop:
        paid, old = (await shop.create())["cart"], (await shop.create())["cart"]
        shop.simulator.open(paid["checkoutUrl"]).order_body()
        assert (await shop.data(READ, id=paid["id"]))["cart"] is None

        clock.advance(10 * 86_400)
        assert (await shop.data(READ, id=old["id"]))["cart"] is not None
        clock.advance(1)
        assert (await shop.data(READ, id=old["id"]))["cart"] is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        (TOKEN, 200),
        ({"Shopify-Storefront-Private-Token": "private-storefront-token"}, 200),
        ({"X-Shopify-Storefront-Access-Token": "private-storefront-token"}, 401),
        ({"Shopify-Storefront-Private-Token": "public-storefront-token"}, 401),
        ({**TOKEN, "Shopify-Storefront-Private-Token": "wrong"}, 401),
    ],
)
async def test_each_header_takes_its_own_kind_of_token(headers: dict[str, str], status: int) -> None:
    async with api() as shop:
        query = {"query": READ, "variables": {"id": "x"}}
        response = await shop.http.post("/api/2026-10/graphql.json", json=query, headers=headers)

    assert response.status_code == status


async def test_without_tokenless_access_a_token_is_needed() -> None:
    async with api(tokenless=False) as shop:
        response = await shop.http.post("/api/2026-10/graphql.json", json={"query": READ, "variables": {"id": "x"}})

    assert response.status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        'query { cart(id: "x") { nothing } }',
        'query { cart(id: "x") { lines(first: 1) { nodes { sku } } } }',
        "query { shop { name } }",
        "mutation { checkoutCreate(input: {}) { checkout { id } } }",
        "mutation { cartCreate(input: {}) { checkoutUserErrors { code } } }",
        "query { cart(id: ",
        "nonsense",
    ],
)
async def test_what_the_schema_does_not_have_is_an_error_even_where_nothing_is_found(query: str) -> None:
    async with api() as shop:
        answer = await shop.answer(query)

    assert answer["errors"]
    assert "data" not in answer


async def test_an_unknown_version_is_not_found() -> None:
    async with api() as shop:
        response = await shop.http.post("/api/2020-01/graphql.json", json={"query": READ}, headers=TOKEN)

    assert response.status_code == 404


class TestShopper:
    async def test_the_order_carries_the_cart_s_attributes_lines_and_tokens(self) -> None:
        async with api() as shop:
            cart = (await shop.create(attributes=[{"key": "psid", "value": "sb1.a.x"}]))["cart"]
            checkout = shop.simulator.open(cart["checkoutUrl"])
            webhook, order = checkout.webhook_body(), checkout.order_body()

        assert webhook["note_attributes"] == order["note_attributes"] == [{"name": "psid", "value": "sb1.a.x"}]
        assert webhook["token"] == order["checkout_token"]
        assert webhook["cart_token"] == order["cart_token"] == checkout.cart.token
        assert [line["variant_id"] for line in webhook["line_items"]] == [BLUE]
        assert [(line["variant_id"], line["quantity"]) for line in order["line_items"]] == [(BLUE, 2)]

    async def test_a_permalink_makes_a_cart_of_its_own(self) -> None:
        shop = StorefrontSimulator(variants={BLUE: Variant("Blue", "12.5")})
        link = f"https://acme.myshopify.com/cart/{BLUE}:3?attributes[psid]=sb1.a.x%20y&ref=abc"
        first, second = shop.open(link), shop.open(link)

        assert first.cart.token != second.cart.token
        assert first.cart.attributes == {"psid": "sb1.a.x y"}
        assert [(line.variant_id, line.quantity) for line in first.cart.lines] == [(BLUE, 3)]
        assert first.order_body()["landing_site"] == f"/cart/{BLUE}:3?attributes[psid]=sb1.a.x%20y&ref=abc"

    async def test_a_link_without_its_key_or_to_nothing_cannot_be_opened(self) -> None:
        async with api() as shop:
            url = (await shop.create())["cart"]["checkoutUrl"]
            for link in (url.partition("?")[0], url + "x", "https://acme.myshopify.com/cart/7:1"):
                with pytest.raises(LookupError):
                    shop.simulator.open(link)
