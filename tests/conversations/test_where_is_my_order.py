"""The question "Where's my order?", asked in Messenger and answered from the order references, over HTTP."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from shopbot.testing.host import ShopUnderTest
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import cancelled_order, paid_order
from support.conversation import ended, fulfillment, fulfillment_event, refund, talking_shop, tell

PSID = "7312345678901234"
OTHER = "7312345678909999"
ORDER_ID = 830_517_264_905_318_211
ORDERED_AT = datetime(2026, 11, 23, 10, 15, tzinfo=timezone(timedelta(hours=1)))

LATER = ORDERED_AT + timedelta(days=30)


async def order(shop: ShopUnderTest, number: int = 1234, psid: str = PSID, locale: str = "en") -> int:
    """Let a shopper say hello and order; gives the order's id. A higher number is a later order."""
    await ended(shop, await shop.messenger.say(psid, "Hello"))
    order_id = ORDER_ID + number
    created_at = ORDERED_AT + timedelta(minutes=number)
    record = await tell(
        shop,
        "orders/paid",
        paid_order(order_id=order_id, number=number, psid=psid, locale=locale, created_at=created_at),
    )
    assert record.status == "done", record
    return order_id


def last_text(shop: ShopUnderTest, psid: str = PSID) -> str:
    return shop.messenger.sent_to(psid)[-1].text


async def test_the_whole_way_from_confirmation_to_delivery(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        order_id = await order(shop)
        [confirmation] = shop.messenger.sent_to(PSID)
        assert confirmation.text.startswith("Order confirmed! 🎉\nOrder #1234\n")
        assert confirmation.quick_replies == [("Where's my order?", "ORDER_STATUS")]

        await ended(shop, await shop.messenger.say(PSID, "Where\u2019s my order?"))
        assert last_text(shop).startswith("Order #1234\nWe are preparing it.\nEst. delivery: ")

        await tell(shop, "fulfillments/create", fulfillment(order_id))
        shipped = shop.messenger.sent_to(PSID)[-1]
        assert shipped.text.startswith("Your order #1234 is on its way! 📦\n")
        assert "DHL: 00340434161094042557\nhttps://www.dhl.com/track?id=00340434161094042557" in shipped.text

        await tell(
            shop,
            "fulfillment_events/create",
            fulfillment_event(order_id, "out_for_delivery", estimated_delivery_at="2099-02-10T12:00:00+01:00"),
        )
        await ended(shop, await shop.messenger.tap(PSID, "ORDER_STATUS", "Where's my order?"))
        assert last_text(shop) == (
            "Order #1234\nIt is out for delivery. 🚚\nEst. delivery: Feb 10\nDHL: 00340434161094042557\n"
            "https://www.dhl.com/track?id=00340434161094042557"
        )

        delivered = fulfillment_event(order_id, "delivered", happened_at="2026-11-26T09:00:00+01:00")
        await tell(shop, "fulfillment_events/create", delivered)
        assert last_text(shop).startswith("Your order #1234 has been delivered. 🎉")
        await ended(shop, await shop.messenger.postback(PSID, "ORDER_STATUS", "Track"), "postback")
        assert "It has been delivered. 🎉" in last_text(shop)
        assert [message.messaging_type for message in shop.messenger.sent_to(PSID)] == [
            *("UPDATE", "RESPONSE", "UPDATE", "RESPONSE", "UPDATE", "RESPONSE")
        ]


HINTS = {
    "en": "Where's my order?",
    "de": "Wo ist meine Bestellung?",
    "fr": "Où est ma commande ?",
    "es": "¿Dónde está mi pedido?",
    "pt-BR": "Onde está meu pedido?",
    "ar": "أين طلبي؟",
}


def test_the_hint_in_every_confirmation_is_a_phrase_that_is_understood() -> None:
    templates = Path(__file__).parents[2] / "templates"
    for language, hint in HINTS.items():
        name = "order_confirmation.txt.j2" if language == "en" else f"order_confirmation.{language}.txt.j2"
        text = (templates / name).read_text("utf-8").replace("\u202f", " ")
        assert hint in text, language


ANSWERS = {
    "en": "Order #1234\nWe are preparing it.",
    "de": "Bestellung #1234\nWir bereiten sie vor.",
    "fr": "Commande #1234\nNous la préparons.",
    "es": "Pedido #1234\nLo estamos preparando.",
    "pt-BR": "Pedido #1234\nEstamos preparando.",
    "ar": "الطلب \u2068#1234\u2069\nنحن نجهّزه الآن.",
}
MORE_PHRASINGS = [
    ("en", "WHERE IS MY ORDER"),
    ("en", "hi! where`s my   parcel??"),
    ("en", "Hello, " + "I hope you are well. " * 20 + "Where's my order?"),
    ("en", "what is the order status"),
    ("de", "Wann kommt mein Paket?"),
    ("de", "wo bleibt denn... wo bleibt meine lieferung"),
    ("fr", "Ou est mon colis"),
    ("es", "donde esta mi paquete"),
    ("pt-BR", "Cadê meu pedido?"),
    ("ar", "اين طلبي"),
]


async def test_it_is_understood_in_many_phrasings_and_answered_in_the_language_it_was_asked_in(
    tmp_path: Path,
) -> None:
    async with talking_shop(tmp_path) as shop:
        await order(shop)
        for language, phrase in [*HINTS.items(), *MORE_PHRASINGS]:
            await ended(shop, await shop.messenger.say(PSID, phrase))

            assert last_text(shop).startswith(ANSWERS[language]), phrase


async def test_other_words_are_not_answered(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        await order(shop)
        records = [
            await ended(shop, await shop.messenger.say(PSID, text))
            for text in ("Thanks!", "my order is great", "nowhere", "W", "🙂")
        ]
        records.append(await ended(shop, await shop.messenger.sticker(PSID)))

        assert {record.reason for record in records} == {"FILTERED"}
        assert len(shop.messenger.sent_to(PSID)) == 1


async def test_who_has_no_order_gets_a_helpful_answer(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        await order(shop)
        await ended(shop, await shop.messenger.say(OTHER, "Where's my order?"))

        assert last_text(shop, OTHER).startswith("I can't find an order that belongs to this chat.")


async def test_of_several_orders_the_shopper_chooses_one(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        ids = [await order(shop, number) for number in (1001, 1002, 1003)]
        await ended(shop, await shop.messenger.say(PSID, "Where are my orders?"))
        choice = shop.messenger.sent_to(PSID)[-1]

        assert choice.text == "Which order do you mean?"
        assert choice.quick_replies == [
            (f"#{number} · Nov {day}", f"ORDER_STATUS:{order_id}")
            for number, day, order_id in zip((1003, 1002, 1001), (24, 24, 24), reversed(ids), strict=True)
        ]
        title, payload = choice.quick_replies[1]
        await ended(shop, await shop.messenger.tap(PSID, payload, title))
        assert last_text(shop).startswith("Order #1002\n")


async def test_an_order_that_is_named_needs_no_choice(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        for number in (1001, 1002):
            await order(shop, number)
        for text in ("Where is my order #1001?", "where's my order 1001"):
            await ended(shop, await shop.messenger.say(PSID, text))
            assert last_text(shop).startswith("Order #1001\n")


async def test_no_more_orders_are_offered_than_messenger_takes(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        for number in range(1001, 1017):
            await order(shop, number)
        await ended(shop, await shop.messenger.say(PSID, "Where's my order?"))

        replies = shop.messenger.sent_to(PSID)[-1].quick_replies
        assert [title.partition(" ")[0] for title, _ in replies] == [f"#{number}" for number in range(1016, 1003, -1)]


@pytest.mark.parametrize("kind", ["tap", "postback"])
async def test_somebody_elses_order_is_not_found(tmp_path: Path, kind: str) -> None:
    """A payload can be made up by whoever talks to the Page with a tool of their own."""
    async with talking_shop(tmp_path) as shop:
        theirs = await order(shop)
        payloads = [f"ORDER_STATUS:{theirs}", f"ORDER_STATUS:{PSID}:{theirs}", "ORDER_STATUS:*", "ORDER_STATUS:-1"]
        for payload in payloads:
            act = await getattr(shop.messenger, kind)(OTHER, payload)
            await ended(shop, act, "postback" if kind == "postback" else "message")

        answers = [message.text for message in shop.messenger.sent_to(OTHER)]
        assert len(answers) == len(payloads)
        assert all(answer.startswith("I can't find an order") for answer in answers)
        assert "1234" not in str(answers)


async def test_other_payloads_are_not_answered(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        for payload in ("ORDER", "ORDER_STATUSES", "order_status", "xORDER_STATUS"):
            record = await ended(shop, await shop.messenger.tap(PSID, payload, "?"))
            assert record.reason == "FILTERED"


async def test_a_tap_is_answered_in_the_language_of_the_order(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        order_id = await order(shop, locale="de")
        await ended(shop, await shop.messenger.tap(PSID, f"ORDER_STATUS:{order_id}", "#1234"))

        assert last_text(shop).startswith("Bestellung #1234\n")


async def test_cancelled_and_refunded_orders_say_so(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        order_id = await order(shop)
        await tell(shop, "refunds/create", refund(order_id))
        assert last_text(shop).startswith("We have paid back €10.50 for your order #1234.")

        await tell(shop, "orders/cancelled", cancelled_order(order_id=order_id, psid=PSID, created_at=LATER))
        await ended(shop, await shop.messenger.say(PSID, "Where's my order?"))
        assert "It was cancelled." in last_text(shop)


async def test_a_parcel_is_announced_once_whatever_comes_about_it(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        order_id = await order(shop)
        await tell(shop, "fulfillments/create", fulfillment(order_id, status="pending"))
        assert len(shop.messenger.sent_to(PSID)) == 1
        for topic, status in (("create", None), ("update", None), ("update", "in_transit"), ("update", "in_transit")):
            await tell(shop, f"fulfillments/{topic}", fulfillment(order_id, shipment_status=status))
        await tell(shop, "fulfillments/create", fulfillment(order_id, fulfillment_id=2, tracking_number="0035"))

        announced = [message.text for message in shop.messenger.sent_to(PSID)[1:]]
        assert [re.findall(r"DHL: (\d+)", text) for text in announced] == [["00340434161094042557"], ["0035"]]


async def test_parcels_of_orders_from_elsewhere_are_told_to_nobody(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        record = await tell(shop, "fulfillments/create", fulfillment(4711))

        told = [entry.reason for entry in record.journal if entry.rule == "order_shipped" and not entry.step]
        assert told == ["PSID_NOT_FOUND"]
        assert shop.messenger.sent == []
        left_ms = await shop.store.pttl(shop.shared.order_reference(None, 4711))
        assert 0 < left_ms <= 2 * 86_400_000


async def test_a_parcel_that_was_faster_than_its_order_is_in_the_answer(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        await tell(shop, "fulfillments/create", fulfillment(ORDER_ID + 1234))
        await order(shop)
        await ended(shop, await shop.messenger.say(PSID, "Where's my order?"))

        assert "DHL: 00340434161094042557" in last_text(shop)


async def test_a_body_that_names_no_parcel_is_kept_for_a_person(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        bodies: list[tuple[str, dict[str, object]]] = [
            ("fulfillments/create", {"order_id": 1}),
            ("fulfillment_events/create", {"id": 1, "order_id": 1}),
            ("refunds/create", {"id": 1}),
        ]
        for topic, body in bodies:
            record = await tell(shop, topic, body)
            assert (record.status, record.reason) == ("failed", "WEBHOOK_PROCESSING_ERROR")


async def test_the_journal_of_an_order_has_what_became_of_its_parcels(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        order_id = await order(shop)
        await tell(shop, "fulfillments/create", fulfillment(order_id))

        assert len(await shop.records.events_of_order(order_id)) == 2


async def test_a_question_that_is_delivered_twice_is_answered_once(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        await order(shop)
        said = await shop.messenger.say(PSID, "Where's my order?")
        await ended(shop, said)
        await shop.messenger.redeliver(said.mid)
        await ended(shop, await shop.messenger.say(PSID, "Thanks!"))

        assert len(shop.messenger.sent_to(PSID)) == 2


async def test_an_answer_that_fails_at_first_is_about_the_same_orders_later(tmp_path: Path) -> None:
    """The step that finds the orders runs again on a retry: the message is made anew."""
    async with talking_shop(tmp_path) as shop:
        await order(shop)
        shop.messenger.inject(Fault.error(1200).to(PSID))
        await ended(shop, await shop.messenger.say(PSID, "Where's my order?"))

        assert last_text(shop).startswith("Order #1234\n")
