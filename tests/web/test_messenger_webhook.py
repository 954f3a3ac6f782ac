from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from shopbot.store.conversations import Conversations
from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.webhooks import escape_like_meta, messenger_headers
from support.raw_http import exchange, request_bytes

APP_SECRET = "test-app-secret"
PSID = "7312345678901234"
VERIFIER = "  - {use: messenger_hmac, app_secret: test-app-secret, verify_token: hello}\nresolvers:"
ANSWER = """
  - name: greeting
    on: messenger/message
    when: {text_matches: "where's my order"}
    steps: [{send_message: greeting}]
messages:
  greeting: {tag: order_answer, text: "We are looking for it."}
"""


@contextlib.asynccontextmanager
async def a_shop(directory: Path, config: str = CONFIG) -> AsyncIterator[ShopUnderTest]:
    """Run a shop that takes Messenger's webhooks."""
    simulator = MessengerSimulator(access_token=PAGE_TOKEN, app_secret=APP_SECRET)
    config = config.replace("resolvers:", VERIFIER, 1).replace("\nmessages:", ANSWER, 1)
    async with shop_under_test(directory, config=config, messenger=simulator) as shop:
        simulator.webhook_url = f"{shop.url}/webhooks/messenger"
        yield shop


async def deliver(shop: ShopUnderTest, payload: object, secret: str = APP_SECRET) -> httpx.Response:
    """Deliver a body as Meta does: escaped, and signed as it is."""
    body = escape_like_meta(payload)
    return await shop.http.post("/webhooks/messenger", content=body, headers=messenger_headers(body, secret))


def update(page_id: str = "102290129340398", **item: object) -> dict[str, object]:
    """Make a delivery of one update."""
    content = {"sender": {"id": PSID}, "recipient": {"id": page_id}, "timestamp": 1795391999000, **item}
    return {"object": "page", "entry": [{"id": page_id, "time": 1795392000000, "messaging": [content]}]}


async def test_the_handshake_answers_the_challenge_to_the_right_token_only(tmp_path: Path) -> None:
    async with a_shop(tmp_path) as shop:
        assert await shop.messenger.handshake("hello", "12345")
        assert not await shop.messenger.handshake("hullo", "12345")
        mode = await shop.http.get("/webhooks/messenger", params={"hub.verify_token": "hello"})

    assert mode.status_code == 403


async def test_what_a_shopper_writes_is_answered_once_however_often_it_is_delivered(tmp_path: Path) -> None:
    async with a_shop(tmp_path) as shop:
        said = await shop.messenger.say(PSID, "Where\u2019s my order? Größe")
        await shop.messenger.redeliver(said.mid)
        await shop.finished(f"messenger:message:{said.mid}")

        assert [message.text for message in shop.messenger.sent] == ["We are looking for it."]
        assert shop.messenger.sent[0].messaging_type == "RESPONSE"


async def test_another_text_is_filtered(tmp_path: Path) -> None:
    async with a_shop(tmp_path) as shop:
        said = await shop.messenger.say(PSID, "Hello!")
        record = await shop.finished(f"messenger:message:{said.mid}")

    assert record.reason == "FILTERED"


async def test_meta_signs_the_escaped_form_and_only_that_verifies(tmp_path: Path) -> None:
    payload = update(message={"mid": "m_1", "text": "Grüße / ciao"})
    async with a_shop(tmp_path) as shop:
        body = escape_like_meta(payload)
        assert b"\\u00fc" in body
        assert b"\\/" in body
        good = await shop.http.post("/webhooks/messenger", content=body, headers=messenger_headers(body, APP_SECRET))
        other = body.replace(b"\\/", b"/")
        bad = await shop.http.post("/webhooks/messenger", content=other, headers=messenger_headers(body, APP_SECRET))

    assert (good.status_code, bad.status_code) == (200, 403)


async def test_a_wrong_or_missing_signature_is_refused_without_a_trace_of_the_body(tmp_path: Path) -> None:
    payload = update(message={"mid": "m_1", "text": "a secret thing"})
    async with a_shop(tmp_path) as shop:
        wrong = await deliver(shop, payload, "another-secret")
        missing = await shop.http.post("/webhooks/messenger", content=escape_like_meta(payload))
        no_text = request_bytes({"X-Hub-Signature-256": b"sha256=\xff"}, b"{}", path="/webhooks/messenger")
        unreadable = await exchange(shop.url, no_text)
        rejections = [entry for entry in shop.logs.entries if entry["event"] == "request_rejected"]

        assert await shop.store.xlen(shop.keys.inbox) == 0
    assert (wrong.status_code, missing.status_code, unreadable.status) == (403, 403, 403)
    assert len(rejections) == 3
    assert "secret thing" not in str(rejections)


async def test_a_thousand_updates_in_one_delivery_are_all_kept(tmp_path: Path) -> None:
    item = update(message={"text": "hi"})["entry"][0]["messaging"][0]  # type: ignore[index]
    many = [{**item, "message": {"mid": f"m_{n}", "text": "hi"}} for n in range(1000)]
    payload: dict[str, object] = {"object": "page", "entry": [{"id": "102290129340398", "messaging": many}]}
    async with a_shop(tmp_path) as shop:
        response = await deliver(shop, payload)
        records = [await shop.finished(f"messenger:message:m_{n}") for n in range(1000)]

    assert response.status_code == 200
    assert {record.reason for record in records} == {"FILTERED"}


async def test_updates_that_are_not_for_us_are_answered_and_left(tmp_path: Path) -> None:
    message = {"mid": "m_1", "text": "hi"}
    standby = update(message=message)
    standby["entry"][0]["standby"] = standby["entry"][0].pop("messaging")  # type: ignore[index]
    async with a_shop(tmp_path) as shop:
        payloads: list[object] = [
            standby,
            update(page_id="999", message=message),
            update(delivery={"watermark": 1}),
            update(read={"watermark": 1}),
            update(something_new={"a": 1}),
            {"object": "instagram", "entry": []},
            {"object": "page", "entry": [None, {"id": 1}, {"messaging": [1, {"sender": 5}]}]},
            [],
        ]
        for payload in payloads:
            assert (await deliver(shop, payload)).status_code == 200

        assert await shop.store.keys(shop.keys.event("*")) == []


async def test_a_signed_body_that_is_no_json_becomes_a_dead_letter(tmp_path: Path) -> None:
    body = b'{"object": "page", '
    async with a_shop(tmp_path) as shop:
        response = await shop.http.post(
            "/webhooks/messenger", content=body, headers=messenger_headers(body, APP_SECRET)
        )
        async with asyncio.timeout(60):
            while not (dead := await shop.store.zrange(shop.keys.dead, 0, -1)):
                await asyncio.sleep(0.01)
        record = await shop.records.event(str(dead[0], "utf-8"))  # type: ignore[arg-type]  # redis-py's union

    assert response.status_code == 200
    assert record is not None
    assert record.reason == "WEBHOOK_PROCESSING_ERROR"


async def test_writing_opens_the_window_and_a_page_s_own_echo_does_not(tmp_path: Path) -> None:
    async with a_shop(tmp_path) as shop:
        conversations = Conversations(shop.store, shop.keys)
        echo = update(message={"mid": "m_e", "is_echo": True, "text": "hi", "metadata": "another app's"})
        await deliver(shop, echo)
        assert await conversations.last_active(PSID) is None

        said = await shop.messenger.say(PSID, "Hello!")
        await shop.finished(f"messenger:message:{said.mid}")
        last = await conversations.last_active(PSID)

    assert last is not None
    assert abs(last - datetime.now(UTC)) < timedelta(minutes=1)


async def test_without_a_verifier_nothing_is_taken(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        response = await deliver(shop, update(message={"mid": "m_1", "text": "hi"}))

    assert response.status_code == 403


async def test_an_echo_with_forged_metadata_settles_nothing(tmp_path: Path) -> None:
    """Whoever can make the Page send messages may put our metadata into one; the token must fit, too."""
    async with a_shop(tmp_path) as shop:
        for mid, subject in (("m_e", "order:1"), ("m_\ud83d", "order:1"), ("m_e", "order:\ud83d")):
            metadata = f"shopbot|order_confirmation:{subject}|no-token"
            echo = update(message={"mid": mid, "is_echo": True, "metadata": metadata})
            assert (await deliver(shop, echo)).status_code == 200

        assert await shop.store.exists(shop.keys.claim("order_confirmation", "order:1")) == 0
    assert SECRET not in str(shop.logs.entries)
