"""What the checkout and cart API takes and gives, as its OpenAPI document shows it."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr, WithJsonSchema

from shopbot.model.checkout import CheckoutLine
from shopbot.model.payload import read_integer
from shopbot.model.shopper_cart import Cart

MOST_LINES = 250
"""No cart limit can be higher, and Shopify takes no more at once."""

LARGEST_ID = 2**63 - 1
_LARGEST_QUANTITY = 1_000_000
_PSID = r"^[0-9]{1,32}$"


def _whole(value: object) -> object:
    # JSON does not tell 2.0 from 2: https://json-schema.org/draft/2020-12/json-schema-core#section-4.2.3
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number(value: object) -> object:
    found = read_integer(value) if isinstance(value, str) else None
    return _whole(value) if found is None else found


Psid = Annotated[StrictStr, Field(pattern=_PSID, description="The shopper's page-scoped id, as text.")]

VariantId = Annotated[
    StrictInt,
    Field(ge=1, le=LARGEST_ID),
    BeforeValidator(_number),
    WithJsonSchema(
        {
            "description": "Shopify's number of the product variant; as text where a number would lose digits.",
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
                {"type": "string", "pattern": "^0*[1-9][0-9]{0,17}$", "maxLength": 20},
            ],
        }
    ),
]

Quantity = Annotated[StrictInt, Field(ge=1, le=_LARGEST_QUANTITY, description="Pieces."), BeforeValidator(_whole)]

QuantityOrNone = Annotated[
    StrictInt,
    Field(ge=0, le=_LARGEST_QUANTITY, description="Pieces; 0 takes the article out."),
    BeforeValidator(_whole),
]

Title = Annotated[StrictStr, Field(min_length=1, max_length=255, description="What the bot calls the article.")]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class LineIn(_Body):
    """So many pieces of an article."""

    variant_id: VariantId
    quantity: Quantity


class ItemIn(LineIn):
    """So many pieces of an article, for the cart."""

    title: Title | None = None


class QuantityIn(_Body):
    """How many pieces of an article there shall be."""

    quantity: QuantityOrNone


class CartIn(_Body):
    """A whole cart. What stands twice is added up."""

    items: tuple[ItemIn, ...] = Field(max_length=MOST_LINES)

    def cart(self) -> Cart:
        """Give the cart that holds this."""
        cart = Cart()
        for item in self.items:
            cart = cart.adding(item.variant_id, item.quantity, item.title)
        return cart


class CheckoutIn(_Body):
    """A wish for a checkout link."""

    psid: Psid
    lines: tuple[LineIn, ...] | None = Field(
        None,
        min_length=1,
        max_length=MOST_LINES,
        description="What to buy; what stands twice is added up. Left out: what is in the shopper's cart.",
    )

    def cart(self) -> Cart | None:
        """Give the lines as a cart; None where the shopper's own is meant."""
        if self.lines is None:
            return None
        cart = Cart()
        for line in self.lines:
            cart = cart.adding(line.variant_id, line.quantity)
        return cart


class CheckoutOut(BaseModel):
    """A checkout link."""

    checkout_url: str = Field(description="Where the shopper pays. For this shopper alone: the order becomes theirs.")
    checkout_token: str = Field(description="By what shopbot knows the checkout, also kept as `checkout_token:{psid}`.")


class FieldProblem(BaseModel):
    """What is wrong with one part of a request."""

    field: str = Field(description="Where: `lines[0].quantity`; empty for the body as a whole.")
    problem: str


class ShortLineOut(BaseModel):
    """An article of which the shop has too few."""

    variant_id: int
    requested: int
    available: int


class ErrorOut(BaseModel):
    """Why a request was not carried out."""

    error: str
    code: str | None = Field(None, description="A reason code: OUT_OF_STOCK, CHECKOUT_REFUSED.")
    problems: list[FieldProblem] = Field(default=[], description="With 400: every part that is wrong.")
    lines: list[ShortLineOut] = Field(default=[], description="With OUT_OF_STOCK: what there is.")


def checkout_lines(cart: Cart) -> tuple[CheckoutLine, ...]:
    """Give what a cart holds as lines of a checkout."""
    return tuple(
        CheckoutLine(variant_id=item.variant_id, quantity=item.quantity) for item in cart.items if item.quantity > 0
    )
