"""Previews beside a running host: what they show is what it sends, and what they find is what it keeps."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import order_bytes, paid_order
from support.command_line import Ended, shopbot
from support.conversation import APP_SECRET, ended, fulfillment, talking_shop, tell

PSID = "7312345678901234"
ORDER_ID = 830_517_264_905_318_211
GRAPH = "https://graph.facebook.com"


async def preview(directory: Path, *arguments: str) -> Ended:
    """Call `shopbot preview` beside the host, as an operator does."""
    environ = {
        "SHOPIFY_WEBHOOK_SECRET": SECRET,
        "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
        "MESSENGER_APP_SECRET": APP_SECRET,
        "MESSENGER_VERIFY_TOKEN": "hello",
        "MESSENGER_URL": GRAPH,
    }
    return await asyncio.to_thread(shopbot, "preview", *arguments, directory=directory, environ=environ, columns=120)


async def listed(directory: Path, *arguments: str) -> list[dict[str, Any]]:
    shown = await preview(directory, *arguments, "--json")
    assert shown.exit_code == 0, shown.errors
    found: list[dict[str, Any]] = json.loads(shown.output)
    return found


def anonymous(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a preview makes up: the shopper, and the claim's token."""
    body["recipient"]["id"] = "somebody"
    body["message"]["metadata"] = body["message"]["metadata"].rpartition("|")[0]
    return body


async def test_the_json_is_what_meta_gets_for_the_same_order(tmp_path: Path) -> None:
    """In the window the text with its quick replies, outside it the utility template, each to the last character."""
    body = paid_order(psid=PSID, locale="de", name="#1001 · Größe 🎉")
    (tmp_path / "order.json").write_bytes(order_bytes(body))
    async with talking_shop(tmp_path) as shop:
        (shown,) = await listed(tmp_path, "order_confirmation", "--order", "order.json")
        await tell(shop, "orders/paid", body)  # nobody has seen this shopper: the template
        await ended(shop, await shop.messenger.say(PSID, "Hello"))
        await tell(shop, "orders/paid", {**body, "id": ORDER_ID + 1})
        outside, inside = shop.messenger.sent

    calls = {sending["window"]: sending for sending in shown["sendings"]}
    assert {sending["to"] for sending in calls.values()} == {f"POST {GRAPH}/v25.0/{shop.messenger.page_id}/messages"}
    assert anonymous(calls["closed"]["body"]) == anonymous(outside.raw)
    assert calls["closed"]["words"] == outside.text
    in_window = json.loads(json.dumps(calls["open"]["body"]).replace(str(ORDER_ID), str(ORDER_ID + 1)))
    assert anonymous(in_window) == anonymous(inside.raw)
    assert "quick_replies" in inside.raw["message"]


async def test_an_answer_is_shown_as_it_is_given(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        await tell(shop, "orders/paid", paid_order(psid=PSID, number=1001))
        await ended(shop, await shop.messenger.say(PSID, "Where's my order?"))
        (shown,) = await listed(tmp_path, "order_status", "--order", "1001", "--locale", "en")
        answer = shop.messenger.sent[-1].raw

    body = shown["sendings"][0]["body"]
    assert (body["messaging_type"], body["message"]["text"]) == ("RESPONSE", answer["message"]["text"])


class TestAnOrderOfTheStore:
    @pytest.mark.parametrize("named", ["#1001", "1001", str(ORDER_ID)])
    async def test_of_one_that_is_worked_off_there_is_what_is_kept(self, tmp_path: Path, named: str) -> None:
        async with shop_under_test(tmp_path) as shop:
            event_id = await shop.post("orders/paid", paid_order(psid=PSID, number=1001, locale="de"))
            await shop.finished(event_id)
            shown = await preview(tmp_path, "--order", named, "--json")

        (found,) = json.loads(shown.output)
        assert (shown.exit_code, found["order"], found["asked_locale"]) == (0, "#1001", "de")
        assert "Bestellung #1001" in found["text"]
        assert shown.errors.startswith(
            "order #1001 from the store, of the shopper …1234: of an order that is worked off"
        )
        assert "give the order as a file" in shown.errors
        assert PSID not in shown.output + shown.errors

    async def test_parcels_that_came_later_are_known(self, tmp_path: Path) -> None:
        async with talking_shop(tmp_path) as shop:
            await tell(shop, "orders/paid", paid_order(psid=PSID, number=1001))
            await tell(shop, "fulfillments/create", fulfillment(ORDER_ID))
            (found,) = await listed(tmp_path, "order_shipped", "--order", "#1001")

        assert "00340434161094042557" in found["text"]

    async def test_of_one_that_waits_or_was_given_up_there_is_everything(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            await self._refused(shop, number=1001)
            (tmp_path / "templates").mkdir()
            (tmp_path / "templates" / "order_confirmation.txt.j2").write_text(
                "Total: {{ order.total | money }} {% for one in order.note_attributes %}{{ one.value }}{% endfor %}",
                encoding="utf-8",
            )
            shown = await preview(tmp_path, "--order", "#1001", "--json")

        (found,) = json.loads(shown.output)
        assert found["text"].startswith("Total: €")
        assert PSID not in shown.output + shown.errors
        assert shown.errors == "order #1001 from the store, of the shopper …1234\n"

    async def test_one_whose_shopper_is_not_known_is_found(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            await shop.finished(await shop.post("orders/paid", paid_order(number=1001)))
            (found,) = await listed(tmp_path, "--order", str(ORDER_ID))
            (again,) = await listed(tmp_path, "--order", "1001")

        assert found["order"] == again["order"] == "#1001"

    async def test_what_is_not_kept_of_it_keeps_no_rule_from_sending(self, tmp_path: Path) -> None:
        """The store does not know by which channel an order came; that it is no order of the web nobody can say."""
        text = CONFIG.replace("test: false}", "test: false, source_name: web}")
        async with shop_under_test(tmp_path, config=text) as shop:
            await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID, number=1001)))
            (found,) = await listed(tmp_path, "--order", "#1001")

        assert found["would_not_send"] is None

    @pytest.mark.parametrize("named", ["#1001", "9" * 5000])
    async def test_where_there_is_no_store_none_is_made(self, tmp_path: Path, named: str) -> None:
        (tmp_path / "shopbot.yaml").write_text(CONFIG, encoding="utf-8")
        shown = await preview(tmp_path, "--order", named)

        assert (shown.exit_code, shown.output) == (1, "")
        assert "there is no store yet in data" in shown.errors
        assert not (tmp_path / "data").exists()

    async def test_one_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path):
            shown = await preview(tmp_path, "--order", "#9999")
            assert "no order '9" in (await preview(tmp_path, "--order", "9" * 5000)).errors

        assert (shown.exit_code, shown.output) == (1, "")
        assert "no order '#9999' in the store of acme.myshopify.com, by number or by id" in shown.errors

    async def test_several_of_one_name_are_told_apart_by_their_ids(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            for order_id in (1, 2):
                await shop.finished(await shop.post("orders/paid", paid_order(order_id=order_id, number=7, psid=PSID)))
            shown = await preview(tmp_path, "--order", "#7")

        assert shown.exit_code == 1
        assert "several orders are called '#7': give the id of one" in shown.errors

    async def test_it_is_found_without_a_host_too(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID, number=1001)))
        (found,) = await listed(tmp_path, "--order", "#1001")

        assert found["order"] == "#1001"

    async def test_a_store_that_cannot_be_reached_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "shopbot.yaml").write_text(f"{CONFIG}store: unix:///nowhere/store.sock\n", encoding="utf-8")
        shown = await preview(tmp_path, "--order", "#1001")

        assert (shown.exit_code, shown.output) == (1, "")
        assert "/nowhere/store.sock" in shown.errors

    @staticmethod
    async def _refused(shop: ShopUnderTest, *, number: int) -> None:
        """Leave a dead letter: Messenger refuses the message for good."""
        shop.messenger.inject(Fault.error(100, subcode=2018001))
        record = await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID, number=number)))
        assert record.status == "failed"
