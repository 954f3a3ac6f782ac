"""Whom a plugin is told to erase."""

from pydantic import Field

from shopbot.model.base import Value


class PersonToErase(Value):
    """A person, by everything that the host knows them by. Personal data: use it, and keep none of it."""

    psids: frozenset[str] = Field(default=frozenset(), repr=False)
    """Their Messenger accounts."""
    order_ids: frozenset[int] = Field(default=frozenset(), repr=False)
    event_ids: frozenset[str] = Field(default=frozenset(), repr=False)
    """Events about their orders, and of what they did in Messenger, as far as there was a record of them."""
    customer_id: int | None = Field(default=None, repr=False)
    """Shopify's number of the customer; None where it is not known."""
    email: str | None = Field(default=None, repr=False)
    everyone: bool = False
    """Whether all of the shop is erased: then everything goes, and no id is given."""
