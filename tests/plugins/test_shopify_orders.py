"""Changed orders from Shopify's Admin API, against the Shopify simulator and, for odd answers, a scripted one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError
from sanic import Request
from sanic.response import HTTPResponse

from shopbot.plugin import ChannelDown, Order, PolledOrder, Retry
from shopbot.testing.clock import ManualClock
from shopbot.testing.contracts import ORDERED_AT, PSID, PollerContract, Running, changed_order
from shopbot.testing.fixtures import HostFixture, OrdersFixture
from shopbot.testing.orders import fulfilled_order, pending_order, refunded_order
from shopbot.testing.serving import new_app, serving
from shopbot.testing.shopify import ShopifySimulator
from shopbot_plugins import shopify_orders

TOKEN = "shpat_simulated"
NO_TOKEN: Mapping[str, Any] = {"access_token": None}
GRANT = {"access_token": None, "client_id": "simulated-client", "client_secret": "simulated-secret"}

Json = dict[str, Any]


class ShopifyOrders(PollerContract):
    """The plugin beside a simulated shop."""

    module = shopify_orders
    settings: ClassVar = {"access_token": TOKEN}

    shop: ShopifySimulator
    options: Mapping[str, Any] = {}
    """Of the simulator."""

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[Mapping[str, Any]]:
        self.shop = ShopifySimulator(**({"clock": ManualClock()} | dict(self.options)))
        async with self.shop.serve() as address:
            yield {"api_url": address}

    async def change(self, body: Mapping[str, Any]) -> None:
        self.shop.put(dict(body))


@asynccontextmanager
async def polling(
    options: Mapping[str, Any] | None = None, **settings: object
) -> AsyncIterator[tuple[ShopifySimulator, Running]]:
    """Run the plugin beside a simulated shop with *options*."""
    plugin = ShopifyOrders()
    plugin.options = options or {}
    async with plugin.running(**settings) as running:
        yield plugin.shop, running


async def poll(running: Running, since: datetime = ORDERED_AT) -> Sequence[PolledOrder]:
    return await ShopifyOrders().poll(running, since)


class TestShopifyOrders(ShopifyOrders):
    async def test_an_order_keeps_what_messages_and_rules_may_use(self) -> None:
        body = fulfilled_order(
            order_id=6021482911946154508,
            psid=PSID,
            presentment_currency="USD",
            exchange_rate="1.1",
            locale="de-DE",
            updated_at=ORDERED_AT,
        )
        async with self.running() as running:
            await self.change(body)
            polled = Order.from_payload(json.loads((await self.poll(running))[0].body))

        told = Order.from_payload(body)
        left_out = {"token", "checkout_token", "landing_site", "customer", "attributes", "line_items"}
        assert polled.model_dump(exclude=left_out) == told.model_dump(exclude=left_out)
        assert [(line.title, line.quantity, line.price) for line in polled.line_items] == [
            (line.title, line.quantity, line.price) for line in told.line_items
        ]
        assert [(one.name, one.value) for one in polled.attributes] == [("psid", PSID)]

    async def test_a_host_confirms_an_order_whose_webhooks_were_lost(
        self, shopbot_host: HostFixture, shopbot_orders: OrdersFixture, shopbot_shopify: ShopifySimulator
    ) -> None:
        async with shopbot_shopify.serve() as address:
            shopbot_shopify.place(shopbot_orders(psid=PSID))
            pollers = f"pollers: [{{use: shopify_orders, every: 100ms, access_token: {TOKEN}, api_url: '{address}'}}]"
            async with shopbot_host(pollers) as shop:
                assert [message.psid for message in await shop.messenger.wait_for_sent(1)] == [PSID]

    async def test_no_address_that_holds_a_key_is_read(self) -> None:
        async with self.running() as running:
            await self.change(changed_order(0))
            body = (await self.poll(running))[0].body

        assert b"key=" not in body

    async def test_an_order_with_nothing_in_it_is_given(self) -> None:
        async with self.running(financial_status=[]) as running:
            await self.change({"id": 7, "updated_at": ORDERED_AT.isoformat(), "created_at": ORDERED_AT.isoformat()})
            polled = await self.poll(running)

        assert [order.order_id for order in polled] == [7]

    @pytest.mark.parametrize(
        ("states", "ids"),
        [(["paid"], [1]), (["pending", "refunded"], [2, 3]), ([], [1, 2, 3])],
        ids=["one", "several", "all"],
    )
    async def test_only_orders_in_the_wanted_states_are_given(self, states: list[str], ids: list[int]) -> None:
        async with self.running(financial_status=states) as running:
            await self.change(changed_order(0))
            await self.change(pending_order(order_id=2, updated_at=ORDERED_AT + timedelta(seconds=1)))
            await self.change(refunded_order(order_id=3, updated_at=ORDERED_AT + timedelta(seconds=2)))

            assert [order.order_id for order in await self.poll(running)] == ids

    async def test_pages_are_counted_for_those_who_watch(self) -> None:
        async with self.running(page_size=2) as running:
            for number in range(5):
                await self.change(changed_order(number))

            assert [order.page for order in await self.poll(running)] == [1, 1, 2, 2, 3]

    async def test_a_long_list_is_read_by_several_searches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Shopify ends every search at 25,000 results, whatever is left."""
        monkeypatch.setattr(shopify_orders, "MOST_ORDERS_PER_SEARCH", 10)
        async with self.running(page_size=4) as running:
            for number in range(40):
                await self.change(changed_order(number))
            polled = await self.poll(running)

        assert list(dict.fromkeys(order.order_id for order in polled)) == list(range(1, 41))
        assert len(polled) > 40  # where one search ended and the next began

    @pytest.mark.parametrize("version", ["2026-04", "2026-07", "2026-10", "unstable"])
    async def test_the_cart_token_comes_with_versions_that_have_it(self, version: str) -> None:
        async with self.running(api_version=version) as running:
            await self.change(changed_order(0))
            order = Order.from_payload(json.loads((await self.poll(running))[0].body))

        assert (order.cart_token is not None) == (version >= "2026-07")

    async def test_a_query_that_is_too_expensive_is_asked_in_smaller_pages(self) -> None:
        async with self.running(page_size=250, line_items=100) as running:
            self.shop.bucket.maximum = 300.0
            for number in range(self.many):
                await self.change(changed_order(number))
            polled = await self.poll(running)

        assert len(polled) == self.many
        assert running.log.of("shopify_page_too_expensive")

    async def test_a_machine_without_read_all_orders_is_told_of_a_window_that_is_too_long(self) -> None:
        async with self.running() as running:
            await self.poll(running, datetime.now(UTC) - timedelta(days=61))

        assert running.log.of("shopify_window_too_long") == [
            {"since": running.log.of("shopify_window_too_long")[0]["since"], "visible_days": 60}
        ]


class TestThrottling:
    @pytest.mark.parametrize("status", [200, 429])
    async def test_it_waits_for_its_points_and_goes_on(self, status: int) -> None:
        began, waiting = time.time(), False

        def clock() -> float:
            """Stand still until it waits: on a slow machine the points would be back before it asks."""
            return time.time() if waiting else began

        async with polling({"clock": clock, "restore_rate": 2000.0}) as (shop, running):
            shop.throttled_as = status
            shop.put(changed_order(0))
            shop.bucket.drain()

            async def go_on() -> None:
                nonlocal waiting
                while not running.log.of("shopify_throttled"):
                    await asyncio.sleep(0)
                waiting = True

            polled, _ = await asyncio.gather(poll(running), go_on())

            assert len(polled) == 1

    async def test_a_wait_that_is_too_long_ends_the_poll_and_says_how_long(self) -> None:
        async with polling() as (shop, running):
            shop.bucket.restore_rate = 1.0
            shop.bucket.drain()

            with pytest.raises(Retry) as caught:
                await poll(running)

        assert caught.value.after_seconds is not None
        assert 100 < caught.value.after_seconds < 600

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    async def test_a_fault_of_shopifys_is_one_that_may_pass(self, status: int) -> None:
        async with polling() as (shop, running):
            shop.fail_next(status, retry_after_seconds=7)

            with pytest.raises(Retry, match=str(status)) as caught:
                await poll(running)

            assert caught.value.after_seconds == 7
            assert await poll(running) == []


class TestAccess:
    async def test_a_token_that_was_revoked_needs_a_person_and_is_not_shown(self) -> None:
        async with polling() as (shop, running):
            shop.revoke(TOKEN)

            with pytest.raises(ChannelDown, match="read_orders") as caught:
                await poll(running)

        assert TOKEN not in str(caught.value)

    async def test_a_missing_scope_is_named(self) -> None:
        async with polling() as (shop, running):
            shop.scopes = ("read_products",)

            with pytest.raises(ChannelDown, match="scope read_orders"):
                await poll(running)

    async def test_a_version_that_does_not_exist_is_named(self) -> None:
        async with polling(api_version="2029-10") as (_, running):
            with pytest.raises(ChannelDown, match="api_version"):
                await poll(running)

    @pytest.mark.parametrize(
        "settings",
        [
            {"access_token": None},
            {"client_id": "a", "client_secret": "b"},
            {"access_token": None, "client_id": "a"},
            {"access_token": None, "client_secret": "b"},
            {"client_id": "a"},
        ],
    )
    def test_there_is_exactly_one_way_in(self, settings: Json) -> None:
        with pytest.raises(ValidationError, match="either access_token, or client_id and client_secret"):
            ShopifyOrders().config(**settings)


class TestClientCredentials:
    async def test_one_token_serves_all_polls_until_it_ends(self) -> None:
        async with polling(NO_TOKEN, **GRANT) as (shop, running):
            for _ in range(3):
                await poll(running)

            assert len(shop._tokens) == 1

    async def test_a_token_that_shopify_refuses_is_renewed_within_the_poll(self) -> None:
        async with polling(NO_TOKEN, **GRANT) as (shop, running):
            shop.put(changed_order(0))
            await poll(running)
            shop.revoke(next(iter(shop._tokens)))

            assert len(await poll(running)) == 1

    async def test_a_token_is_renewed_before_it_ends(self) -> None:
        async with polling(NO_TOKEN, **GRANT) as (shop, running):
            shop.token_lifetime_seconds = 0
            with pytest.raises(ChannelDown):
                await poll(running)  # each token is too old as soon as it is granted
            shop.token_lifetime_seconds = 3600
            await poll(running)

            assert len(shop._tokens) == 3

    async def test_wrong_credentials_need_a_person_and_are_not_shown(self) -> None:
        async with polling(NO_TOKEN, **GRANT | {"client_secret": "not-the-secret"}) as (_, running):
            with pytest.raises(ChannelDown, match="invalid_client") as caught:
                await poll(running)

        assert "not-the-secret" not in str(caught.value)
        assert "scope read_orders" in str(caught.value)


class Scripted:
    """An Admin API that answers what it is told."""

    def __init__(self) -> None:
        self.answers: list[HTTPResponse] = []
        self.asked: list[Json] = []
        self.headers: list[Mapping[str, str]] = []

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = new_app("scripted-shopify")
        app.add_route(self._answer, "/<path:path>", methods=["POST"])
        async with serving(app, "127.0.0.1", 0) as address:
            yield address

    async def _answer(self, request: Request, path: str) -> HTTPResponse:
        self.asked.append(json.loads(request.body) if path.endswith("graphql.json") else {})
        self.headers.append(dict(request.headers))
        return self.answers.pop(0)

    def say(self, body: object, status: int = 200, **headers: str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.answers.append(HTTPResponse(text, status, headers, "application/json"))


def a_node(number: int = 0, **changes: object) -> Json:
    node = {
        "legacyResourceId": str(number + 1),
        "name": f"#{number}",
        "updatedAt": (ORDERED_AT + timedelta(seconds=number)).isoformat(),
        "displayFinancialStatus": "PAID",
    }
    return node | changes


def orders(*nodes: object, cursor: str | None = None) -> Json:
    return {"orders": {"nodes": list(nodes), "pageInfo": {"hasNextPage": cursor is not None, "endCursor": cursor}}}


@asynccontextmanager
async def scripted(**settings: object) -> AsyncIterator[tuple[Scripted, Running]]:
    api = Scripted()
    async with api.serve() as address, ShopifyOrders().running(**({"api_url": address} | settings)) as running:
        yield api, running


class TestAnswers:
    async def test_times_are_quoted_and_the_token_travels_in_a_header_alone(self) -> None:
        async with scripted() as (api, running):
            api.say({"data": orders(a_node(), cursor="next")})
            api.say({"data": orders(a_node(1))})
            await poll(running, ORDERED_AT.astimezone(UTC) - timedelta(seconds=0.4))

        variables = [asked["variables"] for asked in api.asked]
        assert [one["search"] for one in variables] == ["updated_at:>='2026-11-23T09:14:59Z' financial_status:paid"] * 2
        assert [one["after"] for one in variables] == [None, "next"]
        assert api.headers[0]["x-shopify-access-token"] == TOKEN
        assert TOKEN not in json.dumps(api.asked)

    async def test_an_answer_to_a_search_that_was_not_understood_is_never_used(self) -> None:
        warning = {"field": "updatet_at", "message": "Invalid search field for this query.", "code": "invalid_field"}
        async with scripted() as (api, running):
            api.say({"data": orders(a_node()), "extensions": {"search": [{"warnings": [warning]}]}})

            with pytest.raises(ChannelDown, match=r"did not understand the search.*updatet_at"):
                await poll(running)

    async def test_an_answer_with_orders_that_nobody_asked_for_is_never_used(self) -> None:
        async with scripted() as (api, running):
            api.say({"data": orders(a_node(0, updatedAt="2026-11-01T00:00:00Z"))})

            with pytest.raises(ChannelDown, match="not asked for"):
                await poll(running)

    async def test_fields_that_the_app_may_not_read_are_left_out_and_told_once(self) -> None:
        error = {
            "message": "This app is not approved to access the Order object",
            "path": ["orders", "nodes", 0, "email"],
            "extensions": {"code": "ACCESS_DENIED"},
        }
        async with scripted() as (api, running):
            for _ in range(2):
                api.say({"data": orders(a_node(0, email=None)), "errors": [error]})
                assert len(await poll(running)) == 1

        assert running.log.of("shopify_field_left_out") == [{"field": "email", "code": "ACCESS_DENIED"}]

    @pytest.mark.parametrize("node", [None, {}, a_node(legacyResourceId=None), a_node(updatedAt=None), 7])
    async def test_an_order_that_cannot_be_read_does_not_hide_the_others(self, node: object) -> None:
        async with scripted() as (api, running):
            api.say({"data": orders(node, a_node(1))})

            assert [order.order_id for order in await poll(running)] == [2]
            assert running.log.of("shopify_orders_unreadable")

    async def test_orders_of_which_nothing_may_be_read_need_a_person(self) -> None:
        error = {"message": "not approved", "path": ["orders", "nodes", 0], "extensions": {"code": "ACCESS_DENIED"}}
        async with scripted() as (api, running):
            api.say({"data": orders(None, None), "errors": [error]})

            with pytest.raises(ChannelDown, match="ACCESS_DENIED"):
                await poll(running)

    async def test_what_came_before_a_fault_was_given(self) -> None:
        async with scripted() as (api, running):
            api.say({"data": orders(a_node(), cursor="next")})
            api.say("upstream", 502)

            stream = running.hooks.pollers[0](ORDERED_AT)
            given = await anext(stream)
            with pytest.raises(Retry):
                await anext(stream)

        assert given.order_id == 1

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ("<html>", 200),
            ("[]", 200),
            ({"data": None}, 200),
            ({"data": None, "errors": [{"message": "x", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}, 200),
            ({"errors": [{"message": "Internal error. Looks like something went wrong on our end."}]}, 200),
            ({"data": {"orders": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}}}, 200),
            ({}, 408),
        ],
    )
    async def test_an_answer_without_sense_is_a_fault_that_may_pass(self, body: object, status: int) -> None:
        async with scripted() as (api, running):
            api.say(body, status)

            with pytest.raises(Retry):
                await poll(running)

    @pytest.mark.parametrize(
        ("body", "status", "hint"),
        [
            ({"errors": "Forbidden"}, 403, "read_orders"),
            ({"errors": "Not Found"}, 404, "shop.domain"),
            ({}, 301, "shop.domain"),
            ({}, 402, "frozen"),
            ({}, 423, "locked"),
            ({"errors": [{"message": "Field 'cartToken' doesn't exist on type 'Order'"}]}, 200, "api_version"),
        ],
    )
    async def test_what_only_a_person_can_mend_says_how(self, body: object, status: int, hint: str) -> None:
        async with scripted() as (api, running):
            api.say(body, status, Location="https://other.example/")

            with pytest.raises(ChannelDown, match=hint):
                await poll(running)

    async def test_a_single_order_that_is_too_expensive_needs_a_person(self) -> None:
        error = {"message": "Query cost is 1200", "extensions": {"code": "MAX_COST_EXCEEDED"}}
        async with scripted(page_size=2) as (api, running):
            for _ in range(2):
                api.say({"errors": [error]})

            with pytest.raises(ChannelDown, match="line_items"):
                await poll(running)

    async def test_a_throttled_answer_without_figures_is_asked_again(self) -> None:
        async with scripted() as (api, running):
            api.say(
                {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}, 429, **{"Retry-After": "1"}
            )
            api.say({"data": orders(a_node())})

            assert len(await poll(running)) == 1

    async def test_a_clock_that_is_ahead_of_shopifys_is_a_fault(self) -> None:
        """Its windows would begin in Shopify's future, where nothing was changed yet."""
        async with scripted() as (api, running):
            date = format_datetime(datetime.now(UTC) - timedelta(minutes=9), usegmt=True)
            api.say({"data": orders()}, Date=date)

            with pytest.raises(Retry, match=r"clock is 5[34]\d s ahead"):
                await poll(running)

    @pytest.mark.parametrize("minutes", [-60, 0, 1])
    async def test_a_clock_that_is_right_or_behind_is_none(self, minutes: int) -> None:
        async with scripted() as (api, running):
            date = format_datetime(datetime.now(UTC) - timedelta(minutes=minutes), usegmt=True)
            api.say({"data": orders(a_node())}, Date=date)

            assert len(await poll(running)) == 1

    async def test_a_shop_that_cannot_be_reached_is_a_fault_that_may_pass(self) -> None:
        async with scripted(api_url="http://127.0.0.1:9") as (_, running):
            with pytest.raises(Retry, match="ConnectError"):
                await poll(running)

    async def test_the_token_endpoint_may_be_away_or_answer_nonsense(self) -> None:
        async with scripted(**GRANT) as (api, running):
            for body, status in (("", 503), ("<html>", 200), ({"access_token": "with space"}, 200)):
                api.say(body, status)
                with pytest.raises(Retry):
                    await poll(running)
