from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import order_bytes, paid_order, pending_order
from support.attacked_shop import a_page, echoing_config
from support.command_line import Ended, shopbot
from support.conversation import APP_SECRET, ended, fulfillment, talking_shop
from support.eventually import eventually

PSID = "7312345678901234"
ORDER_ID = 830_517_264_905_318_211
ENVIRON = {
    "SHOPIFY_WEBHOOK_SECRET": SECRET,
    "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
    "MESSENGER_URL": "http://127.0.0.1:1",
    "MESSENGER_APP_SECRET": APP_SECRET,
    "MESSENGER_VERIFY_TOKEN": "hello",
}


async def explain(directory: Path, *arguments: str) -> Ended:
    """Ask beside the running host, as an operator does."""
    return await asyncio.to_thread(shopbot, "explain", *arguments, directory=directory, environ=ENVIRON, columns=200)


async def told(directory: Path, *arguments: str) -> Mapping[str, Any]:
    answered = await explain(directory, *arguments, "--json")
    assert answered.exit_code == 0, answered.errors
    answer: Mapping[str, Any] = json.loads(answered.output)
    return answer


def whats(answer: Mapping[str, Any]) -> list[str]:
    return [moment["what"] for moment in answer["timeline"]]


async def test_an_order_is_explained_from_its_first_webhook_to_the_shopper_who_read(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        await ended(shop, await shop.messenger.say(PSID, "Hello"))
        await shop.finished(await shop.post("orders/create", pending_order(psid=PSID, order_id=ORDER_ID)))
        body = order_bytes(paid_order(psid=PSID, order_id=ORDER_ID))
        paid = await shop.post("orders/paid", body)
        await shop.finished(paid)
        await shop.post("orders/paid", body, webhook_id=paid.removeprefix("webhook:"))
        await shop.finished(await shop.post("fulfillments/create", order_bytes(fulfillment(ORDER_ID))))
        await shop.messenger.delivery(PSID)
        await shop.messenger.read(PSID)
        answer = await told(tmp_path, str(ORDER_ID))
        shown = (await explain(tmp_path, str(ORDER_ID))).output

    assert answer["summary"].startswith("2 messages sent, the first at ")
    assert (answer["order_number"], answer["psid"], answer["financial_status"]) == ("#1234", "…1234", "paid")
    assert [(event["topic"], event["status"], event["reason"]) for event in answer["events"]] == [
        ("orders/create", "skipped", "NOT_PAID"),
        ("orders/paid", "done", ""),
        ("fulfillments/create", "done", ""),
    ]
    assert answer["events"][1]["duplicates"] == 1
    assert "order_shipped" in answer["events"][1]["not_for_rules"]
    texts = {moment["what"]: moment["text"] for moment in answer["timeline"] if moment["event_id"] == paid}
    assert "vouched for by verify[0]:shopify_hmac, secret 1; the same arrived once more" in texts["arrived"]
    assert texts["1:resolve_psid"].startswith("done: …1234 (resolvers[0]:note_attributes, ")
    assert "UPDATE: inside the window" in texts["4:send_message"]
    order = whats(answer)
    assert order.index("claimed") < order.index("sent") < order.index("read")
    assert {"echo", "delivered"} <= set(order)
    assert f"order #1234 ({ORDER_ID}), paid, shipped, shopper …1234" in shown
    assert PSID not in shown + json.dumps(answer)


async def test_the_same_is_found_by_number_by_webhook_and_by_event(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        event_id = await shop.post("orders/paid", paid_order(psid=PSID, order_id=ORDER_ID, number=1234))
        await shop.finished(event_id)
        by_id = await told(tmp_path, str(ORDER_ID))
        for name in ("#1234", "1234", event_id, event_id.removeprefix("webhook:")):
            assert await told(tmp_path, name) == by_id, name


async def test_the_number_is_found_among_many(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await three_thousand_references(shop)
        answer = await told(tmp_path, "#2500")

    assert answer["order_id"] == "1002500"


async def three_thousand_references(shop: ShopUnderTest) -> None:
    async with shop.store.pipeline(transaction=False) as pipeline:
        for number in range(1, 3001):
            order_id = 1_000_000 + number
            text = json.dumps({"order_id": str(order_id), "order_number": f"#{number}", "psid": PSID})
            pipeline.set(shop.shared.order_reference(PSID, order_id), text)
            pipeline.set(shop.keys.shopper(order_id), PSID)
        await pipeline.execute()


async def test_a_shopper_is_explained_by_what_they_did_and_ordered(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        await ended(shop, await shop.messenger.say(PSID, "Where\u2019s my order?"))
        await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID, order_id=ORDER_ID)))
        await ended(shop, await shop.messenger.say(PSID, "stop"))
        answer = await told(tmp_path, PSID, "--psid")
        shown = (await explain(tmp_path, PSID, "--psid")).output

    assert [event["topic"] for event in answer["events"]] == ["messenger/message", "orders/paid", "messenger/message"]
    assert answer["orders"] == [{"order_id": str(ORDER_ID), "order_number": "#1234"}]
    assert answer["opted_out"] is True
    assert "shopper …1234, who wants no messages" in shown
    assert f"(shopbot explain {ORDER_ID})" in shown
    assert PSID not in shown


async def test_what_is_in_the_way_of_several_steps_is_said_once(tmp_path: Path) -> None:
    """At 80 columns the sentence takes six lines, and the steps behind it have nothing to add."""
    config = CONFIG.replace("trust: any", "trust: known_shopper")
    async with shop_under_test(tmp_path, config=config) as shop:
        event_id = await shop.post("orders/paid", paid_order(psid=PSID, order_id=ORDER_ID))
        await shop.finished(event_id)
        answer = await told(tmp_path, str(ORDER_ID))

    texts = [moment["text"] for moment in answer["timeline"] if "PSID_NOT_TRUSTED" in moment["text"]]
    assert len(texts) > 2
    assert ["the shop holds no cart" in text for text in texts] == [True] + [False] * (len(texts) - 1)
    assert answer["timeline"][0]["text"].endswith(f": {event_id}")


async def test_a_dead_letter_says_what_to_do(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        shop.messenger.inject(Fault.error(100, subcode=2018001))
        event_id = await shop.post("orders/paid", paid_order(psid=PSID, order_id=ORDER_ID))
        await shop.finished(event_id)
        answer = await told(tmp_path, str(ORDER_ID))

    assert answer["summary"].startswith(f"given up: MESSAGE_SEND_FAILED; see `shopbot dead show {event_id}`")
    assert any("Messenger error 100/2018001" in moment["text"] for moment in answer["timeline"])
    assert answer["events"][0]["waits_in"] == "dead"


async def test_a_send_in_doubt_says_until_when_its_echo_is_waited_for(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=echoing_config(), messenger=a_page()) as shop:
        shop.messenger.inject(Fault.http(500))
        await shop.post("orders/paid", paid_order(psid=PSID, order_id=ORDER_ID))

        async def held() -> bool:
            return bool(await shop.store.zcard(shop.keys.held))

        await eventually(held, "the send is in doubt")
        answer = await told(tmp_path, str(ORDER_ID))
        shown = (await explain(tmp_path, str(ORDER_ID))).output

    assert answer["summary"].startswith("a message is in doubt")
    assert "in doubt" in whats(answer)
    assert "waits for its message's echo until 20" in shown


async def test_an_event_that_nobody_has_worked_on_yet_is_there_all_the_same(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        shop.host._worker.stop()
        assert shop.host._working is not None
        await shop.host._working
        event_id = await shop.post("orders/paid", paid_order(psid=PSID, order_id=ORDER_ID))
        answer = await told(tmp_path, str(ORDER_ID))
        by_event = await told(tmp_path, event_id)

    assert answer["summary"] == "nothing sent yet: an event of it has not been worked on"
    assert [(event["event_id"], event["status"]) for event in answer["events"]] == [(event_id, "")]
    assert by_event["events"] == answer["events"]


async def test_an_event_about_no_order_is_explained_by_itself(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        event_id = await shop.post("carts/update", b"{}")
        await shop.finished(event_id)
        answer = await told(tmp_path, event_id)

    assert (answer["order_id"], answer["summary"]) == (None, "nothing sent: NO_RULE")


async def test_what_is_unknown_is_said_with_what_it_may_be(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path):
        for name in ("999", "#999", "no-such-webhook", "webhook:x"):
            answered = await explain(tmp_path, name)
            assert (answered.exit_code, answered.output) == (1, "")
            assert f"nothing is known of '{name}'" in answered.errors
            assert "for a shopper, add --psid" in answered.errors
        answered = await explain(tmp_path, PSID, "--psid")
    assert answered.exit_code == 1
    assert PSID not in answered.errors
