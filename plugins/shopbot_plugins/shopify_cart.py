"""Empty the Storefront API's cart behind a shopper's latest checkout link, once its order is paid.

    carts:
      - use: shopify_cart
        private_token: ${SHOPIFY_STOREFRONT_TOKEN}
        api_version: "2026-10"
        timeout: 2s

For links that `storefront_cart` made: the cart's id is kept in the store as `storefront_cart:{psid}`. `private_token`,
`public_token`, `api_version` and `api_url` are the same as there; `timeout` is for one request as a whole, of which
there are two.

A cart cannot be deleted, so all of its lines are removed. One that Shopify does not know any more is empty: a cart ends
with its checkout, and after some weeks. One that was changed after the order is kept.

https://shopify.dev/docs/api/storefront/latest/mutations/cartLinesRemove
"""

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any

from shopbot.plugin import (
    CartResult,
    ChannelDown,
    Context,
    Examination,
    Field,
    Finding,
    Logger,
    Order,
    PositiveDuration,
    Refused,
    Retry,
    SharedKeys,
    Store,
    hookimpl,
    mask,
)
from shopbot_plugins._cart import changed_after, delete_if_unchanged
from shopbot_plugins._json import as_object, as_objects
from shopbot_plugins._storefront import MOST_AT_ONCE, Storefront, StorefrontConfig, examine, user_errors

_READ = f"""
query cart($id: ID!) {{
  cart(id: $id) {{ id updatedAt lines(first: {MOST_AT_ONCE}) {{ nodes {{ id }} pageInfo {{ hasNextPage }} }} }}
}}
"""

_REMOVE = """
mutation cartLinesRemove($cartId: ID!, $lineIds: [ID!]!) {
  cartLinesRemove(cartId: $cartId, lineIds: $lineIds) {
    cart { id }
    userErrors { field message code }
    warnings { code message target }
  }
}
"""

_MOST_PAGES = 4


class Config(StorefrontConfig):
    """What `use: shopify_cart` accepts."""

    timeout: PositiveDuration = Field(
        timedelta(seconds=2), le=timedelta(seconds=30), description="How long one request may take as a whole: 2s."
    )


class Plugin:
    """Empties the cart whose id the store holds, and forgets it."""

    outside = True
    _storefront: Storefront
    _store: Store
    _keys: SharedKeys
    _log: Logger

    def __init__(self, config: Config) -> None:
        self._config = config

    @hookimpl
    async def start(self, context: Context) -> None:
        """Make the connection pool; nothing is asked yet."""
        self._store, self._keys, self._log = context.store, context.keys, context.log
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
    async def clear_cart(self, psid: str, order: Order) -> CartResult:
        """Clear the cart unless it was changed after the order was made."""
        key = self._keys.storefront_cart(psid)
        kept = await self._store.get(key)
        if kept is None:
            return CartResult.ALREADY_EMPTY
        result = await self._clear(kept.decode(), order)
        if result is not CartResult.KEPT:
            # A link that was made meanwhile has written another id.
            await delete_if_unchanged(self._store, key, kept)
        self._log.info("storefront_cart_cleared", psid=mask(psid), order_id=order.id, result=result.value)
        return result

    async def _clear(self, cart_id: str, order: Order) -> CartResult:
        cart = await self._ask("cart", _READ, {"id": cart_id})
        if not _line_ids(cart):
            return CartResult.ALREADY_EMPTY
        if changed_after(cart.get("updatedAt"), order):
            return CartResult.KEPT
        for _ in range(_MOST_PAGES):
            answer = await self._ask("cartLinesRemove", _REMOVE, {"cartId": cart_id, "lineIds": _line_ids(cart)})
            for field, message in user_errors(answer):
                if "cartId" in field:
                    return CartResult.ALREADY_EMPTY  # it has ended since the look
                raise Retry(f"Shopify did not remove the cart's lines: {message}")
            if as_object(as_object(cart.get("lines")).get("pageInfo")).get("hasNextPage") is not True:
                return CartResult.CLEARED
            cart = await self._ask("cart", _READ, {"id": cart_id})
        raise Retry("the cart has more lines than a cart can have")

    async def _ask(self, name: str, query: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        try:
            return await self._storefront.ask(name, query, variables)
        except (Refused, ChannelDown) as error:
            # Neither is this hook's to raise: the order's confirmation does not wait for the cart.
            raise Retry(error.reason) from error


def _line_ids(cart: Mapping[str, Any]) -> list[str]:
    nodes = as_objects(as_object(cart.get("lines")).get("nodes"))
    return [node["id"] for node in nodes if isinstance(node.get("id"), str)]
