"""Find the shopper's PSID in an order's note attributes, where cart attributes arrive in webhooks.

    resolvers:
      - use: note_attributes
        key: psid
        trust: known_shopper

`key` is the attribute's exact name. `trust` says what must vouch for the value, because anyone who can open the cart
can edit it: `signed` takes only the token that shopbot's own checkout links carry, `known_shopper` also a plain PSID
for which the shop holds a cart, a checkout token or a conversation, and `any` every PSID.

https://shopify.dev/docs/api/storefront/latest/objects/Attribute
"""

from shopbot.plugin import Field, Order, PluginConfig, Resolution, Trust, hookimpl


class Config(PluginConfig):
    """What `use: note_attributes` accepts."""

    key: str = Field("psid", strict=True, min_length=1, description="The exact name of the note attribute.")
    trust: Trust = Field(
        Trust.KNOWN_SHOPPER, description="What must vouch for the value: signed, known_shopper or any."
    )


class Plugin:
    """Reads one note attribute; blank means that there is no shopper in Messenger."""

    def __init__(self, config: Config) -> None:
        self._key = config.key
        self._trust = config.trust

    @hookimpl
    async def resolve_psid(self, order: Order) -> Resolution | None:
        """Give the attribute's value as it is: the host says why it cannot use one that is no PSID."""
        values = [a.value.strip() for a in order.note_attributes if a.name == self._key]
        # A name that stands twice was written twice: the later value is the newer one. Themes leave blank ones behind.
        psid = next((value for value in reversed(values) if value), None)
        return None if psid is None else Resolution(psid=psid, trust=self._trust)
