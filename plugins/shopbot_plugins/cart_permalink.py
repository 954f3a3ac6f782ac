"""Make checkout links as cart permalinks, which need no token and no call to Shopify.

    checkouts:
      - use: cart_permalink
        domain: acme.myshopify.com

The link puts the articles into a cart and goes to its checkout:
`https://acme.myshopify.com/cart/51204337615187:2?attributes[psid]=…&ref=…`. `domain` is the host name that shoppers
shall see, such as www.acme.example; the shop's own domain where left out.

Cart attributes end up in the order. Where they get lost, `ref` in the order's landing site can still lead to the
shopper, and so do the webhooks `checkouts/create` and `checkouts/update` with the step `note_checkout`. Stock is not
checked: Shopify tells the shopper. A shop behind a storefront password cannot be opened this way, and subscriptions
(selling plans) cannot be bought.

https://shopify.dev/docs/apps/build/checkout/create-cart-permalinks
"""

import secrets
from urllib.parse import quote

from shopbot.plugin import Checkout, CheckoutRequest, Context, Field, PluginConfig, hookimpl

_TOKEN_BYTES = 24


class Config(PluginConfig):
    """What `use: cart_permalink` accepts."""

    domain: str | None = Field(
        None,
        strict=True,
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$",
        description="The host name in the links, in lower case; the shop's own domain where left out.",
    )


class Plugin:
    """Writes links; each has a token of its own by which its order can be found."""

    _domain: str

    def __init__(self, config: Config) -> None:
        self._config = config

    @hookimpl
    async def start(self, context: Context) -> None:
        """Take the shop's domain."""
        self._domain = self._config.domain or context.shop.domain

    @hookimpl
    async def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """Write the link."""
        lines = ",".join(f"{line.variant_id}:{line.quantity}" for line in request.lines)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        attributes = [
            f"attributes[{quote(key, safe='')}]={quote(value, safe='')}" for key, value in request.attributes.items()
        ]
        query = "&".join([*attributes, f"ref={token}"])
        return Checkout(url=f"https://{self._domain}/cart/{lines}?{query}", checkout_token=token)
