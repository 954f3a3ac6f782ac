"""Filters that show less of a person."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import ValidationError

from shopbot.testing.contracts import PSID, FiltersContract
from shopbot.testing.fixtures import HostFixture, OrdersFixture
from shopbot_plugins import privacy_filters


class TestPrivacyFilters(FiltersContract):
    module = privacy_filters
    examples: ClassVar = {
        "initial": [("Lovelace", "L."), ("élan", "É."), (" Ada ", "A."), ("", ""), (" ", ""), (None, ""), (7, "7.")],
        "mask_email": [
            ("ada.lovelace@example.com", "a…@example.com"),
            ("a@b", "a…@b"),
            ('"x@y"@example.com', '"…@example.com'),
            ("no address", "…"),
            ("@example.com", "…"),
            ("ada@", "…"),
            ("", ""),
            (None, ""),
        ],
        "mask_phone": [
            ("+49 170 1234567", "…67"),
            ("(030) 12 34 5", "…45"),
            ("12345", "…"),
            ("none", "…"),
            ("", ""),
            (None, ""),
        ],
    }

    async def test_messages_have_them(self, shopbot_host: HostFixture, shopbot_orders: OrdersFixture) -> None:
        changes = """
            plugins: [{use: privacy_filters}]
            messages:
              order_confirmation:
                tag: order_update
                text: "{{ customer.first_name }} {{ customer.last_name | initial }}, {{ order.email | mask_email }}"
            """
        async with shopbot_host(changes) as shop:
            await shop.finished(await shop.post("orders/paid", shopbot_orders(psid=PSID)))

            assert [message.text for message in shop.messenger.sent] == ["Ada L., a…@example.com"]


class TestAnotherSign(FiltersContract):
    module = privacy_filters
    settings: ClassVar = {"hidden": "***"}
    examples: ClassVar = {
        "initial": [("Lovelace", "L.")],
        "mask_email": [("ada@example.com", "a***@example.com")],
        "mask_phone": [("+491701234567", "***67")],
    }


@pytest.mark.parametrize("hidden", ["", "x" * 11, 3, None])
def test_something_short_stands_for_what_is_left_out(hidden: object) -> None:
    with pytest.raises(ValidationError):
        privacy_filters.Config.model_validate({"hidden": hidden})
