"""A step that tells the merchant's own service about an order."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from shopbot.plugin import Event, Order, Reason, Run, Status
from shopbot.testing.contracts import PSID, StepContract, an_event
from shopbot.testing.fixtures import HostFixture, OrdersFixture
from shopbot.testing.http_service import Answer, Asked
from shopbot.testing.orders import DEFAULT_ORDER_ID, paid_order
from shopbot_plugins import http_forward
from support.merchant import MerchantService

URL = "https://shop.example/hooks"
SECRET = "a-signing-secret"


class TestHttpForward(StepContract):
    module = http_forward
    settings: ClassVar = {"url": URL, "token": "warehouse-token", "signing_secret": SECRET}

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[Mapping[str, Any]]:
        self.service = MerchantService()
        async with self.service.serve() as address:
            yield {"url": f"{address}/hooks"}

    async def post(self, *, event: Event | None = None, **settings: object) -> Asked:
        """Give the request that one order leads to."""
        run = Run(attempt=1, rule="order_confirmation", order=Order.from_payload(paid_order(psid=PSID)), psid=PSID)
        async with self.running(**settings) as running:
            await running.hooks.steps["http_forward"](event or an_event(paid_order()), run)
            return self.service.asked[0]

    async def test_the_summary_says_what_was_ordered_and_nothing_of_the_person(self) -> None:
        summary = json.loads((await self.post()).body)

        assert summary["event"] == {
            "id": "webhook:5a1f",
            "topic": "orders/paid",
            "received_at": "2026-11-23T09:15:02+00:00",
        }
        assert summary["shop"] == "acme.myshopify.com"
        assert summary["rule"] == "order_confirmation"
        assert summary["order"]["id"] == str(DEFAULT_ORDER_ID)
        assert summary["order"]["name"] == "#1234"
        assert summary["order"]["financial_status"] == "paid"
        assert summary["order"]["total"]["currency"] == "EUR"
        assert summary["order"]["created_at"] == "2026-11-23T10:15:00+01:00"
        assert summary["order"]["lines"]
        for personal in (PSID, "Ada", "Lovelace", "example.com", "Lindenstra"):
            assert personal not in str(summary)

    async def test_the_psid_goes_along_only_when_asked_for(self) -> None:
        assert json.loads((await self.post(send_psid=True)).body)["psid"] == PSID

    async def test_the_body_is_signed(self) -> None:
        asked = await self.post()

        signature = hmac.new(SECRET.encode(), asked.body, hashlib.sha256).hexdigest()
        assert asked.headers["x-shopbot-signature"] == f"sha256={signature}"
        assert asked.headers["authorization"] == "Bearer warehouse-token"
        assert asked.headers["content-type"] == "application/json"

    async def test_token_and_signature_may_be_left_out(self) -> None:
        asked = await self.post(token=None, signing_secret=None)

        assert not {"authorization", "x-shopbot-signature"} & set(asked.headers)

    @pytest.mark.parametrize(
        ("event_id", "key"),
        [
            ("webhook:b54557e4-bdd9-4b37-8a5f-bf7d70bcd043", "webhook:b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"),
            ("poll:1001:2026-11-23T09:15:00+01:00", "poll:1001:2026-11-23T09:15:00+01:00"),
            ("webhook:ä\r\nX-Evil: 1", "webhook:%C3%A4%0D%0AX-Evil:%201"),
        ],
    )
    async def test_the_event_id_is_the_idempotency_key(self, event_id: str, key: str) -> None:
        """Webhook ids come from an unsigned header."""
        asked = await self.post(event=an_event(paid_order(), event_id=event_id))

        assert asked.headers["idempotency-key"] == key
        assert "x-evil" not in asked.headers

    async def test_an_event_without_an_order_has_nothing_to_tell(self) -> None:
        async with self.running() as running:
            outcome = await self.take(running, None)

            assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.NO_ORDER)
            assert self.service.asked == []

    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    async def test_2xx_is_done(self, status: int) -> None:
        async with self.running() as running:
            self.service.answers.append(Answer(status))

            assert (await self.take(running, paid_order())).status is Status.DONE

    @pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
    async def test_what_may_pass_is_tried_again(self, status: int) -> None:
        async with self.running() as running:
            self.service.answers.append(Answer(status, headers={"Retry-After": "90"}))
            outcome = await self.take(running, paid_order())

        assert (outcome.status, outcome.retry_after_seconds) == (Status.DEFERRED, 90)
        assert outcome.detail == f"HTTP {status}"

    @pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 410, 413, 422])
    async def test_what_will_not_pass_is_given_up(self, status: int) -> None:
        """A redirect too: it would carry the token to another address."""
        async with self.running() as running:
            self.service.answers.append(Answer(status, headers={"Location": "/hooks"}))
            outcome = await self.take(running, paid_order())

            assert (outcome.status, outcome.detail) == (Status.FAILED, f"HTTP {status}")
            assert len(self.service.asked) == 1

    async def test_a_service_that_is_down_is_tried_again(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closing:
            port = closing.getsockname()[1]
        async with self.running(url=f"http://127.0.0.1:{port}/") as running:
            outcome = await self.take(running, paid_order())

        assert (outcome.status, outcome.detail) == (Status.DEFERRED, "not reached: ConnectError")

    async def test_a_service_that_does_not_answer_is_not_waited_for(self) -> None:
        async with self.running(timeout="1s") as running:
            self.service.silent_seconds = 30
            outcome = await self.take(running, paid_order())

        assert (outcome.status, outcome.detail) == (Status.DEFERRED, "not reached: ReadTimeout")

    async def test_a_rule_has_it_as_a_step(self, shopbot_host: HostFixture, shopbot_orders: OrdersFixture) -> None:
        changes = """
            plugins: [{use: http_forward, url: "${WAREHOUSE}/hooks"}]
            rules: [{name: tell_the_warehouse, on: [orders/paid], steps: [http_forward]}]
            """
        service = MerchantService()
        async with service.serve() as address, shopbot_host(changes, environ={"WAREHOUSE": address}) as shop:
            event_id = await shop.post("orders/paid", shopbot_orders())
            await shop.finished(event_id)

        assert [(asked.headers["idempotency-key"], asked.json()["order"]["name"]) for asked in service.asked] == [
            (event_id, "#1234")
        ]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"url": "http://shop.example/hooks"},
        {"url": "hooks"},
        {"url": URL, "token": ""},
        {"url": URL, "token": "line\nbreak"},
        {"url": URL, "signing_secret": ""},
        {"url": URL, "timeout": "-1s"},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError):
        http_forward.Config.model_validate(settings)
