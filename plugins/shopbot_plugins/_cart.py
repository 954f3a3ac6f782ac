"""What plugins that clear carts have in common."""

from datetime import UTC, datetime

from shopbot.plugin import Order, Store

_DELETE_IF_UNCHANGED = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""
"""One key at a time: two keys of a shopper can live in different slots of a cluster."""


async def delete_if_unchanged(store: Store, key: str, value: bytes) -> bool:
    """Delete a key unless somebody has written another value since *value* was read."""
    return bool(await store.eval(_DELETE_IF_UNCHANGED, 1, key, value))


def changed_after(written: object, order: Order) -> bool:
    """Say whether a cart was changed after the order was made.

    written: when the cart was last changed, in ISO 8601, UTC where it names no offset; anything else says nothing.
    """
    try:
        moment = datetime.fromisoformat(written)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return False
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return order.created_at is not None and moment > order.created_at
