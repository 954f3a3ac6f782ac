"""What Shopify asks for in its customers' names: only in the exact form that each topic promises."""

from __future__ import annotations

import pytest

from shopbot.model.compliance import (
    CustomerRequest,
    UnreadableRequestError,
    check_shop_redact,
    check_uninstalled,
)

SHOP = "acme.myshopify.com"
CUSTOMER = {"id": 7_141_592_653, "email": "jane@example.com", "phone": "+49 30 1234567"}
DATA_REQUEST = {
    "shop_id": 5,
    "shop_domain": SHOP,
    "customer": CUSTOMER,
    "orders_requested": [1001, "1002"],
    "data_request": {"id": 77},
}
REDACT = {"shop_id": 5, "shop_domain": SHOP, "customer": CUSTOMER, "orders_to_redact": [1001]}
SHOP_REDACT = {"shop_id": 5, "shop_domain": SHOP}
ORDER = {"id": 1001, "email": "jane@example.com", "shop_domain": SHOP}


def test_a_data_request_is_read() -> None:
    assert CustomerRequest.from_payload("customers/data_request", DATA_REQUEST, SHOP) == CustomerRequest(
        customer_id=7_141_592_653,
        email="jane@example.com",
        phone="+49 30 1234567",
        order_ids=(1001, 1002),
        request_id=77,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"customer": {"email": "jane@example.com"}},
        {"customer": {"id": None, "email": "", "phone": None}},
        {"customer": None},
        {"orders_to_redact": []},
        {"orders_to_redact": None},
        {"shop_domain": SHOP.upper()},
        {"something_new": 1},
    ],
)
def test_a_redaction_may_lack_much(changes: dict[str, object]) -> None:
    CustomerRequest.from_payload("customers/redact", REDACT | changes, SHOP)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("customers/redact", DATA_REQUEST),
        ("customers/redact", {**REDACT, "data_request": {"id": 77}}),
        ("customers/redact", SHOP_REDACT),
        ("customers/redact", ORDER),
        ("customers/redact", {**REDACT, "shop_domain": "other.myshopify.com"}),
        ("customers/redact", {**REDACT, "shop_domain": None}),
        ("customers/redact", {**REDACT, "orders_to_redact": ["#1001"]}),
        ("customers/redact", {**REDACT, "orders_to_redact": "1001"}),
        ("customers/redact", {**REDACT, "orders_to_redact": [True]}),
        ("customers/redact", {**REDACT, "customer": [1]}),
        ("customers/redact", None),
        ("customers/redact", [REDACT]),
        ("customers/data_request", REDACT),
        ("customers/data_request", SHOP_REDACT),
    ],
)
def test_a_body_of_another_topic_is_refused(topic: str, payload: object) -> None:
    """The topic's header is not signed: who has caught one signed body could send it as anything."""
    with pytest.raises(UnreadableRequestError, match=f"{topic}|customer|orders_to_redact") as error:
        CustomerRequest.from_payload(topic, payload, SHOP)
    assert "jane" not in str(error.value)


@pytest.mark.parametrize("payload", [DATA_REQUEST, REDACT, ORDER, {}, None, {**SHOP_REDACT, "customer": None}])
def test_nothing_but_the_request_itself_erases_a_shop(payload: object) -> None:
    with pytest.raises(UnreadableRequestError, match="shop/redact"):
        check_shop_redact(payload, SHOP)
    check_shop_redact(SHOP_REDACT, SHOP)
    with pytest.raises(UnreadableRequestError, match="another shop's"):
        check_shop_redact(SHOP_REDACT, "other.myshopify.com")


def test_only_a_shop_can_say_that_the_app_was_uninstalled() -> None:
    check_uninstalled({"id": 5, "myshopify_domain": SHOP}, SHOP)
    check_uninstalled({"id": 5, "myshopify_domain": None}, SHOP)
    strangers: list[object] = [None, [], {}, {"id": None}, {"id": 5, "myshopify_domain": "other.myshopify.com"}]
    for payload in strangers:
        with pytest.raises(UnreadableRequestError, match="app/uninstalled"):
            check_uninstalled(payload, SHOP)


def test_personal_data_is_not_shown_by_accident() -> None:
    shown = repr(CustomerRequest.from_payload("customers/redact", REDACT, SHOP))

    assert "jane" not in shown
    assert "1234567" not in shown
