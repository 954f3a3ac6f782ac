"""Amounts of money as Shopify's REST order writes them: decimal strings, and sets of two currencies."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

ZERO_DECIMAL_CURRENCIES = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"})


@dataclass(frozen=True)
class Currencies:
    """The shop's currency, the buyer's, and how many units of the second are one of the first."""

    shop: str
    presentment: str
    rate: Decimal = Decimal(1)

    def money_set(self, amount: Decimal) -> dict[str, Any]:
        """Give the `*_set` object for *amount*, which is in the shop's currency."""
        return {
            "shop_money": {"amount": written(amount, self.shop), "currency_code": self.shop},
            "presentment_money": {
                "amount": written(amount * self.rate, self.presentment),
                "currency_code": self.presentment,
            },
        }

    def text(self, amount: Decimal) -> str:
        """Give *amount* as a decimal string in the shop's currency."""
        return written(amount, self.shop)


def written(amount: Decimal, currency: str) -> str:
    """Round *amount* to what *currency* can pay, and write it as Shopify does ("42.50", "1200")."""
    smallest = Decimal(1) if currency in ZERO_DECIMAL_CURRENCIES else Decimal("0.01")
    return str(amount.quantize(smallest, ROUND_HALF_UP))
