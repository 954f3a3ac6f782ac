"""Find the shopper's PSID in an order's attributes, as the GraphQL APIs spell cart attributes.

    resolvers:
      - use: attributes
        key: psid
        trust: known_shopper

Webhooks bring cart attributes as note attributes (see `note_attributes`); orders that were read through GraphQL have
`customAttributes`, and some apps pass on a cart's `attributes`. `key` is the attribute's exact name. `trust` says what
must vouch for the value, because anyone who can open the cart can edit it: `signed`, `known_shopper` or `any`, as with
`note_attributes`.

https://shopify.dev/docs/api/admin-graphql/latest/objects/Attribute
"""

from shopbot.plugin import Field, Order, PluginConfig, Resolution, Trust, hookimpl


class Config(PluginConfig):
    """What `use: attributes` accepts."""

    key: str = Field("psid", strict=True, min_length=1, description="The exact name of the attribute.")
    trust: Trust = Field(
        Trust.KNOWN_SHOPPER, description="What must vouch for the value: signed, known_shopper or any."
    )


class Plugin:
    """Reads one attribute; blank means that there is no shopper in Messenger."""

    def __init__(self, config: Config) -> None:
        self._key = config.key
        self._trust = config.trust

    @hookimpl
    async def resolve_psid(self, order: Order) -> Resolution | None:
        """Give the attribute's value as it is: the host says why it cannot use one that is no PSID."""
        values = [a.value.strip() for a in order.attributes if a.name == self._key]
        # `attributes` come before `customAttributes`, and a later entry is the newer one.
        psid = next((value for value in reversed(values) if value), None)
        return None if psid is None else Resolution(psid=psid, trust=self._trust)
