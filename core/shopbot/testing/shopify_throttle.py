"""The leaky bucket of the Admin GraphQL API: what a query costs, and how much is left.

Source: https://shopify.dev/docs/api/usage/rate-limits. Shopify does not publish the formula; the one here fits the
recordings we know (20 orders with plain fields: 7 requested, 4 actual).
"""

from __future__ import annotations

import math
from typing import Any

from shopbot.testing.clock import Clock

LARGEST_COST = 1000
"""No single query may cost more."""


def query_cost(orders: int, objects: int) -> int:
    """Give the points for *orders* orders with *objects* nested objects each."""
    return 2 + math.ceil(orders * (1 + objects) / 4)


class Bucket:
    """The points of one app in one shop.

    maximum: how many it holds. restore_rate: how many come back each second, by *clock*.
    """

    def __init__(self, clock: Clock, maximum: float, restore_rate: float) -> None:
        self.maximum = maximum
        self.restore_rate = restore_rate
        self._clock = clock
        self._available = maximum
        self._since = clock()

    @property
    def available(self) -> float:
        """Give the points that are there now."""
        now = self._clock()
        self._available = min(self.maximum, self._available + (now - self._since) * self.restore_rate)
        self._since = now
        return self._available

    def spend(self, points: float) -> None:
        """Take *points* out."""
        self._available = max(0.0, self.available - points)

    def drain(self) -> None:
        """Take everything out, so that the next query is throttled."""
        self._available = 0.0
        self._since = self._clock()

    def seconds_until(self, points: float) -> float:
        """Give how long to wait for *points*."""
        return max(0.0, (points - self.available) / self.restore_rate)

    def status(self, requested: int, actual: int | None) -> dict[str, Any]:
        """Give `extensions.cost`."""
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": {
                "maximumAvailable": float(self.maximum),
                "currentlyAvailable": int(self.available),
                "restoreRate": float(self.restore_rate),
            },
        }
