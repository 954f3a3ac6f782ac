"""The cart that the bot fills for a shopper, as `cart:{psid}` holds it.

    {"items": [{"variant_id": 51204337615187, "quantity": 2, "title": "Stoneware mug"}],
     "updated_at": "2026-11-23T09:15:00.123456+00:00", "revision": "1f0c…"}

`items` and `updated_at` are what other parts of a bot need to know; whatever else they keep in a cart or an item stays
as it is when the cart is changed here.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shopbot.model.payload import read_integer


class UnreadableCartError(ValueError):
    """Something else than a cart is stored."""


class CartLimitError(ValueError):
    """A cart would hold more than it may; the message says what."""


def _moment(value: object) -> datetime | None:
    """Read a time as any part of a bot may have written it; UTC where it names no offset, None where it is none."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(value: object) -> object:
    # Some write ids as text, because JavaScript's numbers end at 2^53.
    return read_integer(value) if isinstance(value, str) else value


class CartItem(BaseModel):
    """One article in the cart."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    variant_id: Annotated[int, BeforeValidator(_number)]
    """Shopify's number of the product variant; each stands once in a cart."""
    quantity: int = Field(ge=0)
    title: str | None = None
    """What the bot calls it."""


class Cart(BaseModel):
    """A cart; empty where nothing is stored."""

    model_config = ConfigDict(frozen=True, extra="allow")

    items: tuple[CartItem, ...] = ()
    updated_at: Annotated[datetime | None, BeforeValidator(_moment)] = None
    """When it was last changed; None for a cart that never was, or does not say."""

    @classmethod
    def from_json(cls, content: bytes | str) -> "Cart":
        """Read what is stored.

        Raises:
            UnreadableCartError: it is no cart.
        """
        try:
            return cls.model_validate(json.loads(content, parse_constant=_no_number))
        except (ValidationError, ValueError, RecursionError) as error:
            raise UnreadableCartError("what the store holds under the cart's key is no cart") from error

    def to_json(self) -> bytes:
        """Write what `from_json` reads, in ASCII."""
        content = self.model_dump(mode="json")
        for item in content["items"]:
            if item["title"] is None:
                del item["title"]
        return json.dumps(content, separators=(",", ":")).encode()

    def item(self, variant_id: int) -> CartItem | None:
        """Find an article; None where it is not in the cart."""
        return next((item for item in self.items if item.variant_id == variant_id), None)

    def adding(self, variant_id: int, quantity: int, title: str | None = None) -> "Cart":
        """Give the cart with so much more of an article, at its place or at the end."""
        before = self.item(variant_id)
        if before is None:
            return self._having((*self.items, CartItem(variant_id=variant_id, quantity=quantity, title=title)))
        changes: dict[str, object] = {"quantity": before.quantity + quantity}
        if title is not None:
            changes["title"] = title
        return self._having([item if item is not before else item.model_copy(update=changes) for item in self.items])

    def setting(self, variant_id: int, quantity: int) -> "Cart":
        """Give the cart with exactly so much of an article that is in it; none takes it out.

        The cart itself where the article is not in it.
        """
        if self.item(variant_id) is None:
            return self
        if quantity == 0:
            return self._having([item for item in self.items if item.variant_id != variant_id])
        return self._having(
            [
                item.model_copy(update={"quantity": quantity}) if item.variant_id == variant_id else item
                for item in self.items
            ]
        )

    def _having(self, items: Sequence[CartItem]) -> "Cart":
        return self.model_copy(update={"items": tuple(items)})


@dataclass(frozen=True, slots=True)
class CartLimits:
    """How much a cart may hold."""

    lines: int
    """Different articles."""
    quantity: int
    """Pieces of one article."""

    def check(self, cart: Cart) -> None:
        """Hold a cart against the limits.

        Raises:
            CartLimitError: it holds too much.
        """
        if len(cart.items) > self.lines:
            raise CartLimitError(f"a cart may hold {self.lines} different articles")
        for item in cart.items:
            if item.quantity > self.quantity:
                raise CartLimitError(
                    f"a cart may hold {self.quantity} pieces of an article;"
                    f" there would be {item.quantity} of variant {item.variant_id}"
                )


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
