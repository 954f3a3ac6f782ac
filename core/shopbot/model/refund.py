"""A refund, as `refunds/create` tells of it.

https://shopify.dev/docs/api/admin-rest/latest/resources/refund
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Self

from shopbot.model.base import Value
from shopbot.model.money import Money
from shopbot.model.payload import read_integer, read_mappings, read_moment, read_state, read_text


class Refund(Value):
    """Money that goes back to the buyer."""

    id: int | None = None
    order_id: int | None = None
    amount: Money | None = None
    """What is paid back in all; None where nothing is (articles were only put back into stock), or where neither the
    amount nor its currency can be read."""
    created_at: datetime | None = None

    @classmethod
    def from_payload(cls, payload: Mapping[str, object]) -> Self:
        """Read a webhook body, or one wrapped in `refund`; what is malformed counts as missing."""
        wrapped = payload.get("refund")
        body: Mapping[str, object] = wrapped if isinstance(wrapped, Mapping) else payload
        return cls(
            id=read_integer(body.get("id")),
            order_id=read_integer(body.get("order_id")),
            amount=_amount(body),
            created_at=read_moment(body.get("created_at")) or read_moment(body.get("processed_at")),
        )


def _amount(body: Mapping[str, object]) -> Money | None:
    total, currency = Decimal(0), _currency(body)
    for payment in read_mappings(body.get("transactions")):
        if read_state(payment.get("kind")) not in ("refund", None):
            continue
        if read_state(payment.get("status")) not in ("success", "pending", None):
            continue
        part = Money.parse(payment.get("amount"), read_text(payment.get("currency")) or currency)
        if part is not None and part.currency == currency:
            total += part.amount
    return Money(amount=total, currency=currency) if total > 0 and currency else None


def _currency(body: Mapping[str, object]) -> str | None:
    """Find the currency where payments do not name it: every amount of the refund is also written with its own."""
    for payment in read_mappings(body.get("transactions")):
        if named := read_text(payment.get("currency")):
            return named
    sets = [body.get("total_duties_set")]
    sets += [line.get("subtotal_set") for line in read_mappings(body.get("refund_line_items"))]
    for amounts in sets:
        money = amounts.get("shop_money") if isinstance(amounts, Mapping) else None
        code = read_text(money.get("currency_code")) if isinstance(money, Mapping) else None
        if code:
            return code
    return None
