"""`when:` and `if:`: each way of not matching has a reason of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shopbot.testing.host import CONFIG, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import paid_order
from support.orders import ending, order_ids

PSID = "7312345678901234"
NO_TOTAL = {name: None for name in paid_order() if "total_price" in name}
"""Makes `order.total` none: a condition that asks for its amount cannot be evaluated."""


def with_rule(line: str) -> str:
    return CONFIG.replace("    once_per: order\n", f"    {line}\n    once_per: order\n")


def with_when(filters: str) -> str:
    return CONFIG.replace("when: {financial_status: [paid], cancelled: false, test: false}", f"when: {{{filters}}}")


async def end_of(tmp_path: Path, config: str, *orders: dict[str, Any]) -> list[str]:
    """Say how an event with each of these changes to a paid order ends."""
    ids = order_ids()
    async with shop_under_test(tmp_path, config=config) as shop:
        bodies = [paid_order(order_id=next(ids), psid=PSID) | fields for fields in orders]
        return [ending(await shop.finished(await shop.post("orders/paid", body))) for body in bodies]


async def test_a_condition_decides_on_the_order_the_customer_and_the_event(tmp_path: Path) -> None:
    condition = "order.total.amount > 40 and customer.first_name == 'Ada' and event.topic == 'orders/paid'"
    ends = await end_of(
        tmp_path,
        with_rule(f'if: "{condition}"'),
        {"current_total_price": "41.00", "current_total_price_set": None},
        {"current_total_price": "40.00", "current_total_price_set": None},
        {
            "current_total_price": "41.00",
            "current_total_price_set": None,
            "customer": {"id": 1, "first_name": "Grace", "last_name": "Hopper"},
        },
    )

    assert ends == ["done", "CONDITION_FALSE", "CONDITION_FALSE"]


async def test_a_condition_that_cannot_be_evaluated_sends_nothing_and_says_why(tmp_path: Path) -> None:
    """The order has no total, which nobody could know before."""
    config = with_rule('if: "order.total.amount > 40"')
    async with shop_under_test(tmp_path, config=config) as shop:
        event_id = await shop.post("orders/paid", paid_order(psid=PSID) | NO_TOTAL)
        record = await shop.finished(event_id)
        dead = await shop.store.zscore(shop.keys.dead, event_id)

    assert (record.status, record.reason) == ("failed", "CONDITION_FAILED")
    assert record.journal[-1].detail
    assert dead is not None
    assert shop.messenger.requests == []


CASES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("financial_status: [paid, authorized]", {"financial_status": "authorized"}, "done"),
    ("financial_status: paid", {"financial_status": "authorized"}, "NOT_PAID"),
    ("financial_status: [paid]", {"financial_status": "PAID"}, "done"),
    ("cancelled: false", {"cancelled_at": "2026-11-23T10:00:00Z"}, "CANCELLED"),
    ("cancelled: true", {}, "CANCELLED"),
    ("cancelled: true", {"cancelled_at": "2026-11-23T10:00:00Z"}, "done"),
    ("test: false", {"test": True}, "TEST_ORDER"),
    ("test: true", {}, "TEST_ORDER"),
    ("test: true", {"test": True}, "done"),
    ("source_name: [web]", {"source_name": "pos"}, "FILTERED"),
    ("source_name: [web]", {"source_name": None}, "FILTERED"),
    ("source_name: [web, pos]", {"source_name": "pos"}, "done"),
    ("fulfillment_status: [fulfilled]", {}, "FILTERED"),
    ("fulfillment_status: [unfulfilled]", {}, "done"),
    ("fulfillment_status: [fulfilled]", {"fulfillment_status": "fulfilled"}, "done"),
    ("", {"financial_status": "pending", "cancelled_at": "2026-11-23T10:00:00Z", "test": True}, "done"),
)


async def test_each_filter_keeps_orders_out_with_its_own_reason(tmp_path: Path) -> None:
    rules = "".join(
        f"  - {{name: rule{number}, on: orders/paid, when: {{{filters}}}, steps: [save_order_reference]}}\n"
        for number, (filters, _, _) in enumerate(CASES)
    )
    config = CONFIG[: CONFIG.index("rules:\n")] + "rules:\n" + rules
    ids = order_ids()
    async with shop_under_test(tmp_path, config=config) as shop:
        for number, (filters, fields, end) in enumerate(CASES):
            body = paid_order(order_id=next(ids), psid=PSID) | fields
            record = await shop.finished(await shop.post("orders/paid", body))
            ends = [e.reason or e.status for e in record.journal if (e.rule, e.step) == (f"rule{number}", "")]

            assert ends == [end], (filters, fields)


async def test_a_filter_on_orders_keeps_events_without_one_out(tmp_path: Path) -> None:
    config = with_when("test: false").replace("on: [orders/create, ", "on: [carts/update, ")
    async with shop_under_test(tmp_path, config=config) as shop:
        record = await shop.finished(await shop.post("carts/update", b'{"token": "abc"}'))

    assert (record.status, record.reason) == ("skipped", "NO_ORDER")


async def test_a_rule_that_fails_does_not_take_the_others_further_attempts_away(tmp_path: Path) -> None:
    """One event, two rules: the faulty condition of the second must not end the first one's retry."""
    faulty = """\
  - name: survey
    on: [orders/paid]
    if: "order.total.amount > 1"
    steps: [resolve_psid, {send_message: order_confirmation}]
"""
    config = CONFIG.replace("messages:\n", faulty + "messages:\n")
    async with shop_under_test(tmp_path, config=config) as shop:
        shop.messenger.inject(Fault.error(1200))
        record = await shop.finished(await shop.post("orders/paid", paid_order(psid=PSID) | NO_TOTAL))
        sent = list(shop.messenger.sent)

    assert len(sent) == 1
    assert (record.status, record.reason) == ("failed", "CONDITION_FAILED")
    assert ("order_confirmation", "done") in [(entry.rule, entry.status) for entry in record.journal if not entry.step]
