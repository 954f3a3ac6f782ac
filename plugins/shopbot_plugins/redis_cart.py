"""Empty the cart that the bot keeps in the store, once its order is paid.

    carts:
      - use: redis_cart

Deletes `cart:{psid}` and `checkout_token:{psid}`. A cart is JSON; where its `updated_at` (ISO 8601; UTC if it names no
offset) is later than the order, the shopper is already filling the next one: cart and checkout token are kept. A cart
that does not say when it was changed is cleared. What is written between the look and the deletion is never lost:
a cart that changed meanwhile is judged again, a new checkout token stays. There are no settings.

Every call leaves a `cart_cleared` line in the log: who (masked), which order, when, and with what result.
"""

import json
from datetime import UTC, datetime

from shopbot.plugin import CartResult, Context, Logger, Order, PluginConfig, Retry, SharedKeys, Store, hookimpl, mask
from shopbot_plugins._cart import changed_after, delete_if_unchanged

_ATTEMPTS = 5


class Config(PluginConfig):
    """What `use: redis_cart` accepts: nothing."""


class Plugin:
    """Deletes exactly what it has judged."""

    _store: Store
    _keys: SharedKeys
    _log: Logger

    def __init__(self, config: Config) -> None:
        """Take no settings."""

    @hookimpl
    async def start(self, context: Context) -> None:
        """Take the host's store."""
        self._store, self._keys, self._log = context.store, context.keys, context.log

    @hookimpl
    async def clear_cart(self, psid: str, order: Order) -> CartResult:
        """Clear the cart unless it was changed after the order was made."""
        checkout_key = self._keys.checkout_token(psid)
        checkout = await self._store.get(checkout_key)
        result = await self._clear(self._keys.cart(psid), order)
        # A kept cart's checkout token belongs to that cart, not to the order. After a crash on this line the cart is
        # found empty at the next attempt, and the token goes then.
        if result is not CartResult.KEPT and checkout is not None:
            await delete_if_unchanged(self._store, checkout_key, checkout)
        self._log.info(
            "cart_cleared",
            psid=mask(psid),
            order_id=order.id,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            result=result.value,
        )
        return result

    async def _clear(self, key: str, order: Order) -> CartResult:
        for _ in range(_ATTEMPTS):
            cart = await self._store.get(key)
            if cart is None:
                return CartResult.ALREADY_EMPTY
            if changed_after(_updated_at(cart), order):
                return CartResult.KEPT
            if await delete_if_unchanged(self._store, key, cart):
                return CartResult.CLEARED
        raise Retry("the cart is being changed all the time")


def _updated_at(cart: bytes) -> object:
    try:
        return json.loads(cart)["updated_at"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None  # not JSON, no mapping, or no such key
