"""Carts are cleared once an order is paid, every backend for itself, and never in the confirmation's way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from shopbot.testing.host import CONFIG, shop_under_test
from shopbot.testing.orders import paid_order
from support.eventually import eventually
from support.orders import drop_in, steps, written

PSID = "7312345678901234"
ORDERED_AT = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
ORDER = paid_order(psid=PSID, created_at=ORDERED_AT)

WAREHOUSE = '''
"""A second cart backend, which writes down each call and fails as often as it is told."""
from shopbot.plugin import CartResult, Context, Field, Order, PluginConfig, Retry, hookimpl

_COUNT = "return redis.call('RPUSH', KEYS[1], ARGV[1])"


class Config(PluginConfig):
    failures: int = Field(0, description="How many calls fail.")
    how: str = Field("retry", description="retry, raise, hang or nonsense.")
    note: str = Field("warehouse", description="The key that calls are written down under.")


class Plugin:
    def __init__(self, config: Config) -> None:
        self._config = config

    @hookimpl
    async def start(self, context: Context) -> None:
        self._store = context.store

    @hookimpl
    async def clear_cart(self, psid: str, order: Order) -> CartResult:
        calls = await self._store.eval(_COUNT, 1, self._config.note, f"{psid} {order.name}")
        if calls > self._config.failures:
            return CartResult.CLEARED
        if self._config.how == "retry":
            raise Retry("the warehouse is closed")
        if self._config.how == "hang":
            import asyncio
            await asyncio.Event().wait()
        if self._config.how == "nonsense":
            return "cleared by hand"
        raise RuntimeError("the warehouse burns")
'''


def with_warehouse(settings: str) -> str:
    return CONFIG.replace("  - {use: redis_cart}\n", f"  - {{use: redis_cart}}\n  - {{use: warehouse{settings}}}\n")


async def test_cart_and_checkout_token_are_gone_and_the_audit_line_masks_the_shopper(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await shop.fill_cart(PSID, updated_at=ORDERED_AT - timedelta(minutes=5))
        await shop.finished(await shop.post("orders/paid", ORDER))
        left = await shop.store.exists(shop.shared.cart(PSID), shop.shared.checkout_token(PSID))
        lines = [line for line in shop.logs.entries if line["event"] == "cart_cleared"]

    assert left == 0
    assert [(line["order_id"], line["result"]) for line in lines] == [(ORDER["id"], "cleared")]
    assert lines[0]["psid"] == "…1234"
    assert datetime.fromisoformat(lines[0]["at"]).tzinfo is not None
    assert PSID not in str(shop.logs.entries)


async def test_a_cart_that_was_changed_after_the_order_is_kept(tmp_path: Path) -> None:
    """The shopper is already filling the next one; the confirmation goes out all the same."""
    async with shop_under_test(tmp_path) as shop:
        await shop.fill_cart(PSID, updated_at=ORDERED_AT + timedelta(seconds=30))
        cart = await shop.store.get(shop.shared.cart(PSID))
        record = await shop.finished(await shop.post("orders/paid", ORDER))
        kept = await shop.store.get(shop.shared.cart(PSID))
        token = await shop.store.exists(shop.shared.checkout_token(PSID))

    assert record.status == "done"
    assert kept == cart
    assert token == 1
    assert [entry.detail for entry in record.journal if entry.step == "2:clear_cart"] == ["kept"]
    assert len(shop.messenger.sent) == 1


async def test_a_repeated_delivery_leaves_the_next_cart_alone(tmp_path: Path) -> None:
    """Its order is confirmed, so the cart that is there now was filled since."""
    async with shop_under_test(tmp_path) as shop:
        await shop.finished(await shop.post("orders/paid", ORDER))
        await shop.store.set(shop.shared.cart(PSID), "{}")
        record = await shop.finished(await shop.post("orders/updated", ORDER))
        cart = await shop.store.exists(shop.shared.cart(PSID))

    assert record.reason == "ALREADY_CONFIRMED"
    assert cart == 1


async def test_an_unpaid_order_leaves_the_cart_alone(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await shop.fill_cart(PSID, updated_at=ORDERED_AT - timedelta(minutes=5))
        await shop.finished(await shop.post("orders/create", ORDER | {"financial_status": "pending"}))
        left = await shop.store.exists(shop.shared.cart(PSID), shop.shared.checkout_token(PSID))

    assert left == 2


async def test_every_backend_is_asked_in_the_order_of_the_file(tmp_path: Path) -> None:
    drop_in(tmp_path, "warehouse", WAREHOUSE)
    async with shop_under_test(tmp_path, config=with_warehouse("")) as shop:
        await shop.fill_cart(PSID, updated_at=ORDERED_AT - timedelta(minutes=5))
        record = await shop.finished(await shop.post("orders/paid", ORDER))
        asked = await written(shop, "warehouse")

    assert asked == [f"{PSID} #1234"]
    cleared = [(entry.plugin, entry.detail) for entry in record.journal if entry.step == "2:clear_cart"]
    assert cleared == [("carts[0]:redis_cart", "cleared"), ("carts[1]:warehouse", "cleared")]


async def test_a_failing_backend_is_journalled_and_retried_alone_and_the_message_goes_out(tmp_path: Path) -> None:
    drop_in(tmp_path, "warehouse", WAREHOUSE)
    async with shop_under_test(tmp_path, config=with_warehouse(", failures: 1")) as shop:
        await shop.fill_cart(PSID, updated_at=ORDERED_AT - timedelta(minutes=5))
        record = await shop.finished(await shop.post("orders/paid", ORDER))
        asked = await written(shop, "warehouse")

    assert (record.status, record.attempts) == ("done", 2)
    assert len(asked) == 2
    assert len(shop.messenger.sent) == 1
    assert steps(record) == [
        ("1:resolve_psid", "done", None),
        ("2:clear_cart", "done", None),
        ("2:clear_cart", "deferred", "CART_CLEAR_FAILED"),
        ("3:save_order_reference", "done", None),
        ("4:send_message", "done", None),
        ("", "deferred", "CART_CLEAR_FAILED"),
        ("1:resolve_psid", "done", None),
        ("2:clear_cart", "done", None),
        ("", "done", None),
    ]
    first = [entry for entry in record.journal if entry.attempt == 1 and entry.step == "2:clear_cart"]
    assert [(entry.plugin, entry.detail) for entry in first] == [
        ("carts[0]:redis_cart", "cleared"),
        ("carts[1]:warehouse", "the warehouse is closed"),
    ]


async def test_the_shopper_reads_the_confirmation_before_the_cart_is_tried_again(tmp_path: Path) -> None:
    config = with_warehouse(", failures: 1").replace("first: 50ms", "first: 1h").replace("max: 1s", "max: 1h")
    drop_in(tmp_path, "warehouse", WAREHOUSE)
    async with shop_under_test(tmp_path, config=config) as shop:
        event_id = await shop.post("orders/paid", ORDER)
        sent = await shop.messenger.wait_for_sent(1)
        await eventually(lambda: shop.store.zscore(shop.keys.retries, event_id), "the event waits for its next attempt")

    assert sent[0].psid == PSID


async def test_any_fault_of_a_backend_ends_as_a_dead_letter_after_the_attempts_with_one_message(
    tmp_path: Path,
) -> None:
    drop_in(tmp_path, "warehouse", WAREHOUSE)
    faults = {"retry": "closed", "raise": "burns", "hang": "no answer", "nonsense": "answered str"}
    limits = {"hang": "500ms"}  # the others may take their time
    carts = "".join(
        f"  - {{use: warehouse, failures: 9, how: {how}, note: {how}, time_limit: {limits.get(how, '30s')}}}\n"
        for how in faults
    )
    config = CONFIG.replace("  - {use: redis_cart}\n", carts)
    async with shop_under_test(tmp_path, config=config) as shop:
        event_id = await shop.post("orders/paid", ORDER)
        record = await shop.finished(event_id)
        dead = await shop.store.zscore(shop.keys.dead, event_id)
        asked = {how: len(await written(shop, how)) for how in faults}

    assert (record.status, record.reason, record.attempts) == ("failed", "CART_CLEAR_FAILED", 3)
    assert asked == dict.fromkeys(faults, 3)
    assert dead is not None
    assert len(shop.messenger.sent) == 1
    details = [entry.detail for entry in record.journal if entry.attempt == 1 and entry.step == "2:clear_cart"]
    for detail, words in zip(details, faults.values(), strict=True):
        assert words in detail
