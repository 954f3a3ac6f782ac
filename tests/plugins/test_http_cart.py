"""The cart in the merchant's own service."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from shopbot.plugin import CartResult, Retry
from shopbot.testing.contracts import ORDERED_AT, PSID, CartContract, Running
from shopbot.testing.fixtures import HostFixture, OrdersFixture
from shopbot.testing.http_service import Answer
from shopbot_plugins import http_cart
from support.merchant import MerchantService

URL = "https://shop.example/carts/{psid}"


class TestHttpCart(CartContract):
    module = http_cart
    settings: ClassVar = {"url": URL, "token": "cart-service-token"}

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[Mapping[str, Any]]:
        self.service = MerchantService()
        async with self.service.serve() as address:
            yield {"url": f"{address}/carts/{{psid}}?order={{order_id}}"}

    async def fill(self, running: Running, psid: str, changed_at: datetime) -> None:
        self.service.carts[psid] = changed_at

    async def is_empty(self, running: Running, psid: str) -> bool:
        return psid not in self.service.carts

    async def test_the_service_learns_whose_cart_which_order_and_when_it_was_made(self) -> None:
        async with self.running() as running:
            await self.clear(running, id=12345)
            asked = self.service.asked[0]

        assert (asked.method, asked.path, asked.query) == ("DELETE", f"/carts/{PSID}", "order=12345")
        assert asked.headers["authorization"] == "Bearer cart-service-token"
        assert asked.headers["if-unmodified-since"] == "Mon, 23 Nov 2026 09:15:00 GMT"
        assert asked.body == b""

    async def test_post_and_no_token_work_too(self) -> None:
        async with self.running(method="POST", token=None) as running:
            await self.clear(running, created_at=None)
            asked = self.service.asked[0]

        assert asked.method == "POST"
        assert "authorization" not in asked.headers
        assert "if-unmodified-since" not in asked.headers

    @pytest.mark.parametrize(
        ("status", "result"),
        [
            (200, CartResult.CLEARED),
            (202, CartResult.CLEARED),
            (204, CartResult.CLEARED),
            (404, CartResult.ALREADY_EMPTY),
            (410, CartResult.ALREADY_EMPTY),
            (409, CartResult.KEPT),
            (412, CartResult.KEPT),
        ],
    )
    async def test_the_answer_says_what_became_of_the_cart(self, status: int, result: CartResult) -> None:
        async with self.running() as running:
            self.service.answers.append(Answer(status))

            assert await self.clear(running) is result

    @pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 405, 408, 422, 425, 429, 500, 502, 503, 504])
    async def test_every_other_answer_is_asked_for_again(self, status: int) -> None:
        """The host gives up after its attempts, and says with what answer."""
        async with self.running() as running:
            self.service.answers.append(Answer(status, headers={"Location": "/elsewhere"}))
            with pytest.raises(Retry, match=f"HTTP {status}") as failure:
                await self.clear(running)

            assert failure.value.after_seconds is None
            assert len(self.service.asked) == 1

    @pytest.mark.parametrize(("header", "seconds"), [("120", 120), ("999999999", 86_400)])
    async def test_the_service_says_when_to_come_back(self, header: str, seconds: float) -> None:
        assert await self.told_to_wait(header) == seconds

    async def test_the_service_names_the_time_at_which_to_come_back(self) -> None:
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        before = datetime.now(UTC)

        wait_seconds = await self.told_to_wait(format_datetime(until, usegmt=True))

        second = timedelta(seconds=1)
        assert until - datetime.now(UTC) - second <= timedelta(seconds=wait_seconds) <= until - before + second

    async def told_to_wait(self, header: str) -> float:
        async with self.running() as running:
            self.service.answers.append(Answer(503, headers={"Retry-After": header}))
            with pytest.raises(Retry) as failure:
                await self.clear(running)

        assert failure.value.after_seconds is not None
        return failure.value.after_seconds

    @pytest.mark.parametrize("header", ["", "soon", "-5", "0", "1e9", "Mon, 23 Nov 2020 09:15:00 GMT", "²"])
    async def test_a_time_that_makes_no_sense_is_left_to_the_retry_settings(self, header: str) -> None:
        async with self.running() as running:
            self.service.answers.append(Answer(503, headers={"Retry-After": header}))
            with pytest.raises(Retry) as failure:
                await self.clear(running)

        assert failure.value.after_seconds is None

    async def test_a_service_that_is_down_is_asked_again(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closing:
            port = closing.getsockname()[1]
        async with self.running(url=f"http://127.0.0.1:{port}/{{psid}}") as running:
            with pytest.raises(Retry, match="ConnectError") as failure:
                await self.clear(running)

        assert PSID not in failure.value.reason

    async def test_a_service_that_does_not_answer_is_not_waited_for(self) -> None:
        async with self.running(timeout="1s") as running:
            self.service.silent_seconds = 30
            with pytest.raises(Retry, match="ReadTimeout"):
                await self.clear(running)

    async def test_connections_are_used_again(self) -> None:
        async with self.running() as running:
            self.service.answers += [Answer(500, "a body"), Answer(200, "a body")]
            with pytest.raises(Retry):
                await self.clear(running)
            await self.clear(running)
            ports = {asked.client_port for asked in self.service.asked}

        assert len(ports) == 1

    async def test_a_psid_cannot_change_the_path(self) -> None:
        """The host takes digits only; a plugin's own promise does not rest on it."""
        async with self.running() as running:
            await self.clear(running, psid="../admin?x=1#")

            assert self.service.asked[0].path == "/carts/..%2Fadmin%3Fx%3D1%23"

    async def test_a_host_has_the_paid_cart_cleared(
        self, shopbot_host: HostFixture, shopbot_orders: OrdersFixture
    ) -> None:
        service = MerchantService()
        service.carts[PSID] = ORDERED_AT - timedelta(minutes=5)
        changes = "carts: [{use: http_cart, url: '${CARTS}/carts/{psid}'}]"
        async with service.serve() as address, shopbot_host(changes, environ={"CARTS": address}) as shop:
            await shop.finished(await shop.post("orders/paid", shopbot_orders(psid=PSID)))

        assert service.carts == {}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "Field required"),
        ({"url": 5}, "string"),
        ({"url": "https://shop.example/carts"}, "{psid}"),
        ({"url": "https://shop.example/{psid}/{customer}"}, "{psid}"),
        ({"url": "https://shop.example/{psid}/{psid.__class__}"}, "{psid}"),
        ({"url": "https://shop.example/{psid}/{"}, "{psid}"),
        ({"url": "https://{psid}.shop.example/"}, "host"),
        ({"url": "http://shop.example/{psid}"}, "https"),
        ({"url": "http://127.0.0.1.shop.example/{psid}"}, "https"),
        ({"url": "ftp://shop.example/{psid}"}, "absolute URL"),
        ({"url": "/carts/{psid}"}, "absolute URL"),
        ({"url": "https://shop.example/ {psid}"}, "absolute URL"),
        ({"url": "https://me:secret@shop.example/{psid}"}, "password"),
        ({"url": "https://shop.example:99999/{psid}"}, "ort"),
        ({"url": "https://shop.example/#{psid}"}, "#"),
        ({"url": URL, "method": "GET"}, "DELETE"),
        ({"url": URL, "token": ""}, "empty"),
        ({"url": URL, "token": "two words"}, "spaces"),
        ({"url": URL, "timeout": "0s"}, "longer than zero"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: Mapping[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError) as failure:
        http_cart.Config.model_validate(settings)

    assert complaint in failure.value.errors()[0]["msg"]


@pytest.mark.parametrize("host", ["localhost", "shop.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "localhost:8080"])
def test_this_very_machine_may_be_asked_without_https(host: str) -> None:
    url = f"http://{host}/{{psid}}"

    assert http_cart.Config.model_validate({"url": url}).url == url


def test_a_private_network_may_be_trusted() -> None:
    url = "http://carts:8080/{psid}"

    assert http_cart.Config.model_validate({"url": url, "allow_http": True}).url == url
