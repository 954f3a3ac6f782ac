"""The names of the keys that other parts of a bot share with shopbot."""

from dataclasses import dataclass

_UNRESOLVED = "unresolved"
"""What stands in an order reference's key while its shopper is not known."""


@dataclass(frozen=True, slots=True)
class SharedKeys:
    """Builds the shared keys' names. `prefix` is empty unless several shops live in one store."""

    prefix: str = ""

    def cart(self, psid: str) -> str:
        """Name the cart that the bot fills for a shopper (JSON)."""
        return f"{self.prefix}cart:{psid}"

    def checkout_token(self, psid: str) -> str:
        """Name the checkout that a shopper has open (its token)."""
        return f"{self.prefix}checkout_token:{psid}"

    def checkout_token_lookup(self, token: str) -> str:
        """Name the way back from a checkout or cart token to the shopper (the PSID)."""
        return f"{self.prefix}checkout_token_lookup:{token}"

    def storefront_cart(self, psid: str) -> str:
        """Name the Storefront API's whole cart id of a shopper's latest checkout link: a secret."""
        return f"{self.prefix}storefront_cart:{psid}"

    def order_reference(self, psid: str | None, order_id: int) -> str:
        """Name the reference by which an order is found again (JSON); `unresolved` stands for an unknown PSID."""
        return f"{self.prefix}order_reference:{psid or _UNRESOLVED}:{order_id}"

    @property
    def order_references(self) -> str:
        """Give the pattern of all references' keys. A prefix has no characters that mean something in a pattern."""
        return f"{self.prefix}order_reference:*"

    def read_order_reference(self, key: str) -> tuple[str | None, int] | None:
        """Split a reference's key into PSID and order id; None for a key of somebody else's that looks like one."""
        psid, _, order_id = key.removeprefix(f"{self.prefix}order_reference:").partition(":")
        if not (order_id.isascii() and order_id.isdigit()):
            return None
        return None if psid == _UNRESOLVED else psid, int(order_id)

    def order_confirmation(self, psid: str, order_id: int) -> str:
        """Name the mark that an order's confirmation went out (JSON)."""
        return f"{self.prefix}order_confirmation:{psid}:{order_id}"
