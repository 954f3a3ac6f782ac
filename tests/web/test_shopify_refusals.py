"""`POST /webhooks/shopify` refuses what is not Shopify's, not this shop's, too large or too slow."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from itertools import product
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shopbot.testing.host import CONFIG, SECRET, SHOP, ShopUnderTest, shop_under_test
from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.webhooks import HeaderFamily, shopify_headers, sign_shopify
from support.raw_http import connection, exchange, read_answer, request_bytes
from support.shop_runner import running_shop
from support.signed_webhook import BODY, PSID, ROUTE, signed


async def kept(shop: ShopUnderTest) -> int:
    """How many keys there are but those that a process keeps for itself: nothing stored leaves this unchanged."""
    own = (shop.keys.inbox, shop.keys.echoes)
    keys = [key.decode() async for key in shop.store.scan_iter()]
    return len([key for key in keys if key not in own and ":consumer:" not in key])


class TestSignature:
    async def test_a_request_without_a_valid_signature_is_refused_and_leaves_nothing(self, tmp_path: Path) -> None:
        """With 401 where Shopify's review asks for it."""
        topics = {"orders/paid": 403, "customers/data_request": 401, "customers/redact": 401, "shop/redact": 401}
        bad = {
            "missing": None,
            "empty": "",
            "not base64": "sha256=0123",
            "not ASCII": b"\xff\xfe",
            "of another body": sign_shopify(b"{}", SECRET),
            "with another secret": sign_shopify(BODY, SECRET + "x"),
            "cut short": sign_shopify(BODY, SECRET)[:-4],
            "hexadecimal": base64.b64decode(sign_shopify(BODY, SECRET)).hex(),
        }
        async with shop_under_test(tmp_path) as shop:
            before = await kept(shop)
            for (name, signature), topic in product(bad.items(), topics):
                headers: dict[str, str | bytes] = {**signed(topic)}
                del headers["X-Shopify-Hmac-Sha256"]
                if signature is not None:
                    headers["X-Shopify-Hmac-Sha256"] = signature
                answer = await exchange(shop.url, request_bytes(headers, BODY))
                assert answer.status == topics[topic], name

            assert await kept(shop) == before
            assert shop.messenger.requests == []

    async def test_a_refusal_leaves_a_security_line_without_secret_body_or_signature(self, tmp_path: Path) -> None:
        signature = sign_shopify(BODY, "another secret")
        async with shop_under_test(tmp_path) as shop:
            headers = signed() | {"X-Shopify-Hmac-Sha256": signature}
            await shop.http.post(ROUTE, content=BODY, headers=headers)
            lines = [line for line in shop.logs.entries if line["event"] == "request_rejected"]

        assert len(lines) == 1
        assert lines[0]["log_level"] == "warning"
        assert lines[0]["code"] == "INVALID_SIGNATURE"
        assert lines[0]["status"] == 403
        assert lines[0]["topic"] == "orders/paid"
        text = str(lines)
        for secret in (SECRET, signature, PSID, "Ada", "ada.lovelace@example.com"):
            assert secret not in text

    async def test_headers_cannot_write_control_characters_into_the_log(self, tmp_path: Path) -> None:
        """Anybody may send them: a bare line feed would forge a line, an escape sequence the operator's screen."""
        headers: dict[str, str | bytes] = {**signed(), "X-Shopify-Hmac-Sha256": "AAAA"}
        headers |= {"X-Shopify-Topic": b"orders/paid\x1b[2J\nfaked line"}
        async with shop_under_test(tmp_path) as shop:
            await exchange(shop.url, request_bytes(headers, BODY))
            line = next(line for line in shop.logs.entries if line["event"] == "request_rejected")

        assert line["topic"].isprintable()
        assert line["shop"].isprintable()

    async def test_during_a_rotation_both_secrets_are_good_and_no_third(self, tmp_path: Path) -> None:
        config = CONFIG.replace('["${SHOPIFY_WEBHOOK_SECRET}"]', '["${SHOPIFY_WEBHOOK_SECRET}", "${OLD_SECRET}"]')
        async with shop_under_test(tmp_path, config=config, environ={"OLD_SECRET": "the-old-secret"}) as shop:
            statuses = []
            for secret in (SECRET, "the-old-secret", "the-new-secret"):
                headers = shopify_headers("orders/paid", BODY, secret, SHOP)
                statuses.append((await shop.http.post(ROUTE, content=BODY, headers=headers)).status_code)

        assert statuses == [200, 200, 403]

    async def test_the_same_json_in_other_bytes_is_refused(self, tmp_path: Path) -> None:
        """The signature is over the raw bytes; a parsed and written body is another one."""
        rewritten = json.dumps(json.loads(BODY)).encode()
        async with shop_under_test(tmp_path) as shop:
            response = await shop.http.post(ROUTE, content=rewritten, headers=signed())

        assert response.status_code == 403

    def test_any_changed_byte_is_refused_and_stores_nothing(self, tmp_path: Path) -> None:
        with running_shop(tmp_path) as running:
            shop = running.shop
            before = running.run(kept(shop))
            places = st.integers(0, len(BODY) - 1)

            @settings(max_examples=60, deadline=None, database=None)
            @given(place=places, change=st.integers(1, 255), manner=st.sampled_from(["flip", "drop", "insert"]))
            @example(place=0, change=1, manner="flip")
            @example(place=len(BODY) - 1, change=1, manner="drop")
            @example(place=len(BODY) - 1, change=10, manner="insert")
            def refused(place: int, change: int, manner: str) -> None:
                changed = bytearray(BODY)
                if manner == "flip":
                    changed[place] ^= change
                elif manner == "drop":
                    del changed[place]
                else:
                    changed.insert(place, change)
                if changed == BODY:
                    return
                request = shop.http.post(ROUTE, content=bytes(changed), headers=signed())
                assert running.run(request).status_code == 403

            @settings(max_examples=40, deadline=None, database=None)
            @given(place=st.integers(0, 31), change=st.integers(1, 255))
            def refused_signature(place: int, change: int) -> None:
                signature = bytearray(base64.b64decode(sign_shopify(BODY, SECRET)))
                signature[place] ^= change
                headers = signed() | {"X-Shopify-Hmac-Sha256": base64.b64encode(signature).decode()}
                assert running.run(shop.http.post(ROUTE, content=BODY, headers=headers)).status_code == 403

            refused()
            refused_signature()

            assert running.run(kept(shop)) == before
            assert shop.messenger.requests == []


class TestHeaders:
    async def test_another_shops_webhook_is_refused_even_with_a_valid_signature(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            before = await kept(shop)
            statuses = []
            for domain in ("other.myshopify.com", "", f"{SHOP}.evil.example", f"{SHOP}, {SHOP}"):
                headers = shopify_headers("orders/paid", BODY, SECRET, domain)
                statuses.append((await shop.http.post(ROUTE, content=BODY, headers=headers)).status_code)

            assert statuses == [403] * 4
            assert await kept(shop) == before

    async def test_both_families_of_headers_are_read_in_any_case(self, tmp_path: Path) -> None:
        families: tuple[HeaderFamily, ...] = ("X-Shopify", "Shopify")
        cases: tuple[Callable[[str], str], ...] = (str.lower, str.upper, str.title)
        async with shop_under_test(tmp_path) as shop:
            for number, (family, case) in enumerate(product(families, cases)):
                body = order_bytes(paid_order(order_id=number + 1, psid=PSID))
                headers = signed(body=body, family=family, webhook_id=f"wh-{number}")
                written = {case(name): value for name, value in headers.items()}
                answer = await exchange(shop.url, request_bytes(written, body))
                record = await shop.finished(f"webhook:wh-{number}")

                assert answer.status == 200, written
                assert (record.topic, record.status) == ("orders/paid", "done"), written

    async def test_the_shops_domain_is_read_in_any_case(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            headers = shopify_headers("orders/paid", BODY, SECRET, SHOP.upper())
            response = await shop.http.post(ROUTE, content=BODY, headers=headers)

        assert response.status_code == 200

    async def test_headers_that_shopify_may_leave_out_are_not_needed(self, tmp_path: Path) -> None:
        headers = signed(webhook_id="wh-1")
        for left_out in ("Event-Id", "API-Version", "Triggered-At"):
            del headers[f"X-Shopify-{left_out}"]
        async with shop_under_test(tmp_path) as shop:
            response = await shop.http.post(ROUTE, content=BODY, headers=headers)
            record = await shop.finished("webhook:wh-1")

        assert response.status_code == 200
        assert record.status == "done"

    async def test_without_a_webhook_id_the_same_body_and_topic_is_the_same_arrival(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            statuses = []
            for topic in ("orders/paid", "orders/paid", "orders/create"):
                headers = signed(topic)
                del headers["X-Shopify-Webhook-Id"]
                statuses.append((await shop.http.post(ROUTE, content=BODY, headers=headers)).status_code)
            await shop.messenger.wait_for_sent(1)
            events = [key async for key in shop.store.scan_iter(match="*}:event:*")]

        assert statuses == [200, 200, 200]
        assert len(events) == 2

    async def test_ids_that_are_too_long_or_no_text_still_tell_arrivals_apart(self, tmp_path: Path) -> None:
        """Bytes that are no UTF-8 reach the route as half surrogate pairs, which no store takes."""
        ids: list[str | bytes] = ["a" * 5_000, "a" * 4_999 + "b", "{other.myshopify.com}", "a b:c*"]
        ids += [b"wh\xff", b"wh\xfe", b"wh\x1b[2J"]
        async with shop_under_test(tmp_path) as shop:
            statuses = []
            for webhook_id in [*ids, *ids]:
                headers: dict[str, str | bytes] = {**signed("carts/update", b"{}"), "X-Shopify-Webhook-Id": webhook_id}
                statuses.append((await exchange(shop.url, request_bytes(headers, b"{}"))).status)
            end = await shop.finished(await shop.post("orders/paid", BODY))
            events = [key async for key in shop.store.scan_iter(match="*}:event:*")]

        assert statuses == [200] * 2 * len(ids)
        assert end.status == "done"
        assert len(events) == len(ids) + 1

    async def test_a_topic_that_is_none_is_answered_400(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            before = await kept(shop)
            for topic in (None, "", "orders/" + "x" * 100, b"orders/p\xff", b"orders/\x1b[2J"):
                headers: dict[str, str | bytes] = {**signed()}
                del headers["X-Shopify-Topic"]
                if topic is not None:
                    headers["X-Shopify-Topic"] = topic
                answer = await exchange(shop.url, request_bytes(headers, BODY))

                assert answer.status == 400, topic
                assert b"topic" in answer.body
            assert await kept(shop) == before

    async def test_a_triggered_at_that_is_no_time_is_ignored(self, tmp_path: Path) -> None:
        headers: dict[str, str | bytes] = {**signed(webhook_id="wh-1"), "X-Shopify-Triggered-At": b"noon \xff"}
        async with shop_under_test(tmp_path) as shop:
            answer = await exchange(shop.url, request_bytes(headers, BODY))
            record = await shop.finished("webhook:wh-1")

        assert (answer.status, record.status) == (200, "done")


class TestLimits:
    CONFIG = CONFIG + "web: {max_body_bytes: 20000}\n"
    HASTY_CONFIG = CONFIG.replace("20000", "20000, request_time_limit: 1s")

    async def test_a_body_over_the_limit_is_answered_413_however_it_is_sent(self, tmp_path: Path) -> None:
        large = b" " * 20_001

        async def in_chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(large), 5_000):
                yield large[start : start + 5_000]

        async with shop_under_test(tmp_path, config=self.CONFIG) as shop:
            before = await kept(shop)
            whole = await shop.http.post(ROUTE, content=large, headers=signed(body=large))
            chunked = await shop.http.post(ROUTE, content=in_chunks(), headers=signed(body=large))
            # Announced only: refused before a byte of it is read.
            announced = await exchange(shop.url, request_bytes(signed(), content_length=10**12))

            assert [whole.status_code, chunked.status_code, announced.status] == [413, 413, 413]
            assert "error" in whole.json()
            assert await kept(shop) == before

    async def test_a_body_of_exactly_the_limit_is_taken_also_in_chunks(self, tmp_path: Path) -> None:
        body = BODY + b" " * (20_000 - len(BODY))

        async def in_chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 7_000):
                yield body[start : start + 7_000]

        async with shop_under_test(tmp_path, config=self.CONFIG) as shop:
            headers = signed(body=body, webhook_id="wh-1")
            response = await shop.http.post(ROUTE, content=in_chunks(), headers=headers)
            record = await shop.finished("webhook:wh-1")

        assert (response.status_code, record.status) == (200, "done")

    async def test_a_body_that_dribbles_in_is_answered_408_while_others_are_served(self, tmp_path: Path) -> None:
        """A byte now and then does not renew the time limit."""
        async with shop_under_test(tmp_path, config=self.HASTY_CONFIG) as shop:
            before = await kept(shop)
            async with connection(shop.url) as (reader, writer):
                writer.write(request_bytes(signed(), content_length=len(BODY)))
                answer = asyncio.create_task(read_answer(reader))
                for byte in BODY:
                    writer.write(bytes([byte]))
                    if (await asyncio.wait([answer], timeout=0.02))[0]:
                        break
                    assert (await shop.http.get("/healthz")).status_code == 200
                status = (await answer).status

            assert status == 408
            assert await kept(shop) == before
            assert (await shop.finished(await shop.post("orders/paid", BODY))).status == "done"

    async def test_a_body_that_ends_early_is_kept_nowhere(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            before = await kept(shop)
            async with connection(shop.url) as (reader, writer):
                writer.write(request_bytes(signed(), BODY[:-1], content_length=len(BODY)))
                writer.write_eof()
                assert await reader.read() == b""

            assert await kept(shop) == before
