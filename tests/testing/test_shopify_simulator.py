"""The Shopify simulator keeps the Admin API's rules and loses webhooks as the real one may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from sanic import Sanic

from shopbot.testing.clock import ManualClock
from shopbot.testing.orders import fulfilled_order, order_bytes, paid_order, pending_order
from shopbot.testing.shopify import ShopifySimulator, Weather
from shopbot.testing.shopify_webhooks import RETRY_DELAYS_SECONDS
from shopbot.testing.webhooks import sign_shopify
from support.webhook_receiver import WebhookReceiver

Json = Any  # whatever JSON, or a setting, can hold

TOKEN = "shpat_simulated"
FIRST_ID = 830_517_264_905_000_000

POLL = """
query Poll($first: Int!, $after: String, $search: String) {
  orders(first: $first, after: $after, query: $search, sortKey: UPDATED_AT) {
    nodes { name legacyResourceId updatedAt displayFinancialStatus customAttributes { key value } }
    pageInfo { hasNextPage endCursor }
  }
}
"""


class Poller:
    """Asks the Admin API as a bot does."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def post(self, query: str, version: str = "2026-10", **variables: Json) -> httpx.Response:
        body = {"query": query, "variables": variables}
        return await self.client.post(f"/admin/api/{version}/graphql.json", json=body)

    async def ask(self, query: str, **variables: Json) -> dict[str, Json]:
        response = await self.post(query, **variables)
        assert response.status_code == 200
        answer: dict[str, Json] = response.json()
        return answer

    async def names(self, search: str | None = None, **arguments: Json) -> list[str]:
        """Give the names of all orders found, in order."""
        answer = await self.ask(POLL, **({"first": 50, "search": search} | arguments))
        return [node["name"] for node in answer["data"]["orders"]["nodes"]]


@asynccontextmanager
async def simulated(**options: Json) -> AsyncIterator[tuple[ShopifySimulator, Poller]]:
    options.setdefault("clock", ManualClock())
    shop = ShopifySimulator(**options)
    async with (
        shop.serve() as address,
        httpx.AsyncClient(
            base_url=address, headers={"X-Shopify-Access-Token": TOKEN}, timeout=30.0, trust_env=False
        ) as client,
    ):
        yield shop, Poller(client)


def place(shop: ShopifySimulator, number: int, **changes: Json) -> dict[str, Json]:
    return shop.place(paid_order(order_id=FIRST_ID + number, number=number, **changes))


def codes(answer: dict[str, Json]) -> list[str | None]:
    return [error.get("extensions", {}).get("code") for error in answer["errors"]]


class TestAccess:
    async def test_a_wrong_token_is_401(self) -> None:
        async with simulated() as (_, poller):
            poller.client.headers["X-Shopify-Access-Token"] = "shpat_other"
            response = await poller.post("{ shop { name } }")

        assert response.status_code == 401
        assert response.json()["errors"].startswith("[API] Invalid API key or access token")

    @pytest.mark.parametrize("as_form", [True, False], ids=["form", "json"])
    async def test_the_app_gets_a_token_for_its_credentials(self, *, as_form: bool) -> None:
        grant = {
            "grant_type": "client_credentials",
            "client_id": "simulated-client",
            "client_secret": "simulated-secret",
        }
        async with simulated(access_token=None) as (_, poller):
            body: dict[str, Json] = {"data": grant} if as_form else {"json": grant}
            answer = (await poller.client.post("/admin/oauth/access_token", **body)).json()
            poller.client.headers["X-Shopify-Access-Token"] = answer["access_token"]
            asked = await poller.post("{ shop { name } }")

        assert asked.status_code == 200
        assert (answer["scope"], answer["expires_in"]) == ("read_orders", 86_399)

    @pytest.mark.parametrize(
        "change", [{"client_secret": "x"}, {"client_id": "x"}, {"grant_type": "authorization_code"}]
    )
    async def test_wrong_credentials_get_no_token(self, change: dict[str, str]) -> None:
        grant = {
            "grant_type": "client_credentials",
            "client_id": "simulated-client",
            "client_secret": "simulated-secret",
        }
        async with simulated() as (_, poller):
            response = await poller.client.post("/admin/oauth/access_token", data=grant | change)

        assert response.status_code == 400
        assert "access_token" not in response.json()

    async def test_a_granted_token_expires_and_can_be_asked_for_again(self) -> None:
        clock = ManualClock()
        async with simulated(clock=clock, token_lifetime_seconds=60) as (shop, poller):
            poller.client.headers["X-Shopify-Access-Token"] = str(shop.grant("simulated-client", "simulated-secret"))
            clock.advance(59)
            assert (await poller.post("{ shop { name } }")).status_code == 200
            clock.advance(1)
            assert (await poller.post("{ shop { name } }")).status_code == 401
            fresh = shop.grant("simulated-client", "simulated-secret")
            poller.client.headers["X-Shopify-Access-Token"] = str(fresh)
            assert (await poller.post("{ shop { name } }")).status_code == 200

    async def test_a_revoked_token_is_401(self) -> None:
        async with simulated() as (shop, poller):
            shop.revoke(TOKEN)
            assert (await poller.post("{ shop { name } }")).status_code == 401

    async def test_without_the_scope_orders_are_denied(self) -> None:
        async with simulated(scopes=["read_products"]) as (_, poller):
            answer = await poller.ask("{ orders(first: 1) { nodes { id } } }")

        assert codes(answer) == ["ACCESS_DENIED"]

    async def test_an_expired_version_falls_forward_and_an_unknown_one_is_404(self) -> None:
        async with simulated() as (_, poller):
            old = await poller.post("{ shop { name } }", version="2024-01")
            unknown = await poller.post("{ shop { name } }", version="2099-01")

        assert old.headers["x-shopify-api-version"] == "2026-01"
        assert unknown.status_code == 404


class TestOrdersQuery:
    async def test_an_order_is_the_same_as_its_webhook(self) -> None:
        receiver = WebhookReceiver()
        query = """query { orders(first: 1, sortKey: UPDATED_AT) { nodes {
            id legacyResourceId name number createdAt updatedAt processedAt cancelledAt test
            displayFinancialStatus displayFulfillmentStatus email phone customerLocale sourceName
            statusPageUrl cartToken customAttributes { key value }
            totalPriceSet { presentmentMoney { amount currencyCode } shopMoney { amount } }
            customer { firstName } lineItems(first: 1) { nodes { title quantity variantTitle } }
            fulfillments(first: 5) { estimatedDeliveryAt trackingInfo { company number url } }
            customerJourneySummary { ready lastVisit { landingPage } } } } }"""
        async with receiver.serve() as url, simulated(webhook_url=url) as (shop, poller):
            shop.place(fulfilled_order(psid="7312345678901234"))
            await receiver.wait_for(3)
            node = (await poller.ask(query))["data"]["orders"]["nodes"][0]

        body = receiver.received[0].payload
        assert node["id"] == body["admin_graphql_api_id"]
        assert node["legacyResourceId"] == str(body["id"])
        assert (node["name"], node["number"], node["test"]) == (body["name"], body["order_number"], False)
        assert datetime.fromisoformat(node["updatedAt"]) == datetime.fromisoformat(body["updated_at"])
        assert node["createdAt"] == "2026-11-23T09:15:00Z"
        assert (node["displayFinancialStatus"], node["displayFulfillmentStatus"]) == ("PAID", "FULFILLED")
        assert node["customAttributes"] == [{"key": "psid", "value": "7312345678901234"}]
        assert node["totalPriceSet"] == {
            "presentmentMoney": {"amount": "55.4", "currencyCode": "EUR"},
            "shopMoney": {"amount": "55.4"},
        }
        assert node["cartToken"] == body["cart_token"]
        assert node["customer"] == {"firstName": "Ada"}
        assert node["lineItems"]["nodes"] == [{"title": "Stoneware mug", "quantity": 2, "variantTitle": "Sea blue"}]
        tracking = body["fulfillments"][0]
        assert node["fulfillments"][0]["trackingInfo"][0]["number"] == tracking["tracking_number"]
        assert node["customerJourneySummary"]["lastVisit"]["landingPage"] == body["landing_site"]

    async def test_pages_follow_each_other_without_gap_or_repetition(self) -> None:
        clock = ManualClock()
        async with simulated(clock=clock) as (shop, poller):
            for number in range(1, 8):
                place(shop, number)
                clock.advance(number % 2)  # some share a second
            seen: list[str] = []
            cursor = None
            for _ in range(4):
                orders = (await poller.ask(POLL, first=2, after=cursor))["data"]["orders"]
                seen += [node["name"] for node in orders["nodes"]]
                cursor = orders["pageInfo"]["endCursor"]

        assert seen == [f"#{number}" for number in range(1, 8)]
        assert orders["pageInfo"]["hasNextPage"] is False

    async def test_an_order_that_changes_while_a_client_pages_comes_again_later(self) -> None:
        clock = ManualClock()
        async with simulated(clock=clock) as (shop, poller):
            for number in range(1, 4):
                place(shop, number)
                clock.advance(1)
            first = (await poller.ask(POLL, first=2))["data"]["orders"]
            shop.update(FIRST_ID + 1, note="changed")
            rest = await poller.names(after=first["pageInfo"]["endCursor"])

        assert rest == ["#3", "#1"]

    async def test_the_order_can_be_reversed_and_sorted_by_other_keys(self) -> None:
        clock = ManualClock()
        query = "query($k: OrderSortKeys) { orders(first: 9, sortKey: $k, reverse: true) { nodes { name } } }"
        async with simulated(clock=clock) as (shop, poller):
            for number in (2, 1, 3):
                place(shop, number)
                clock.advance(1)
            shop.update(FIRST_ID + 2)
            found = {
                key: [node["name"] for node in (await poller.ask(query, k=key))["data"]["orders"]["nodes"]]
                for key in ("UPDATED_AT", "CREATED_AT", "ID", None)
            }

        assert found["UPDATED_AT"] == ["#2", "#3", "#1"]
        assert found["CREATED_AT"] == found[None] == ["#3", "#1", "#2"]
        assert found["ID"] == ["#3", "#2", "#1"]

    async def test_edges_carry_cursors_that_can_be_used(self) -> None:
        query = "query($a: String) { orders(first: 1, after: $a) { edges { cursor node { name } } } }"
        async with simulated() as (shop, poller):
            place(shop, 1)
            place(shop, 2)
            edge = (await poller.ask(query))["data"]["orders"]["edges"][0]
            following = (await poller.ask(query, a=edge["cursor"]))["data"]["orders"]["edges"][0]

        assert (edge["node"]["name"], following["node"]["name"]) == ("#1", "#2")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ("first: 251", "250"),
            ("first: 0", "first"),
            ("", "first"),
            ('first: 1, after: "nonsense"', "cursor"),
            ("first: 1, sortKey: TOTAL_PRICE", "TOTAL_PRICE"),
            ("last: 1", "last"),
            ('first: 1, query: "status:open OR test:true"', "OR"),
            ('first: 1, query: "mug"', "mug"),
        ],
    )
    async def test_what_is_not_allowed_or_not_known_is_an_error(self, arguments: str, message: str) -> None:
        async with simulated() as (_, poller):
            answer = await poller.ask(f"{{ orders({arguments}) {{ nodes {{ id }} }} }}".replace("()", ""))

        assert "data" not in answer
        assert message in answer["errors"][0]["message"]

    async def test_orders_older_than_60_days_are_silently_absent(self) -> None:
        clock = ManualClock()
        async with simulated(clock=clock) as (shop, poller):
            place(shop, 1)
            clock.advance(61 * 24 * 3600)
            shop.update(FIRST_ID + 1)
            assert await poller.names() == []
            shop.scopes = ("read_orders", "read_all_orders")
            assert await poller.names() == ["#1"]

    async def test_the_index_lags_behind_and_single_orders_do_not(self) -> None:
        clock = ManualClock()
        single = "query($id: ID!) { order(id: $id) { displayFinancialStatus } }"
        async with simulated(clock=clock, index_lag_seconds=5) as (shop, poller):
            body = shop.place(pending_order(number=1))
            assert await poller.names() == []
            clock.advance(5)
            assert await poller.names() == ["#1"]
            shop.update(body["id"], financial_status="paid")
            assert await poller.names("financial_status:paid") == []
            shown = await poller.ask(single, id=body["admin_graphql_api_id"])
            assert shown["data"]["order"] == {"displayFinancialStatus": "PAID"}
            clock.advance(5)
            assert await poller.names("financial_status:paid") == ["#1"]

    async def test_an_unknown_order_is_null(self) -> None:
        async with simulated() as (_, poller):
            answer = await poller.ask('{ order(id: "gid://shopify/Order/1") { id } }')

        assert answer["data"] == {"order": None}


class TestSearch:
    async def test_filters_are_joined_by_and(self) -> None:
        clock = ManualClock()
        async with simulated(clock=clock) as (shop, poller):
            place(shop, 1)
            clock.advance(60)
            shop.place(pending_order(order_id=FIRST_ID + 2, number=2))
            clock.advance(60)
            place(shop, 3, test=True)
            since = datetime.fromtimestamp(clock.now - 90, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

            assert await poller.names(f"updated_at:>='{since}'") == ["#2", "#3"]
            assert await poller.names(f"updated_at:>='{since}' financial_status:paid") == ["#3"]
            assert await poller.names(f"updated_at:<'{since}' AND financial_status:paid") == ["#1"]
            assert await poller.names("-test:true financial_status:paid") == ["#1"]
            assert await poller.names("") == ["#1", "#2", "#3"]

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("name:#7", True),
            ("name:7", True),
            ("name:8", False),
            (f"id:{FIRST_ID + 7}", True),
            (f"id:>{FIRST_ID + 7}", False),
            ("status:open", True),
            ("status:cancelled", False),
            ("source_name:web", True),
            ("tag:vip", True),
            ("tag:v", False),
            ("fulfillment_status:unfulfilled", True),
            ('created_at:>"2026-11-22"', True),
            ("created_at:2026-11-22", False),
            ("processed_at:<2026-11-22", False),
            ("email:ada.lovelace@example.com", True),
        ],
    )
    async def test_each_filter_key_is_honoured(self, search: str, *, found: bool) -> None:
        async with simulated() as (shop, poller):
            place(shop, 7, tags="vip, loyal")
            assert await poller.names(search) == (["#7"] if found else [])

    async def test_tokens_are_filter_keys(self) -> None:
        async with simulated() as (shop, poller):
            body = place(shop, 7)
            assert await poller.names(f"cart_token:{body['cart_token']}") == ["#7"]
            assert await poller.names(f"checkout_token:{body['checkout_token']}") == ["#7"]
            assert await poller.names("checkout_token:none") == []

    async def test_a_cancelled_order_is_found_as_such(self) -> None:
        async with simulated() as (shop, poller):
            place(shop, 7)
            shop.update(FIRST_ID + 7, cancelled_at="2026-11-23T12:00:00+01:00")
            assert await poller.names("status:cancelled") == ["#7"]
            assert await poller.names("status:open") == []

    async def test_an_unknown_key_returns_everything_with_a_warning(self) -> None:
        async with simulated() as (shop, poller):
            place(shop, 1)
            shop.place(pending_order(order_id=FIRST_ID + 2, number=2))
            answer = await poller.ask(POLL, first=9, search="payment_state:paid")
            fine = await poller.ask(POLL, first=9, search="financial_status:paid")

        assert len(answer["data"]["orders"]["nodes"]) == 2
        search = answer["extensions"]["search"][0]
        assert (search["path"], search["query"]) == (["orders"], "payment_state:paid")
        assert search["warnings"] == [
            {
                "field": "payment_state",
                "message": "Invalid search field for this query.",
                "code": "invalid_field",
            }
        ]
        assert "search" not in fine["extensions"]

    async def test_a_timestamp_without_quotes_is_no_filter(self) -> None:
        """It falls apart at its colons; the field that is complained about is the minutes."""
        async with simulated() as (shop, poller):
            place(shop, 1)
            answer = await poller.ask(POLL, first=9, search="updated_at:>=2026-12-24T10:45:00Z")

        assert len(answer["data"]["orders"]["nodes"]) == 1
        assert answer["extensions"]["search"][0]["warnings"][0]["field"] == "45"

    async def test_a_time_that_is_none_is_no_filter(self) -> None:
        async with simulated() as (shop, poller):
            place(shop, 1)
            answer = await poller.ask(POLL, first=9, search="updated_at:>='yesterday'")

        assert answer["extensions"]["search"][0]["warnings"][0]["field"] == "updated_at"


class TestGraphQL:
    async def test_aliases_fragments_directives_and_defaults_work(self) -> None:
        query = """
        # what the poller asks, and a bit more
        query Q($n: Int = 1, $no: Boolean!, $search: String = "name:2") {
          shop { __typename myshopifyDomain }
          found: orders(first: $n, query: $search) { ...Page }
          all: orders(first: 9, query: \"\"\" name:1 \"\"\") { nodes { ... on Order { no: name } } }
        }
        fragment Page on OrderConnection { nodes { name id @include(if: $no) test @skip(if: $no) } }
        """
        async with simulated() as (shop, poller):
            place(shop, 1)
            place(shop, 2)
            answer = await poller.ask(query, no=False)

        assert answer["data"]["found"]["nodes"] == [{"name": "#2", "test": False}]
        assert answer["data"]["all"]["nodes"] == [{"no": "#1"}]
        assert answer["data"]["shop"] == {"__typename": "Shop", "myshopifyDomain": "acme.myshopify.com"}

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("{ orders(first: 1) { nodes { checkoutToken } } }", "undefinedField"),
            ("{ orders(first: 1) { nodes { customAttributes } } }", "selectionMismatch"),
            ("{ orders(first: 1) { nodes { name { first } } } }", "selectionMismatch"),
            ("{ products(first: 1) { nodes { id } } }", "undefinedField"),
            ("mutation { orderUpdate(input: {id: 1}) { id } }", None),
            ("{ orders(first: 1) { nodes { id }", None),
            ("{ orders(first: 1) { nodes { ...Missing } } }", None),
            ("query($first: Int!) { orders(first: $first) { nodes { id } } }", None),
            ("{ orders(first: 1) % }", None),
            ("select * from orders", None),
        ],
    )
    async def test_what_the_schema_does_not_have_is_an_error_without_data(self, query: str, code: str | None) -> None:
        """It is one also while there are no orders, so a wrong query cannot pass in an empty shop."""
        async with simulated() as (_, poller):
            answer = await poller.ask(query)

        assert "data" not in answer
        assert codes(answer) == [code]

    async def test_the_cart_token_came_with_2026_07(self) -> None:
        query = "{ orders(first: 1) { nodes { cartToken } } }"
        async with simulated() as (_, poller):
            old = await poller.post(query, version="2026-04")
            new = await poller.post(query, version="2026-07")

        assert codes(old.json()) == ["undefinedField"]
        assert "data" in new.json()

    async def test_a_body_without_a_query_is_400(self) -> None:
        async with simulated() as (_, poller):
            response = await poller.client.post("/admin/api/2026-10/graphql.json", content=b"nope")

        assert response.status_code == 400


class TestThrottling:
    async def test_each_answer_tells_its_cost_and_what_is_left(self) -> None:
        clock = ManualClock()
        async with simulated(clock=clock) as (shop, poller):
            for number in range(1, 9):
                place(shop, number)
            query = "{ orders(first: 20) { nodes { name } } }"
            cost = (await poller.ask(query))["extensions"]["cost"]

        assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (7, 4)
        assert cost["throttleStatus"] == {
            "maximumAvailable": 2000.0,
            "currentlyAvailable": 1996,
            "restoreRate": 100.0,
        }

    async def test_an_empty_bucket_throttles_inside_a_200_and_refills(self) -> None:
        clock = ManualClock()
        async with simulated(clock=clock, restore_rate=1) as (shop, poller):
            shop.bucket.drain()
            answer = await poller.ask(POLL, first=20)
            cost = answer["extensions"]["cost"]
            clock.advance(cost["requestedQueryCost"])
            again = await poller.ask(POLL, first=20)

        assert codes(answer) == ["THROTTLED"]
        assert "data" not in answer
        assert cost["actualQueryCost"] is None
        assert cost["throttleStatus"]["currentlyAvailable"] == 0
        assert "data" in again

    async def test_throttling_may_come_as_429_with_retry_after(self) -> None:
        async with simulated(clock=ManualClock(), throttled_as=429) as (shop, poller):
            shop.bucket.drain()
            response = await poller.post(POLL, first=20)

        assert response.status_code == 429
        assert float(response.headers["retry-after"]) >= 1
        assert codes(response.json()) == ["THROTTLED"]

    async def test_one_query_has_a_maximum_cost(self) -> None:
        lines = "lineItems(first: 9) { nodes { variant { id } product { id } } }"
        many = " ".join(f"a{n}: {lines}" for n in range(6))
        async with simulated() as (_, poller):
            answer = await poller.ask(f"{{ orders(first: 250) {{ nodes {{ {many} }} }} }}")

        assert codes(answer) == ["MAX_COST_EXCEEDED"]

    async def test_failures_can_be_played(self) -> None:
        async with simulated() as (shop, poller):
            shop.fail_next(503, times=2, retry_after_seconds=2.0)
            responses = [await poller.post("{ shop { name } }") for _ in range(3)]

        assert [response.status_code for response in responses] == [503, 503, 200]
        assert responses[0].headers["retry-after"] == "2.0"
        assert shop.query_count == 1


class TestWebhooks:
    async def test_a_paid_order_brings_three_topics_with_one_event_and_three_ids(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url) as (shop, _):
            body = shop.place(paid_order())
            await shop.webhooks.settled()

        headers = [request.headers for request in receiver.received]
        assert {it["x-shopify-topic"] for it in headers} == {"orders/create", "orders/paid", "orders/updated"}
        assert len({it["x-shopify-webhook-id"] for it in headers}) == 3
        assert len({it["x-shopify-event-id"] for it in headers}) == 1
        assert {request.body for request in receiver.received} == {order_bytes(body)}
        for request in receiver.received:
            signature = sign_shopify(request.body, "simulated-secret")
            assert request.headers["x-shopify-hmac-sha256"] == signature
            assert request.headers["x-shopify-shop-domain"] == "acme.myshopify.com"
            assert request.headers["x-shopify-triggered-at"] == "2026-11-23T09:15:00Z"

    async def test_topics_follow_what_happens_to_an_order(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url) as (shop, _):
            body = shop.place(pending_order())
            shop.update(body["id"], financial_status="paid")
            shop.update(body["id"], cancelled_at="2026-11-23T12:00:00+01:00")
            await shop.webhooks.settled()
            with pytest.raises(KeyError):
                shop.update(1)

        assert [delivery.topic for delivery in shop.webhooks.deliveries] == [
            "orders/create",
            "orders/updated",
            "orders/updated",
            "orders/paid",
            "orders/updated",
            "orders/cancelled",
        ]
        assert all(delivery.delivered for delivery in shop.webhooks.deliveries)

    async def test_only_subscribed_topics_are_sent(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url, topics=["orders/paid"]) as (shop, _):
            shop.place(paid_order())
            await shop.webhooks.settled()

        assert [request.headers["x-shopify-topic"] for request in receiver.received] == ["orders/paid"]

    async def test_orders_are_stamped_with_the_clock_in_the_offset_of_the_shop(self) -> None:
        clock = ManualClock()
        async with simulated(clock=clock) as (shop, _):
            clock.advance(3600)
            placed = shop.place(paid_order())
            clock.advance(60)
            changed = shop.update(placed["id"], note="x")

        assert placed["created_at"] == placed["updated_at"] == "2026-11-23T11:15:00+01:00"
        assert changed["updated_at"] == "2026-11-23T11:16:00+01:00"
        assert changed["created_at"] == placed["created_at"]

    async def test_put_keeps_the_body_as_it_is(self) -> None:
        async with simulated() as (shop, poller):
            shop.put(paid_order(number=1))
            assert await poller.names() == ["#1"]
            assert shop.orders.get(paid_order()["id"]) == paid_order(number=1)

    async def test_a_failure_is_retried_with_the_same_id_and_the_first_body(self) -> None:
        receiver = WebhookReceiver([500, 401, 302])
        async with (
            receiver.serve() as url,
            simulated(webhook_url=url, topics=["orders/paid"], time_scale=0) as (shop, _),
        ):
            body = shop.place(paid_order())
            shop.update(body["id"], note="changed meanwhile")
            await shop.webhooks.settled()

        delivery = shop.webhooks.deliveries[0]
        assert delivery.statuses == [500, 401, 302, 200]
        assert {request.body for request in receiver.received} == {order_bytes(body)}
        assert {request.headers["x-shopify-webhook-id"] for request in receiver.received} == {delivery.webhook_id}

    @pytest.mark.parametrize("shop_specific", [True, False])
    async def test_after_eight_retries_it_gives_up(self, *, shop_specific: bool) -> None:
        receiver = WebhookReceiver([503] * 9)
        async with (
            receiver.serve() as url,
            simulated(webhook_url=url, topics=["orders/paid"], time_scale=0, shop_specific=shop_specific) as (shop, _),
        ):
            place(shop, 1)
            await shop.webhooks.settled()
            place(shop, 2)
            await shop.webhooks.settled()

        first = shop.webhooks.deliveries[0]
        assert (len(first.statuses), first.gave_up, first.delivered) == (9, True, False)
        assert len(receiver.received) == (9 if shop_specific else 10)
        assert shop.webhooks.topics == ([] if shop_specific else ["orders/paid"])

    def test_the_retries_take_four_hours(self) -> None:
        assert len(RETRY_DELAYS_SECONDS) == 8
        assert sum(RETRY_DELAYS_SECONDS) == 4 * 3600
        assert list(RETRY_DELAYS_SECONDS) == sorted(RETRY_DELAYS_SECONDS)

    async def test_a_bot_that_is_down_counts_as_a_failure(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url:
            pass
        async with simulated(webhook_url=url, topics=["orders/paid"], time_scale=0) as (shop, _):
            shop.place(paid_order())
            await shop.webhooks.settled()

        assert shop.webhooks.deliveries[0].statuses == [None] * 9

    async def test_lost_events_are_never_sent_and_still_polled(self) -> None:
        receiver = WebhookReceiver()
        async with (
            receiver.serve() as url,
            simulated(webhook_url=url, weather=Weather(loss=1)) as (shop, poller),
        ):
            place(shop, 1)
            await shop.webhooks.settled()
            assert await poller.names("financial_status:paid") == ["#1"]

        assert receiver.received == []
        assert all(delivery.lost for delivery in shop.webhooks.deliveries)

    async def test_some_are_lost_and_some_come_twice_the_same_each_time(self) -> None:
        async def outcome() -> tuple[list[bool], int]:
            receiver = WebhookReceiver()
            weather = Weather(loss=0.3, duplication=0.5)
            async with receiver.serve() as url, simulated(webhook_url=url, weather=weather, seed=7) as (shop, _):
                for number in range(1, 11):
                    place(shop, number)
                await shop.webhooks.settled()
                return [delivery.lost for delivery in shop.webhooks.deliveries], len(receiver.received)

        lost, received = await outcome()
        assert 0 < sum(lost) < len(lost)
        assert received > len(lost) - sum(lost)
        assert await outcome() == (lost, received)

    async def test_a_spread_lets_deliveries_overtake_each_other(self) -> None:
        receiver = WebhookReceiver()
        weather = Weather(delay_seconds=10, spread_seconds=300)
        async with (
            receiver.serve() as url,
            simulated(webhook_url=url, weather=weather, time_scale=0.001, topics=["orders/paid"]) as (shop, _),
        ):
            for number in range(1, 11):
                place(shop, number)
            await shop.webhooks.settled()

        names = [request.payload["name"] for request in receiver.received]
        assert sorted(names) == sorted(f"#{number}" for number in range(1, 11))
        assert names != [f"#{number}" for number in range(1, 11)]

    async def test_stopping_ends_deliveries_that_wait(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url:
            async with simulated(webhook_url=url, weather=Weather(delay_seconds=3600)) as (shop, _):
                shop.place(paid_order())
            await shop.webhooks.settled()

        assert receiver.received == []

    async def test_the_oldest_live_secret_signs(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url, topics=["orders/paid"]) as (shop, _):
            shop.webhooks.secrets = ["old", "new"]
            shop.place(paid_order())
            await shop.webhooks.settled()

        request = receiver.received[0]
        assert request.headers["x-shopify-hmac-sha256"] == sign_shopify(request.body, "old")

    async def test_orders_with_a_webhook_url_need_a_simulator_that_serves(self) -> None:
        shop = ShopifySimulator(webhook_url="http://127.0.0.1:1/webhooks")
        with pytest.raises(RuntimeError, match="serve"):
            shop.place(paid_order())


async def test_it_leaves_nothing_in_sanic() -> None:
    before = set(Sanic._app_registry)
    async with simulated() as (shop, poller):
        shop.place(paid_order(created_at=datetime.now(UTC) - timedelta(days=1)))
        await poller.post("{ shop { name } }")

    assert set(Sanic._app_registry) == before


class TestTheApp:
    """What the Admin API tells of the app itself."""

    async def test_scopes_are_told(self) -> None:
        async with simulated(scopes=["read_orders", "read_all_orders"]) as (_, poller):
            answer = await poller.ask("{ currentAppInstallation { accessScopes { handle } } }")

        scopes = answer["data"]["currentAppInstallation"]["accessScopes"]
        assert scopes == [{"handle": "read_orders"}, {"handle": "read_all_orders"}]

    @pytest.mark.parametrize(("shop_specific", "listed"), [(True, 2), (False, 0)])
    async def test_subscriptions_made_by_the_api_are_listed_and_those_of_the_toml_are_not(
        self, listed: int, *, shop_specific: bool
    ) -> None:
        options = {"webhook_url": "https://bot.example/shopify", "topics": ["orders/paid", "orders/updated"]}
        query = "{ webhookSubscriptions(first: 10) { nodes { topic uri apiVersion { handle } } } }"
        async with simulated(shop_specific=shop_specific, **options) as (_, poller):
            nodes = (await poller.ask(query))["data"]["webhookSubscriptions"]["nodes"]

        assert len(nodes) == listed
        for node, topic in zip(nodes, ("ORDERS_PAID", "ORDERS_UPDATED"), strict=False):
            assert node == {
                "topic": topic,
                "uri": "https://bot.example/shopify",
                "apiVersion": {"handle": "2026-10"},
            }

    async def test_a_field_that_a_subscription_does_not_have_is_refused_also_where_there_is_none(self) -> None:
        async with simulated() as (_, poller):
            answer = await poller.ask("{ webhookSubscriptions(first: 10) { nodes { callbackUri } } }")

        assert codes(answer) == ["undefinedField"]

    async def test_answers_carry_the_time_of_shopifys_clock_and_the_version_that_answered(self) -> None:
        async with simulated(clock_skew_seconds=-7200.0) as (_, poller):
            answer = await poller.post("{ shop { name } }", version="2025-07")

        assert answer.headers["X-Shopify-API-Version"] == "2026-01"
        behind = datetime.now(UTC) - parsedate_to_datetime(answer.headers["Date"])
        assert timedelta(hours=1) < behind < timedelta(hours=3)
