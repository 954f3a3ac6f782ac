"""What the store raises."""

from __future__ import annotations

from redis.exceptions import DataError, RedisError


class StoreError(Exception):
    """The store could not be opened or did not keep what it was given; the message is for the operator."""


def is_away(error: Exception) -> bool:
    """Say whether an error means that the store cannot serve now, so that the same command may work later.

    False for what no waiting mends: a value that cannot be sent, a key that somebody else uses for another kind of
    value, and whatever does not come from the store.
    """
    if isinstance(error, DataError) or "WRONGTYPE" in str(error):
        return False
    return isinstance(error, RedisError | OSError)
