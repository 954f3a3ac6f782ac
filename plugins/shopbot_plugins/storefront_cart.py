"""Make checkout links as carts of Shopify's Storefront API, with stock checked and the cart known beforehand.

    checkouts:
      - use: storefront_cart
        private_token: ${SHOPIFY_STOREFRONT_TOKEN}
        api_version: "2026-10"
        timeout: 3s

`private_token` is a private access token of the Headless channel, or `public_token` a public one; without either, the
API's tokenless access is used, which also knows carts. A token needs the scopes `unauthenticated_read_checkouts`,
`unauthenticated_write_checkouts` and `unauthenticated_read_product_listings`. `api_version` is a version of the
Storefront API; `timeout` is for one request as a whole. `api_url` is where the API is found: at the shop's own domain
where left out.

The cart carries the signed token as a cart attribute, and its own token leads to the shopper even where attributes get
lost. A shopper is not sent to a checkout that holds less than was asked for: Shopify makes such a cart all the same,
with a warning, and it is refused here with how much there is of each article. The cart is then left to expire.

The cart's id with its key, and the checkout's address, can open the shopper's checkout; neither is ever logged.

https://shopify.dev/docs/api/storefront/latest/mutations/cartCreate
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from shopbot.plugin import (
    Checkout,
    CheckoutRequest,
    Context,
    Examination,
    Finding,
    Logger,
    OutOfStock,
    Reason,
    Refused,
    Retry,
    SecretStr,
    ShortLine,
    hookimpl,
)
from shopbot_plugins._json import as_object, as_objects
from shopbot_plugins._storefront import MOST_AT_ONCE, Storefront, StorefrontConfig, examine, user_errors, warning_codes

_VARIANT = "gid://shopify/ProductVariant/"
_CART = "gid://shopify/Cart/"

_CREATE = f"""
mutation cartCreate($input: CartInput!) {{
  cartCreate(input: $input) {{
    cart {{
      id
      checkoutUrl
      lines(first: {MOST_AT_ONCE}) {{ nodes {{ quantity merchandise {{ ... on ProductVariant {{ id }} }} }} }}
    }}
    userErrors {{ field message code }}
    warnings {{ code message target }}
  }}
}}
"""


class Config(StorefrontConfig):
    """What `use: storefront_cart` accepts."""


class Plugin:
    """Makes one cart per link."""

    _storefront: Storefront
    _log: Logger

    def __init__(self, config: Config) -> None:
        self._config = config

    @hookimpl
    async def start(self, context: Context) -> None:
        """Make the connection pool; nothing is asked yet."""
        self._log = context.log
        self._storefront = Storefront(self._config, context.shop.domain)

    @hookimpl
    async def stop(self) -> None:
        """Close all connections."""
        await self._storefront.close()

    @hookimpl
    async def diagnose(self, examination: Examination) -> AsyncGenerator[Finding, None]:
        """Look at the version and the token."""
        async for finding in examine(self._storefront, self._config, examination.today):
            yield finding

    @hookimpl
    async def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """Make a cart with the lines and attributes, and give its checkout."""
        if len(request.lines) > MOST_AT_ONCE:
            raise Refused(f"a cart takes {MOST_AT_ONCE} lines at once", code=Reason.CHECKOUT_REFUSED)
        answer = await self._storefront.ask("cartCreate", _CREATE, {"input": _cart_input(request)})
        problems = [message for _, message in user_errors(answer)]
        if problems:
            raise Refused("; ".join(problems), code=Reason.CHECKOUT_REFUSED)
        cart = as_object(answer.get("cart"))
        cart_id, url = cart.get("id"), cart.get("checkoutUrl")
        if not isinstance(cart_id, str) or not isinstance(url, str) or not cart_id.startswith(_CART):
            raise Retry("Shopify made no cart and did not say why")
        codes = warning_codes(answer)
        if codes:
            self._log.info("storefront_warnings", codes=codes)
        short = _short_lines(request, cart)
        if short:
            raise OutOfStock(short)
        token = cart_id.removeprefix(_CART).partition("?")[0]
        return Checkout(url=url, checkout_token=token, cart_token=token, cart_id=SecretStr(cart_id))


def _cart_input(request: CheckoutRequest) -> Mapping[str, object]:
    return {
        "lines": [
            {"merchandiseId": f"{_VARIANT}{line.variant_id}", "quantity": line.quantity} for line in request.lines
        ],
        "attributes": [{"key": key, "value": value} for key, value in request.attributes.items()],
    }


def _short_lines(request: CheckoutRequest, cart: Mapping[str, Any]) -> list[ShortLine]:
    """Compare what was asked for with what the cart holds: too little stock is no error to the API."""
    held: dict[str, int] = {}
    for node in as_objects(as_object(cart.get("lines")).get("nodes")):
        variant, quantity = as_object(node.get("merchandise")).get("id"), node.get("quantity")
        if isinstance(variant, str) and isinstance(quantity, int):
            held[variant] = held.get(variant, 0) + quantity
    return [
        ShortLine(variant_id=line.variant_id, requested=line.quantity, available=available)
        for line in request.lines
        if (available := held.get(f"{_VARIANT}{line.variant_id}", 0)) < line.quantity
    ]
