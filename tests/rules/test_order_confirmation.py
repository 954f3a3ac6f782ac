"""The main job through the whole host: exactly one confirmation when and only when an order is paid."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shopbot.testing.host import CONFIG, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import cancelled_order, paid_order, pending_order, refunded_order
from support.orders import ending, order_ids, shoppers, steps
from support.shop_runner import running_shop

PSID = "7312345678901234"
ORDER_ID = 830_517_264_905_318_211
KNOWN_SHOPPER = CONFIG.replace("trust: any", "trust: known_shopper")
TEMPORARY = Fault.error(1200)


@dataclass(frozen=True)
class Version:
    """One state of an order as a topic brings it, and how an event with it ends where nothing was sent before."""

    topic: str
    fields: Mapping[str, Any]
    ends: str

    def body(self, order_id: int, psid: str) -> dict[str, Any]:
        return paid_order(order_id=order_id, psid=psid, **self.fields)


_CANCELLED_AT = "2026-11-23T11:15:00+01:00"
VERSIONS = {
    "created pending": Version("orders/create", {"financial_status": "pending"}, "NOT_PAID"),
    "created paid": Version("orders/create", {}, "done"),
    "paid": Version("orders/paid", {}, "done"),
    "updated paid": Version("orders/updated", {}, "done"),
    "updated authorized": Version("orders/updated", {"financial_status": "authorized"}, "NOT_PAID"),
    "updated partially paid": Version("orders/updated", {"financial_status": "partially_paid"}, "NOT_PAID"),
    "updated refunded": Version("orders/updated", {"financial_status": "refunded"}, "NOT_PAID"),
    "updated voided": Version("orders/updated", {"financial_status": "voided"}, "NOT_PAID"),
    "updated without a status": Version("orders/updated", {"financial_status": None}, "NOT_PAID"),
    "updated cancelled": Version("orders/updated", {"cancelled_at": _CANCELLED_AT}, "CANCELLED"),
    "created cancelled": Version("orders/create", {"cancelled_at": "some time ago"}, "CANCELLED"),
    "cancelled": Version("orders/cancelled", {"cancelled_at": _CANCELLED_AT}, "NO_RULE"),
    "created test": Version("orders/create", {"test": True}, "TEST_ORDER"),
    "paid test": Version("orders/paid", {"test": True}, "TEST_ORDER"),
}


async def read_json(shop: ShopUnderTest, key: str) -> dict[str, Any]:
    text = await shop.store.get(key)
    assert text is not None, key
    value: dict[str, Any] = json.loads(text)
    return value


class TestOncePerOrder:
    def test_any_mix_of_topics_gives_one_confirmation_if_a_paid_version_came_and_else_none(
        self, tmp_path: Path
    ) -> None:
        psids, orders = shoppers(), order_ids()
        deliveries = st.lists(st.sampled_from(sorted(VERSIONS)), min_size=1, max_size=6)

        async def holds(shop: ShopUnderTest, names: Sequence[str], *, at_once: bool, twice: Sequence[int]) -> None:
            psid, order_id = next(psids), next(orders)

            async def deliver(number: int, name: str) -> str:
                version, webhook_id = VERSIONS[name], f"{order_id}-{number}"
                body = version.body(order_id, psid)
                for _ in range(2 if number in twice else 1):
                    event_id = await shop.post(version.topic, body, webhook_id=webhook_id)
                if not at_once:
                    await shop.finished(event_id)
                return event_id

            if at_once:
                events = await asyncio.gather(*(deliver(*pair) for pair in enumerate(names)))
            else:
                events = [await deliver(*pair) for pair in enumerate(names)]
            ends = [ending(await shop.finished(event)) for event in events]

            confirming = [n for n, name in enumerate(names) if VERSIONS[name].ends == "done"]
            assert len(shop.messenger.sent_to(psid)) == min(1, len(confirming))
            assert [ends[n] for n in confirming].count("done") == min(1, len(confirming))
            for number, name in enumerate(names):
                late = {"done", "ALREADY_CONFIRMED", "IN_PROGRESS"}
                assert ends[number] in (late if number in confirming else {VERSIONS[name].ends})
            if not at_once and confirming:
                assert ends[confirming[0]] == "done"
                assert {ends[n] for n in confirming[1:]} <= {"ALREADY_CONFIRMED"}

        with running_shop(tmp_path) as running:

            @settings(max_examples=60, deadline=None, database=None)
            @given(names=deliveries, at_once=st.booleans(), twice=st.lists(st.integers(0, 5), max_size=3))
            def one_confirmation(names: list[str], twice: list[int], *, at_once: bool) -> None:
                running.run(holds(running.shop, names, at_once=at_once, twice=twice))

            one_confirmation()

    async def test_many_orders_at_once_get_one_confirmation_each(self, tmp_path: Path) -> None:
        psids, orders = shoppers(), order_ids()
        shop_orders = {next(psids): next(orders) for _ in range(80)}
        topics = ("orders/create", "orders/paid", "orders/updated")
        async with shop_under_test(tmp_path) as shop:
            events = await asyncio.gather(
                *(
                    shop.post(topic, paid_order(order_id=order_id, number=1_000 + number, psid=psid))
                    for topic in topics
                    for number, (psid, order_id) in enumerate(shop_orders.items())
                )
            )
            ends = Counter([ending(await shop.finished(event)) for event in events])
            seen = Counter(message.psid for message in shop.messenger.sent)
            texts = {message.psid: message.text for message in shop.messenger.sent}

        assert seen == Counter(shop_orders.keys())
        assert ends["done"] == len(shop_orders)
        assert set(ends) <= {"done", "ALREADY_CONFIRMED", "IN_PROGRESS"}
        for number, psid in enumerate(shop_orders):
            assert f"#{1_000 + number}\n" in texts[psid]

    async def test_the_same_webhook_is_worked_on_once(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            body = paid_order(psid=PSID)
            await asyncio.gather(*(shop.post("orders/paid", body, webhook_id="wh-1") for _ in range(20)))
            record = await shop.finished("webhook:wh-1")
            late = await shop.finished(await shop.post("orders/paid", body, webhook_id="wh-1"))

        assert record.status == "done"
        assert late.duplicates == 20
        assert late.attempts == 1
        assert len(shop.messenger.sent) == 1

    async def test_two_orders_of_one_shopper_are_two_confirmations(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            events = [
                await shop.post("orders/paid", paid_order(order_id=n, number=n, psid=PSID)) for n in (1_001, 1_002)
            ]
            ends = [(await shop.finished(event)).status for event in events]

        assert ends == ["done", "done"]
        assert sorted(message.text.splitlines()[1] for message in shop.messenger.sent) == ["Order #1001", "Order #1002"]

    async def test_the_shopper_reads_number_delivery_date_and_how_to_track(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            body = paid_order(psid=PSID, number=1234)
            await shop.finished(await shop.post("orders/paid", body))
            reference = await read_json(shop, shop.shared.order_reference(PSID, ORDER_ID))
            confirmation = await read_json(shop, shop.shared.order_confirmation(PSID, ORDER_ID))
            message = shop.messenger.sent[0]

        assert message.text == (
            "Order confirmed! 🎉\nOrder #1234\nEst. delivery: Nov 26\nTrack your order: type 'Where's my order?'"
        )
        assert message.messaging_type == "UPDATE"
        assert reference["order_id"] == str(ORDER_ID)
        assert reference["order_number"] == "#1234"
        assert reference["psid"] == PSID
        assert reference["financial_status"] == "paid"
        assert reference["confirmed_at"] == confirmation["confirmed_at"]
        assert confirmation["message_id"] == message.message_id

    async def test_pending_then_paid_then_cancelled_confirms_at_the_payment(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            ends = []
            for topic, body in (
                ("orders/create", pending_order(psid=PSID)),
                ("orders/updated", pending_order(psid=PSID)),
                ("orders/paid", paid_order(psid=PSID)),
                ("orders/cancelled", cancelled_order(psid=PSID)),
                ("orders/updated", cancelled_order(psid=PSID)),
                ("orders/updated", refunded_order(psid=PSID)),
            ):
                ends.append(ending(await shop.finished(await shop.post(topic, body))))

        assert ends == ["NOT_PAID", "NOT_PAID", "done", "NO_RULE", "CANCELLED", "NOT_PAID"]
        assert len(shop.messenger.sent) == 1


class TestWithoutShopper:
    async def test_the_order_is_kept_as_unresolved_with_a_warning_and_no_message(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path) as shop:
            record = await shop.finished(await shop.post("orders/paid", paid_order()))
            kept = await read_json(shop, f"order_reference:unresolved:{ORDER_ID}")
            warnings = [line for line in shop.logs.entries if line["event"] == "order_without_shopper"]

        assert (record.status, record.reason) == ("skipped", "PSID_NOT_FOUND")
        assert ("3:save_order_reference", "done", None) in steps(record)
        assert ("4:send_message", "skipped", "PSID_NOT_FOUND") in steps(record)
        assert kept["psid"] is None
        assert kept["order_number"] == "#1234"
        assert [(line["log_level"], line["order_id"]) for line in warnings] == [("warning", ORDER_ID)]
        assert shop.messenger.requests == []

    async def test_a_later_event_that_names_the_shopper_confirms_and_removes_the_unresolved_one(
        self, tmp_path: Path
    ) -> None:
        async with shop_under_test(tmp_path) as shop:
            await shop.finished(await shop.post("orders/create", paid_order()))
            record = await shop.finished(await shop.post("orders/updated", paid_order(psid=PSID)))
            references = sorted([key.decode() async for key in shop.store.scan_iter(match="order_reference:*")])

        assert record.status == "done"
        assert len(shop.messenger.sent_to(PSID)) == 1
        assert references == [f"order_reference:{PSID}:{ORDER_ID}"]

    async def test_a_value_that_is_no_psid_is_not_sent_to(self, tmp_path: Path) -> None:
        """Not even with `trust: any`: digits, 32 at most."""
        values = ("someone", "12 34", "1" * 33, "٣٤٥", "-1", "1234\u0000", "<script>", "../7312345678901234")
        orders = order_ids()
        async with shop_under_test(tmp_path) as shop:
            for value in values:
                body = paid_order(order_id=next(orders), psid=value)
                record = await shop.finished(await shop.post("orders/paid", body))

                assert (record.status, record.reason) == ("skipped", "PSID_NOT_TRUSTED"), value
                assert value not in str(record.journal)
            assert shop.messenger.requests == []


class TestTrust:
    async def test_a_psid_that_only_the_shopper_vouches_for_gets_no_message(self, tmp_path: Path) -> None:
        async with shop_under_test(tmp_path, config=KNOWN_SHOPPER) as shop:
            record = await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID)))
            unresolved = await shop.store.exists(f"order_reference:unresolved:{ORDER_ID}")

        assert (record.status, record.reason) == ("skipped", "PSID_NOT_TRUSTED")
        details = [entry.detail for entry in record.journal if entry.reason == "PSID_NOT_TRUSTED" and entry.plugin]
        assert "trust: any" in details[0]
        assert unresolved == 1
        assert shop.messenger.requests == []

    async def test_a_cart_or_a_checkout_token_or_a_conversation_vouches_for_a_psid(self, tmp_path: Path) -> None:
        psids, orders = shoppers(), order_ids()
        async with shop_under_test(tmp_path, config=KNOWN_SHOPPER) as shop:
            for known in (shop.shared.cart, shop.shared.checkout_token, shop.keys.conversation):
                psid = next(psids)
                await shop.store.set(known(psid), str(int(time.time() * 1000)))
                body = paid_order(order_id=next(orders), psid=psid)
                record = await shop.finished(await shop.post("orders/paid", body))

                assert record.status == "done", known
                assert len(shop.messenger.sent_to(psid)) == 1

    async def test_a_token_that_the_shop_noted_needs_nobody_elses_word(self, tmp_path: Path) -> None:
        body = paid_order()
        async with shop_under_test(tmp_path, config=KNOWN_SHOPPER) as shop:
            await shop.store.set(shop.shared.checkout_token_lookup(body["checkout_token"]), PSID)
            record = await shop.finished(await shop.post("orders/paid", body))

        assert record.status == "done"
        assert len(shop.messenger.sent_to(PSID)) == 1

    async def test_an_untrusted_psid_lets_the_next_resolver_answer(self, tmp_path: Path) -> None:
        body = paid_order(psid="7399999999999999")
        async with shop_under_test(tmp_path, config=KNOWN_SHOPPER) as shop:
            await shop.store.set(shop.shared.checkout_token_lookup(body["checkout_token"]), PSID)
            record = await shop.finished(await shop.post("orders/paid", body))

        assert record.status == "done"
        assert [message.psid for message in shop.messenger.sent] == [PSID]

    async def test_a_retry_after_the_cart_was_cleared_still_reaches_the_shopper(self, tmp_path: Path) -> None:
        """The first attempt clears the cart, which is all that vouched for the PSID."""
        async with shop_under_test(tmp_path, config=KNOWN_SHOPPER) as shop:
            await shop.store.set(shop.shared.cart(PSID), "{}")
            shop.messenger.inject(TEMPORARY)
            record = await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID)))
            cart = await shop.store.exists(shop.shared.cart(PSID))

        assert (record.status, record.attempts) == ("done", 2)
        assert cart == 0
        assert len(shop.messenger.sent_to(PSID)) == 1
