"""What a cart backend says about clearing a cart."""

from enum import StrEnum


class CartResult(StrEnum):
    """What became of the cart."""

    CLEARED = "cleared"
    ALREADY_EMPTY = "already_empty"
    KEPT = "kept"
    """The shopper changed the cart after the order, so it is a new one."""
