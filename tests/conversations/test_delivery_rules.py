"""How a message may be sent is decided at the moment of sending, and the journal says why."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from shopbot.config.loader import read_text
from shopbot.config.message import DEAD_TAGS
from shopbot.store.records import EventRecord
from shopbot.testing.clock import ManualClock
from shopbot.testing.host import CONFIG as WITHOUT_MESSENGER
from shopbot.testing.host import shop_under_test
from shopbot.testing.orders import paid_order
from support.conversation import CONFIG, ended, fulfillment, fulfillment_event, talking_shop, tell

PSID = "7312345678901234"
ORDER_ID = 830_517_264_905_318_211
HOUR = 3600.0
NO_TEMPLATE = re.sub(r"(?m)^    utility_template:\n(?:      .*\n)+", "", CONFIG, count=1)
assert NO_TEMPLATE != CONFIG


def how(record: EventRecord) -> list[str]:
    """Give what the journal says of sends."""
    return [entry.detail for entry in record.journal if entry.step.endswith(":send_message")]


async def test_the_journal_says_how_a_message_went_out_and_why(tmp_path: Path) -> None:
    manual = ManualClock()
    async with talking_shop(tmp_path, seconds=manual, window="closed") as shop:
        unknown = await tell(shop, "orders/paid", paid_order(order_id=1, psid=PSID))
        said = await ended(shop, await shop.messenger.say(PSID, "Where's my order?"))
        inside = await tell(shop, "orders/paid", paid_order(order_id=2, psid=PSID))
        manual.advance(24 * HOUR)
        outside = await tell(shop, "orders/paid", paid_order(order_id=3, psid=PSID))

    assert "UTILITY: no activity of the shopper is known" in how(unknown)[0]
    assert "RESPONSE: an answer inside the window" in how(said)[0]
    assert "UPDATE: inside the window" in how(inside)[0]
    assert "UTILITY: the standard messaging window is closed" in how(outside)[0]


async def test_the_window_is_as_long_as_the_yaml_says(tmp_path: Path) -> None:
    manual = ManualClock()
    config = CONFIG.replace("{length: 24h, margin: 10m", "{length: 2h, margin: 30m")
    async with talking_shop(tmp_path, config=config, seconds=manual) as shop:
        await ended(shop, await shop.messenger.say(PSID, "Hello"))
        manual.advance(1.4 * HOUR)
        inside = await tell(shop, "orders/paid", paid_order(order_id=1, psid=PSID))
        manual.advance(0.2 * HOUR)
        outside = await tell(shop, "orders/paid", paid_order(order_id=2, psid=PSID))

    assert "UPDATE" in how(inside)[0]
    assert "UTILITY" in how(outside)[0]


async def test_a_window_that_closed_too_early_is_met_with_the_template_once(tmp_path: Path) -> None:
    """Messenger's word counts: 10/2018278 means the template, never another attempt with the text."""
    manual = ManualClock()
    async with talking_shop(tmp_path, seconds=manual) as shop:
        await ended(shop, await shop.messenger.say(PSID, "Hello"))
        shop.messenger.people.acted(PSID, at=manual.now - 25 * HOUR)
        record = await tell(shop, "orders/paid", paid_order(psid=PSID))
        kinds = [(call.raw["messaging_type"], call.outcome) for call in shop.messenger.requests]

    assert kinds == [("UPDATE", "rejected"), ("UTILITY", "accepted")]
    assert "UTILITY: Messenger error 10/2018278" in how(record)[0]


async def test_without_a_template_the_message_waits_for_the_shopper(tmp_path: Path) -> None:
    manual = ManualClock()
    async with talking_shop(tmp_path, config=NO_TEMPLATE, seconds=manual, window="closed") as shop:
        event_id = await shop.post("orders/paid", paid_order(psid=PSID))
        held = await shop.finished(event_id)
        assert (held.status, held.reason) == ("failed", "OUTSIDE_WINDOW")
        assert shop.messenger.requests == []

        manual.advance(HOUR)
        await shop.messenger.say(PSID, "Hi, did it work?")
        [confirmation] = await shop.messenger.wait_for_sent(1)
        released = await shop.finished(event_id)

    assert confirmation.text.startswith("Order confirmed!")
    assert confirmation.messaging_type == "UPDATE"
    assert released.status == "done"


async def test_a_message_that_waited_too_long_is_left_to_a_person(tmp_path: Path) -> None:
    manual = ManualClock()
    async with talking_shop(tmp_path, config=NO_TEMPLATE, seconds=manual, window="closed") as shop:
        event_id = await shop.post("orders/paid", paid_order(psid=PSID))
        await shop.finished(event_id)
        manual.advance(8 * 24 * HOUR)
        await ended(shop, await shop.messenger.say(PSID, "Hi"))
        await asyncio.sleep(0.2)

        assert (await shop.finished(event_id)).reason == "OUTSIDE_WINDOW"
        assert shop.messenger.requests == []


async def test_what_is_to_be_dropped_does_not_wait(tmp_path: Path) -> None:
    async with talking_shop(tmp_path, window="closed") as shop:
        await tell(shop, "orders/paid", paid_order(psid=PSID))
        await tell(shop, "fulfillments/create", fulfillment(ORDER_ID))
        record = await tell(shop, "fulfillment_events/create", fulfillment_event(ORDER_ID, "delivered"))
        last = [entry for entry in record.journal if entry.rule == "order_delivered"][-1]

        assert (last.status.value, last.reason) == ("skipped", "OUTSIDE_WINDOW")
        assert await shop.store.exists(shop.keys.unsent(PSID)) == 0


async def test_an_opt_in_on_a_page_elsewhere_opens_no_window(tmp_path: Path) -> None:
    async with talking_shop(tmp_path, config=NO_TEMPLATE, window="closed") as shop:
        await shop.messenger.optin(PSID, ref="landing")
        record = await tell(shop, "orders/paid", paid_order(psid=PSID))

        assert record.reason == "OUTSIDE_WINDOW"
        assert shop.messenger.requests == []


@pytest.mark.parametrize(
    ("action", "opens"), [("react", True), ("unreact", False)], ids=["a reaction", "a reaction taken back"]
)
async def test_a_reaction_opens_the_window(tmp_path: Path, action: str, opens: bool) -> None:  # noqa: FBT001 - a case
    async with talking_shop(tmp_path, config=NO_TEMPLATE) as shop:
        reaction = {"mid": "m_1", "action": action, "emoji": "❤", "reaction": "love"}
        event = shop.messenger._event(PSID, {"reaction": reaction})
        await shop.messenger.webhooks.deliver([event])
        await shop.finished("messenger:reaction:m_1")
        record = await tell(shop, "orders/paid", paid_order(psid=PSID))

        assert (record.status == "done") is opens


async def test_a_shop_that_takes_no_messenger_webhook_asks_the_platform(tmp_path: Path) -> None:
    """It cannot know any window, and could confirm nothing otherwise."""
    async with shop_under_test(tmp_path, config=WITHOUT_MESSENGER) as shop:
        record = await tell(shop, "orders/paid", paid_order(psid=PSID))

        assert "UPDATE: no Messenger webhook is configured" in how(record)[0]


async def test_an_answer_is_one_only_when_somebody_asked(tmp_path: Path) -> None:
    """A tag alone does not make news an answer: outside the window it would be refused."""
    config = CONFIG.replace(
        "order_delivered:\n    tag: shipping_update\n    on_limit: drop", "order_delivered:\n    tag: order_answer"
    )
    manual = ManualClock()
    async with talking_shop(tmp_path, config=config, seconds=manual) as shop:
        await ended(shop, await shop.messenger.say(PSID, "Hello"))
        await tell(shop, "orders/paid", paid_order(psid=PSID))
        await tell(shop, "fulfillment_events/create", fulfillment_event(ORDER_ID, "delivered"))
        assert shop.messenger.sent_to(PSID)[-1].messaging_type == "UPDATE"


@pytest.mark.parametrize("tag", sorted(DEAD_TAGS))
def test_a_dead_tag_is_refused_with_the_day_it_died(tag: str) -> None:
    config = CONFIG.replace("tag: payment_update", f"tag: {tag}")
    names = ("SHOPIFY_WEBHOOK_SECRET", "MESSENGER_APP_SECRET", "MESSENGER_VERIFY_TOKEN", "MESSENGER_PAGE_TOKEN")
    loaded = read_text(config, "shopbot.yaml", dict.fromkeys((*names, "MESSENGER_URL"), "https://x"))

    [problem] = loaded.errors
    assert "Messenger refuses that tag since 2026-04-27" in problem.message
