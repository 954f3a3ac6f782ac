"""`customers/redact`: the real host forgets a customer, and goes on for everybody else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from shopbot.model.event import Arrival, Source
from shopbot.store.erased import Erased
from shopbot.store.milliseconds import milliseconds
from shopbot.store.records import EventRecord
from shopbot.testing.host import CONFIG, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import order_bytes, paid_order
from support.checkout_shop import PSID as SHOPPER
from support.checkout_shop import checkout_shop
from support.compliance import CUSTOMER_ID, EMAIL, ask, customer_redact, data_request, shop_redact
from support.conversation import ended, fulfillment, refund, talking_shop, tell
from support.eventually import eventually
from support.orders import ending
from support.whole_store import contents, traces

JANE, JOHN = "7312345678901234", "7398765432109876"
ORDER, JOHNS_ORDER, LATER = 830_517_264_905_318_211, 830_517_264_905_318_977, 830_517_264_905_319_555
FIRST_NAME, LAST_NAME = "Quillonia", "Featherstonehaugh"
TRACKING = "00340434161094042557"


def janes_order(order_id: int = ORDER, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of an order
    return paid_order(
        order_id=order_id,
        psid=JANE,
        first_name=FIRST_NAME,
        last_name=LAST_NAME,
        email=EMAIL,
        **fields,
    ) | {"customer": {"id": CUSTOMER_ID, "first_name": FIRST_NAME, "last_name": LAST_NAME}}


SECRETS = [JANE, str(ORDER), str(CUSTOMER_ID), EMAIL, FIRST_NAME, LAST_NAME]


async def redact(shop: ShopUnderTest, *order_ids: int) -> EventRecord:
    record = await ask(shop, "customers/redact", customer_redact(order_ids or [ORDER]))
    assert (record.status, record.reason) == ("done", ""), record
    return record


async def test_a_customer_s_whole_life_with_the_shop_is_erased(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        mids: dict[str, list[str]] = {JANE: [], JOHN: []}
        for psid, order in ((JANE, janes_order()), (JOHN, paid_order(order_id=JOHNS_ORDER, psid=JOHN))):
            await shop.fill_cart(psid, updated_at=datetime.now(UTC) + timedelta(days=1))
            for text in ("Hello, it's me", "Where's my order?"):
                said = await shop.messenger.say(psid, text)
                mids[psid] += said.mids
                await ended(shop, said)
            await tell(shop, "orders/paid", order)
            shipped = {"fulfillment_id": order["id"] % 1_000_003, "tracking_number": f"{TRACKING}-{psid}"}
            await tell(shop, "fulfillments/create", fulfillment(order["id"], **shipped))
            shop.messenger.inject(Fault.error(100, subcode=2018001).to(psid))
            refused = await tell(shop, "refunds/create", refund(order["id"], refund_id=order["id"] % 1_000_003))
            assert refused.status == "failed"
            mids[psid] += [message.message_id for message in shop.messenger.sent_to(psid)]
        shop.messenger.inject(Fault.error(100, subcode=2018001).to(JANE))
        assert (await tell(shop, "orders/paid", janes_order(LATER))).status == "failed"
        secrets = [*SECRETS, str(LATER), f"{TRACKING}-{JANE}", *mids[JANE]]
        kept = sorted(await traces(shop.store, [JOHN, str(JOHNS_ORDER), *mids[JOHN]]))
        assert [secret for secret in secrets if not await traces(shop.store, [secret])] == []

        record = await redact(shop)

        assert await traces(shop.store, secrets) == []
        assert sorted(await traces(shop.store, [JOHN, str(JOHNS_ORDER), *mids[JOHN]])) == kept
        assert record.journal[-2].detail.startswith("2 orders, 1 shopper: ")
        await ended(shop, await shop.messenger.say(JOHN, "Where's my order?"))
        assert f"{TRACKING}-{JOHN}" in shop.messenger.sent_to(JOHN)[-1].text


async def test_what_was_erased_leaves_the_disk_as_well(tmp_path: Path) -> None:
    """The store's log on disk holds what it has long deleted, until it is written anew."""
    async with shop_under_test(tmp_path) as shop:
        await shop.finished(await shop.post("orders/paid", janes_order()))
        log = tmp_path / "data"

        def on_disk(secret: str) -> list[str]:
            return [file.name for file in log.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]

        assert on_disk(JANE)
        await redact(shop)

        # The host does this once a minute. An old part of the log is deleted in the background.
        await eventually(lambda: _is_over(shop), "the log is written anew")
        secrets = (JANE, LAST_NAME, EMAIL, str(ORDER))
        await eventually(lambda: _is_none(map(on_disk, secrets)), "nothing of her is in the store's files")


async def test_late_news_of_an_erased_order_sends_nothing_and_keeps_nothing(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await shop.finished(await shop.post("orders/paid", janes_order(), webhook_id="first"))
        await redact(shop)
        before = (await contents(shop.store)).keys()
        late = {
            "orders/paid": janes_order(),
            "orders/updated": janes_order(),
            "fulfillments/create": fulfillment(ORDER),
            "refunds/create": refund(ORDER),
        }
        for number, (topic, body) in enumerate(late.items()):
            record = await shop.finished(await shop.post(topic, body, webhook_id=f"late-{number}"))
            assert (record.status, record.reason) == ("skipped", "REDACTED"), topic

        assert shop.messenger.sent_count == 1
        assert await traces(shop.store, SECRETS) == []
        new = (await contents(shop.store)).keys() - before
        assert {key.removeprefix(shop.keys.prefix) for key in new} == {
            f"{kind}:webhook:late-{number}" for kind in ("event", "journal", "webhook_id") for number in range(4)
        }


async def test_an_order_that_comes_only_after_its_erasure_is_not_taken_up(tmp_path: Path) -> None:
    """Its first webhook was late, or lost and found by a poll."""
    async with shop_under_test(tmp_path) as shop:
        await redact(shop, ORDER)
        late = await shop.finished(await shop.post("orders/paid", janes_order()))
        other = await shop.finished(await shop.post("orders/paid", paid_order(order_id=JOHNS_ORDER, psid=JOHN)))

        assert (late.reason, other.status) == ("REDACTED", "done")
        assert [message.psid for message in shop.messenger.sent] == [JOHN]
        assert await traces(shop.store, SECRETS) == []


async def test_a_poll_that_was_faster_than_the_mark_leaves_nothing(tmp_path: Path) -> None:
    """Its event is named by the order: not even that it was there is kept."""
    async with shop_under_test(tmp_path) as shop:
        await redact(shop)
        body = order_bytes(janes_order())
        name = f"poll:{ORDER}:2026-11-23T09:15:01+00:00"
        now = milliseconds(datetime.now(UTC))
        await shop.host.inbox.add(Arrival(name, "orders/updated", Source.POLL, now, body))
        await eventually(lambda: _is_empty(shop), "it is dealt with")

        assert await eventually(lambda: _is_none_left(shop), "nothing of it is left")
        assert shop.messenger.sent_count == 0


async def test_an_event_that_comes_back_only_now_takes_its_journal_with_it(tmp_path: Path) -> None:
    """It was on its way back from a wait, where nobody could erase it."""
    config = CONFIG.replace("first: 50ms", "first: 1s")
    async with shop_under_test(tmp_path, config=config) as shop:
        shop.messenger.inject(Fault.error(1200).to(JANE))
        event_id = await shop.post("orders/paid", janes_order())
        await eventually(lambda: shop.store.llen(shop.keys.journal(event_id)), "its first attempt ends")
        await Erased(shop.store, shop.keys).mark([ORDER], [JANE], datetime.now(UTC))

        async def is_gone() -> bool:
            return not await shop.store.exists(shop.keys.event(event_id), shop.keys.journal(event_id))

        assert await eventually(is_gone, "it is dealt with")
        assert shop.messenger.sent_count == 0
        await eventually(lambda: _last_line_says(shop, "REDACTED"), "its line is written")


async def test_a_checkout_s_late_news_does_not_lead_to_its_shopper_again(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path) as shop:
        checkout = await shop.opened()
        await shop.seen(checkout)
        await shop.order(checkout)
        assert await shop.shop.store.exists(shop.shop.keys.events_of(SHOPPER))
        await redact(shop.shop, checkout.order_body()["id"])

        record = await shop.seen(checkout, "checkouts/update", completed_at="2026-11-23T10:00:00+01:00")

        assert ending(record) == "PSID_NOT_TRUSTED"
        assert await traces(shop.shop.store, [SHOPPER, checkout.cart.token, checkout.token]) == []


async def test_the_same_delivery_again_is_still_known(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await shop.finished(await shop.post("orders/paid", janes_order(), webhook_id="first"))
        await redact(shop)
        before = await contents(shop.store)
        await shop.post("orders/paid", janes_order(), webhook_id="first")

        assert await shop.store.xlen(shop.keys.inbox) == 0
        assert (await contents(shop.store)).keys() == before.keys()


async def test_what_an_erased_shopper_did_before_is_not_kept_when_it_is_repeated(tmp_path: Path) -> None:
    """Meta repeats what it was not answered for hours; what they write afterwards is a new conversation."""
    async with talking_shop(tmp_path) as shop:
        said = await shop.messenger.say(JANE, "Where's my order?")
        await ended(shop, said)
        await tell(shop, "orders/paid", janes_order())
        await redact(shop)
        count = shop.messenger.sent_count

        await shop.messenger.redeliver(said.mid)
        await eventually(lambda: _is_empty(shop), "it is dealt with")

        assert await traces(shop.store, [*SECRETS, said.mid]) == []
        assert shop.messenger.sent_count == count
        await eventually(lambda: _last_line_says(shop, "REDACTED"), "its line is written")
        anew = await shop.messenger.say(JANE, "Where's my order?")
        assert (await ended(shop, anew)).status == "done"
        assert shop.messenger.sent_count == count + 1
        assert await shop.store.exists(shop.keys.conversation(JANE))


async def test_a_stop_word_is_honoured_after_the_erasure(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        await ended(shop, await shop.messenger.say(JANE, "stop"))
        await tell(shop, "orders/paid", janes_order())
        await redact(shop)
        assert await traces(shop.store, SECRETS) == []

        record = await tell(shop, "orders/paid", janes_order(LATER))

        assert record.reason == "OPTED_OUT"
        await ended(shop, await shop.messenger.say(JANE, "start"))
        assert (await tell(shop, "orders/paid", janes_order(LATER + 1))).status == "done"


async def test_a_message_that_is_being_sent_is_waited_for_and_then_erased(tmp_path: Path) -> None:
    """Else it would write down afterwards whom it was sent to."""
    async with shop_under_test(tmp_path) as shop:
        shop.messenger.inject(Fault.hang(3.0, accepted=True).to(JANE))
        sending = await shop.post("orders/paid", janes_order())
        await shop.messenger.wait_for_requests(1)

        record = await redact(shop)

        assert shop.messenger.sent_count == 1
        assert await traces(shop.store, SECRETS) == []
        assert await shop.records.event(sending) is None
        assert "waits for attempts that are under way" in [entry.detail for entry in record.journal]
        late = await shop.finished(await shop.post("orders/updated", janes_order()))
        assert (late.reason, shop.messenger.sent_count) == ("REDACTED", 1)


async def test_events_that_wait_are_erased_wherever_they_wait(tmp_path: Path) -> None:
    """For a channel that is down, for an echo, for another attempt."""
    async with shop_under_test(tmp_path) as shop:
        shop.messenger.inject(Fault.accept_then_drop().to(JANE))
        await shop.post("orders/paid", janes_order())
        await eventually(lambda: shop.store.zcard(shop.keys.held), "it waits for its echo")
        await shop.post("orders/paid", janes_order(LATER))
        await eventually(lambda: shop.store.zcard(shop.keys.retries), "it waits for the one before")
        shop.messenger.inject(Fault.error(190, status=401).to(JOHN))
        await shop.post("orders/paid", paid_order(order_id=JOHNS_ORDER, psid=JOHN))
        await eventually(lambda: shop.store.zcard(shop.keys.parked), "it waits for the channel")
        await shop.post("orders/paid", janes_order(LATER + 1))
        await eventually(lambda: _are_parked(shop, 2), "hers waits for it, too")

        await redact(shop)

        assert await traces(shop.store, [*SECRETS, str(LATER), str(LATER + 1)]) == []
        waiting = (shop.keys.retries, shop.keys.held, shop.keys.dead, shop.keys.parked)
        assert [await shop.store.zcard(place) for place in waiting] == [0, 0, 0, 1]


async def test_a_copied_checkout_link_of_an_erased_shopper_serves_nobody(tmp_path: Path) -> None:
    """Its signature is still good; what was known of the link is gone, and that must not open it to all orders."""
    async with checkout_shop(tmp_path) as shop:
        checkout = await shop.opened()
        assert (await shop.order(checkout)).status == "done"
        await redact(shop.shop, checkout.order_body()["id"])
        assert await traces(shop.shop.store, [SHOPPER, checkout.cart.token, checkout.token]) == []

        record = await shop.order(checkout, order_id=LATER)

        assert ending(record) == "PSID_NOT_TRUSTED"
        assert any("ended when its shopper's data were erased" in entry.detail for entry in record.journal)
        assert shop.recipients == [SHOPPER]


FORGED = [
    ("customers/redact", data_request([ORDER])),
    ("customers/redact", shop_redact()),
    ("customers/redact", order_bytes(janes_order())),
    ("customers/redact", customer_redact([ORDER], shop_domain="other.myshopify.com")),
    ("customers/redact", b"{"),
    ("shop/redact", customer_redact([ORDER])),
    ("shop/redact", data_request([ORDER])),
    ("shop/redact", order_bytes(janes_order())),
    ("shop/redact", shop_redact(shop_domain="other.myshopify.com")),
]


async def test_a_signed_body_under_another_topic_erases_nothing(tmp_path: Path) -> None:
    """The topic is a header, which is not signed: whoever has caught a body can send it as anything."""
    async with shop_under_test(tmp_path) as shop:
        await shop.finished(await shop.post("orders/paid", janes_order()))
        before = await traces(shop.store, [JANE])

        for topic, body in FORGED:
            record = await ask(shop, topic, body)
            assert (record.status, record.reason) == ("failed", "WEBHOOK_PROCESSING_ERROR"), body
            assert EMAIL not in str(record)

        assert {*before} <= {*await traces(shop.store, [JANE])}


async def test_a_merchant_s_own_rule_for_the_topic_runs_beside_the_one_that_is_always_there(tmp_path: Path) -> None:
    rule = "  - {name: tell_the_crm, on: customers/redact, steps: [http_forward]}\nmessages:\n"
    plugin = "plugins: [{use: http_forward, url: 'https://crm.example', token: crm-token}]\n"
    async with shop_under_test(tmp_path, config=plugin + CONFIG.replace("messages:\n", rule)) as shop:
        await shop.finished(await shop.post("orders/paid", janes_order()))
        record = await redact(shop)

        assert {entry.rule for entry in record.journal} == {"tell_the_crm", "privacy.erase_customer"}
        assert await traces(shop.store, SECRETS) == []


async def test_its_journal_and_the_log_name_nobody(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await shop.finished(await shop.post("orders/paid", janes_order()))
        shop.logs.entries.clear()
        record = await redact(shop)

        told = f"{record} {shop.logs.entries}"
        assert [secret for secret in SECRETS if secret in told] == []
        assert "customer_erased" in told


async def _is_over(shop: ShopUnderTest) -> bool:
    await shop.host._retention.enforce()
    return not await shop.store.exists(shop.keys.log_rewrite)


async def _are_parked(shop: ShopUnderTest, count: int) -> bool:
    return await shop.store.zcard(shop.keys.parked) == count


async def _is_none_left(shop: ShopUnderTest) -> bool:
    return await traces(shop.store, SECRETS) == []


async def _last_line_says(shop: ShopUnderTest, reason: str) -> bool:
    return shop.logs.entries[-1].get("reason") == reason


async def _is_none(found: Iterable[object]) -> bool:
    return not any(found)


async def _is_empty(shop: ShopUnderTest) -> bool:
    return not await shop.store.xlen(shop.keys.inbox)
