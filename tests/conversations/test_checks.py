"""What `shopbot check` says of rules and messages that talk: a slip is found before a shopper finds it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from shopbot.host.blueprint import check_config
from support.conversation import CONFIG, EXAMPLE
from support.documents import Block, blocks

ENVIRON = dict.fromkeys(
    ("SHOPIFY_WEBHOOK_SECRET", "MESSENGER_APP_SECRET", "MESSENGER_VERIFY_TOKEN", "MESSENGER_PAGE_TOKEN"), "x" * 16
) | {"MESSENGER_URL": "https://example.com"}


def problems(tmp_path: Path, *changes: tuple[str, str], config: str = CONFIG) -> list[str]:
    """Check the example with some of its text replaced."""
    for old, new in changes:
        assert old in config, old
        config = config.replace(old, new, 1)
    path = tmp_path / "shopbot.yaml"
    path.write_text(config, encoding="utf-8")
    return [str(problem).partition("shopbot.yaml:")[2] for problem in check_config(path, ENVIRON).problems]


def test_the_example_has_no_problems() -> None:
    assert check_config(EXAMPLE, ENVIRON).problems == ()


CASES = {
    "a message that is not there": (
        ("none: order_not_found}", "none: order_not_fuond}"),
        "no message named 'order_not_fuond' under `messages:`",
    ),
    "a number of orders that is none": (
        ("none: order_not_found}", "zero: order_not_found}"),
        "unknown key 'zero'; known here: one, several, none",
    ),
    "no message for one order": (
        ("{one: order_status, several: order_choice,", "{several: order_choice,"),
        "say which message where there is one order",
    ),
    "a choice by number before the orders are found": (
        ("      - find_orders\n", ""),
        "how many orders there are is known only behind the step 'find_orders'",
    ),
    "a tap that nobody answers": (
        ("      payload: ORDER_STATUS\n", ""),
        "no rule has `payload: ORDER_STATUS`, so nobody would answer",
    ),
    "a title that is too long": (
        ("en: Where's my order?", "en: Where is my order now, please?"),
        "the title is too long: 30 characters, and Messenger takes 20",
    ),
    "a title that is too long in another language": (
        ("de: Bestellung verfolgen", "de: Wo ist meine Bestellung?"),
        "the title is too long: 24 characters, and Messenger takes 20",
    ),
    "a stop word in an order": (
        ("  - name: stop\n    on: messenger/message", "  - name: stop\n    on: [messenger/message, orders/paid]"),
        "the step 'opt_out' works on what a shopper does in Messenger, and orders/paid brings none",
    ),
    "an update without news": (
        ("      - orders/updated\n      - orders/cancelled", "      - carts/update\n      - orders/cancelled"),
        "the step 'update_order_reference' works on news of an order, and carts/update brings none",
    ),
    "once per parcel for an order": (
        ("on: [fulfillments/create, fulfillments/update]", "on: [fulfillments/create, orders/fulfilled]"),
        "`once_per: fulfillment` counts parcels, and orders/fulfilled brings none",
    ),
    "once per refund for a parcel": (
        ("on: refunds/create", "on: fulfillments/create"),
        "`once_per: refund` counts refunds, and fulfillments/create brings none: the rule never runs",
    ),
    "a state that no parcel has": (
        ("{parcel_status: delivered}", "{parcel_status: deliverd}"),
        "did you mean 'delivered'?",
    ),
    "a language that is none": (("        de:\n          - wo", "        xx:\n          - wo"), "expected a locale"),
    "a phrase that takes for ever": (
        ("- (order|delivery) status", "- (order|delivery)+(order|delivery)+status"),
        "expected a regular expression that is quickly searched in any text",
    ),
    "a margin as long as the window": (("margin: 10m", "margin: 24h"), "expected 'margin' to be shorter than 'length'"),
    "a window longer than Messenger's": (
        ("length: 24h", "length: 7d"),
        "window.length: expected at most 24h, which is Messenger's own window",
    ),
    "the order's own fields in news of a parcel": (
        ("text: order_shipped.txt.j2", 'text: "{{ order.name }}"'),
        "there is no 'name' here: what stands before it is nothing (none)",
    ),
    "one order where there may be none": (
        ("none: order_not_found}", "none: order_status}"),
        "order_status.txt.j2:",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_slip_is_found(tmp_path: Path, case: str) -> None:
    change, expected = CASES[case]

    found = problems(tmp_path, change)

    assert any(expected in problem for problem in found), found


def test_an_answer_to_nobody_is_warned_of(tmp_path: Path) -> None:
    found = problems(tmp_path, ("    tag: payment_update", "    tag: order_answer"))

    assert [problem for problem in found if "order_answer is for answers" in problem]


def test_news_that_a_rule_leaves_out_need_not_be_bearable(tmp_path: Path) -> None:
    """The rule is for refunds with an amount: its message may count on it."""
    assert problems(tmp_path, ("text: order_refunded.txt.j2", 'text: "{{ refund.amount.amount }}"')) == []


def is_part(shown: object, whole: object) -> bool:
    """Say whether the example has all that is shown, among other things."""
    if isinstance(shown, dict) and isinstance(whole, dict):
        return all(key in whole and is_part(value, whole[key]) for key, value in shown.items())
    if isinstance(shown, list) and isinstance(whole, list):
        return all(any(is_part(item, other) for other in whole) for item in shown)
    return shown == whole


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if block.page.stem == "conversations"], ids=str)
def test_what_the_page_shows_is_in_the_example(block: Block) -> None:
    assert is_part(yaml.safe_load(block.text), yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")))


def test_every_message_is_tried_in_every_language(tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "order_status.txt.j2").write_text("{{ orders[0].number }}")
    (templates / "order_status.de.txt.j2").write_text("{{ orders[0].nummer }}")

    found = [problem for problem in problems(tmp_path) if "warning" not in problem]

    assert len(found) == 1
    assert "order_status.de.txt.j2:1" in found[0]
