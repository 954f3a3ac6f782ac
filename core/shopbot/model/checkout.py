"""Checkout links: what they are made of, and checkouts as Shopify's webhooks tell of them."""

from collections.abc import Mapping

from pydantic import Field, SecretStr

from shopbot.model.base import Value
from shopbot.model.order import Attribute, read_attributes
from shopbot.model.payload import read_integer, read_mappings, read_text


class CheckoutLine(Value):
    """One article to buy."""

    variant_id: int = Field(ge=1)
    """Shopify's number of the product variant."""
    quantity: int = Field(ge=1)


class CheckoutRequest(Value):
    """A wish for a checkout link."""

    psid: str = Field(repr=False)
    """Whose checkout it is. Never put it into the link: `attributes` hold what stands for it."""
    lines: tuple[CheckoutLine, ...] = Field(min_length=1)
    """What to buy; each variant once."""
    attributes: Mapping[str, str] = Field(repr=False)
    """Cart attributes that the order must carry, the signed token among them."""


class Checkout(Value):
    """A checkout link that was made."""

    url: str = Field(repr=False)
    """Where the shopper pays. Whoever holds it can open the checkout: never log it."""
    checkout_token: str = Field(min_length=16, max_length=512)
    """By what an order can be traced to this checkout if its attributes get lost. Not to be guessed."""
    cart_token: str | None = None
    """The cart token that the order will carry, where it is known by now."""
    cart_id: SecretStr | None = None
    """The Storefront API's whole cart id with its `?key=`, a secret; None where there is no such cart."""


class ShortLine(Value):
    """An article of which the shop has too few."""

    variant_id: int
    requested: int
    available: int
    """0 when it is sold out."""


class SeenCheckout(Value):
    """A checkout that a shopper has opened, from `checkouts/create` and `checkouts/update`.

    https://shopify.dev/docs/api/webhooks/latest
    """

    token: str
    """The order's `checkout_token` later."""
    cart_token: str | None = None
    note_attributes: tuple[Attribute, ...] = ()
    variant_ids: frozenset[int] = frozenset()
    completed: bool = False
    """Whether its order was placed."""

    @property
    def tokens(self) -> frozenset[str]:
        """What its order will carry, the checkout's token and the cart's."""
        return frozenset({self.token, self.cart_token or self.token})

    @classmethod
    def from_payload(cls, payload: object) -> "SeenCheckout | None":
        """Read a webhook body; None when it is no checkout: no mapping, or without a token."""
        token = read_text(payload.get("token")) if isinstance(payload, Mapping) else None
        if token is None or not isinstance(payload, Mapping):
            return None
        variants = (read_integer(line.get("variant_id")) for line in read_mappings(payload.get("line_items")))
        return cls(
            token=token,
            cart_token=plain_cart_token(read_text(payload.get("cart_token"))),
            note_attributes=read_attributes(payload.get("note_attributes"), "name"),
            variant_ids=frozenset(variant for variant in variants if variant is not None),
            completed=bool(payload.get("completed_at")),
        )


def plain_cart_token(token: str | None) -> str | None:
    """Take off what the Storefront API's cart id goes on with, `?key=…`: it is no part of the token."""
    return (token.partition("?")[0] or None) if token else None
