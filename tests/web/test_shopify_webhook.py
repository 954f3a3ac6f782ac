"""`POST /webhooks/shopify` from outside: a 200 means kept, whatever is in the body."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from itertools import product
from pathlib import Path

import httpx
import pytest

from shopbot.store.embedded import EmbeddedServer
from shopbot.testing.host import ShopUnderTest, shop_under_test
from shopbot.testing.orders import order_bytes, paid_order
from support.raw_http import connection, exchange, request_bytes
from support.signed_webhook import BODY, PSID, ROUTE, signed


class TestDurability:
    async def test_what_cannot_be_stored_is_answered_503_and_taken_when_it_comes_again(self, tmp_path: Path) -> None:
        server = EmbeddedServer(tmp_path / "data", restart_pauses_seconds=(3600.0,))
        await asyncio.to_thread(server.start)
        try:
            async with shop_under_test(tmp_path, store_url=server.url) as shop:
                assert (await shop.http.get("/readyz")).status_code == 200
                assert server.pid is not None
                os.kill(server.pid, signal.SIGKILL)

                refused = await shop.http.post(ROUTE, content=BODY, headers=signed(webhook_id="wh-1"))
                unready = await shop.http.get("/readyz")
                alive = await shop.http.get("/healthz")
                asked_by_head = [await shop.http.head(path) for path in ("/healthz", "/readyz")]

                assert refused.status_code == 503
                assert unready.status_code == 503
                assert "does not answer" in unready.json()["checks"]["store"]
                assert alive.status_code == 200
                assert [(answer.status_code, answer.content) for answer in asked_by_head] == [(200, b""), (503, b"")]

                await asyncio.to_thread(server.stop)
                await asyncio.to_thread(server.start)
                event_id = await shop.post("orders/paid", BODY, webhook_id="wh-1")
                await shop.post("orders/paid", BODY, webhook_id="wh-1")

                assert (await shop.finished(event_id)).status == "done"
                assert (await shop.http.get("/readyz")).status_code == 200
                assert len(shop.messenger.sent) == 1
        finally:
            await asyncio.to_thread(server.stop)

    async def test_a_store_killed_in_the_middle_loses_nothing_that_was_answered_200(self, tmp_path: Path) -> None:
        """Those that got no 200 are sent again, as Shopify does it; each order has one confirmation in the end."""
        server = EmbeddedServer(tmp_path / "data")
        await asyncio.to_thread(server.start)
        orders = {f"wh-{n}": paid_order(order_id=9_000 + n, number=2_000 + n, psid=str(n)) for n in range(1, 61)}

        async def deliver(shop: ShopUnderTest, webhook_id: str) -> str:
            while True:
                with suppress(AssertionError, httpx.TransportError):
                    return await shop.post("orders/paid", orders[webhook_id], webhook_id=webhook_id)

        async def kill_store(shop: ShopUnderTest) -> None:
            await shop.messenger.wait_for_sent(3)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)

        try:
            async with shop_under_test(tmp_path, store_url=server.url) as shop:
                killed = asyncio.create_task(kill_store(shop))
                events = [await deliver(shop, webhook_id) for webhook_id in orders]
                await killed
                ends = [(await shop.finished(event)).status for event in events]

                assert ends == ["done"] * len(orders)
                assert sorted(int(message.psid) for message in shop.messenger.sent) == list(range(1, 61))
        finally:
            await asyncio.to_thread(server.stop)

    @pytest.mark.parametrize("manner", ["close", "abort"])
    async def test_a_client_that_hangs_up_after_the_body_is_served_all_the_same(
        self, tmp_path: Path, manner: str
    ) -> None:
        """It gets no answer and will send again, but what has arrived is not thrown away."""
        large = order_bytes(paid_order(psid=PSID, note="x" * 300_000))
        async with shop_under_test(tmp_path) as shop:
            for number, body in enumerate((BODY, large, BODY)):
                async with connection(shop.url) as (_, writer):
                    writer.write(request_bytes(signed(body=body, webhook_id=f"wh-{number}"), body))
                    await writer.drain()
                    if manner == "abort":
                        writer.transport.abort()

            ends = [(await shop.finished(f"webhook:wh-{number}")).status for number in range(3)]

            assert sorted(ends) == ["done", "skipped", "skipped"]
            assert len(shop.messenger.sent) == 1


class TestContent:
    async def test_a_signed_body_that_cannot_be_read_is_kept_as_a_dead_letter(self, tmp_path: Path) -> None:
        bodies = (b"", b"{", b"\xff\xfe\x00", b'{"id": ' + b"9" * 5_000 + b"}", b"[" * 100_000)
        async with shop_under_test(tmp_path) as shop:
            for topic, body in product(("orders/paid", "carts/update"), bodies):
                event_id = await shop.post(topic, body)
                record = await shop.finished(event_id)

                assert (record.status, record.reason) == ("failed", "WEBHOOK_PROCESSING_ERROR")
                assert [entry.reason for entry in record.journal] == ["WEBHOOK_PROCESSING_ERROR"]
                assert await shop.store.zscore(shop.keys.dead, event_id) is not None
                assert await shop.store.hget(shop.keys.event(event_id), "body") == body

    async def test_a_topic_without_a_rule_is_answered_200_and_noted(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            for topic in ("carts/update", "products/create", "customers/update", "orders/cancelled"):
                record = await shop.finished(await shop.post(topic, BODY))

                assert (record.status, record.reason) == ("skipped", "NO_RULE")
                assert [entry.reason for entry in record.journal] == ["NO_RULE"]
            assert shop.messenger.requests == []

    async def test_a_large_order_passes(self, tmp_path: Path) -> None:
        """Shopify names no limit; orders of more than a megabyte have been seen."""
        body = order_bytes(paid_order(psid=PSID, note="ä" * 1_000_000))
        async with shop_under_test(tmp_path) as shop:
            record = await shop.finished(await shop.post("orders/paid", body))

        assert record.status == "done"


class TestRoutes:
    async def test_what_is_not_there_or_not_allowed_is_said_in_json(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            wrong_method = await shop.http.get(ROUTE)
            unknown = await shop.http.post("/webhooks/unknown", content=BODY, headers=signed())
            alive = await shop.http.get("/healthz")
            ready = await shop.http.get("/readyz")

        assert wrong_method.status_code == 405
        assert wrong_method.headers["Allow"] == "POST"
        assert "error" in wrong_method.json()
        assert unknown.status_code == 404
        assert "error" in unknown.json()
        assert (alive.status_code, ready.status_code) == (200, 200)
        assert ready.json()["status"] == "ready"

    async def test_what_is_no_http_does_not_stop_the_server(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            for garbage in (b"\x00\x01 hello\r\n\r\n", b"POST /webhooks/shopify HTTP/9.9\r\n\r\n"):
                assert (await exchange(shop.url, garbage)).status == 400
            for no_address in ("shop.example:443", "http://shop.example:99999999/", "healthz"):
                answer = await exchange(shop.url, request_bytes({}, method="CONNECT", path=no_address))
                assert (answer.status, "connection: close" in answer.head) == (400, True)
                assert json.loads(answer.body) == {"error": f"Bad URL: {no_address}"}
            record = await shop.finished(await shop.post("orders/paid", BODY))

        assert record.status == "done"
