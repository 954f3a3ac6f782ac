"""An amount in a currency, as Shopify writes it: a decimal string, never a float."""

from decimal import Decimal, InvalidOperation

from shopbot.model.base import Value


class Money(Value):
    """An amount with its ISO 4217 currency code."""

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, amount: object, currency: object) -> "Money | None":
        """Read a decimal string and a currency code; None where either is missing or malformed."""
        if not isinstance(currency, str) or not currency or not isinstance(amount, str | int | Decimal):
            return None
        try:
            value = Decimal(amount)
        except InvalidOperation:
            return None
        return cls(amount=value, currency=currency) if value.is_finite() else None
