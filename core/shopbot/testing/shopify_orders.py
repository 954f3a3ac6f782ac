"""The orders of a simulated shop, found through a search index that lags behind.

Source: https://shopify.dev/docs/api/admin-graphql/latest/queries/orders
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shopbot.testing.clock import Clock
from shopbot.testing.order_search import Search

VISIBLE_DAYS = 60
"""Older orders are silently absent unless the app has `read_all_orders`."""

LARGEST_PAGE = 250

OrderBody = dict[str, Any]
SortValue = tuple[int, int]


class PageError(ValueError):
    """The arguments of `orders` are not allowed; the message says why."""


@dataclass
class Record:
    """One order: what it is now, what the index knows, and what the index will know (from when, what)."""

    current: OrderBody
    indexed: OrderBody | None = None
    coming: list[tuple[float, OrderBody]] = field(default_factory=list)

    def index_until(self, now: float) -> OrderBody | None:
        """Let the index catch up to *now*, and give what it knows; None: nothing yet."""
        while self.coming and self.coming[0][0] <= now:
            self.indexed = self.coming.pop(0)[1]
        return self.indexed


@dataclass(frozen=True)
class Page:
    """A page of orders: their bodies as they are now, and a cursor for each."""

    orders: list[OrderBody]
    cursors: list[str]
    has_next: bool
    has_previous: bool


def _moment(name: str) -> Callable[[OrderBody], int]:
    def milliseconds(body: OrderBody) -> int:
        written = body.get(name)
        return int(datetime.fromisoformat(written).timestamp() * 1000) if written else 0

    return milliseconds


SORT_KEYS: dict[str, Callable[[OrderBody], int]] = {
    "CREATED_AT": _moment("created_at"),
    "ID": lambda body: int(body["id"]),
    "ORDER_NUMBER": lambda body: int(body["order_number"]),
    "PROCESSED_AT": _moment("processed_at"),
    "UPDATED_AT": _moment("updated_at"),
}


class OrderStore:
    """The shop's orders, by id.

    index_lag_seconds: how long a change stays invisible to `orders`; `order(id:)` sees it at once.
    """

    def __init__(self, clock: Clock, index_lag_seconds: float) -> None:
        self.index_lag_seconds = index_lag_seconds
        self._clock = clock
        self._records: dict[int, Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def get(self, order_id: int) -> OrderBody | None:
        """Give the REST body of an order as it is now; None if there is no such order."""
        record = self._records.get(order_id)
        return None if record is None else record.current

    def put(self, body: OrderBody) -> None:
        """Write an order, new or changed; the index follows."""
        now = self._clock()
        record = self._records.setdefault(body["id"], Record(body))
        record.current = body
        record.coming.append((now + self.index_lag_seconds, body))

    def page(
        self,
        search: Search,
        *,
        first: int | None,
        after: str | None,
        sort_key: str,
        reverse: bool,
        all_orders: bool,
    ) -> Page:
        """Find a page of the orders that the index has for *search*.

        Filters and order go by what the index knows; what comes back is the order as it is now. An order that
        is changed while a client pages may come twice or move behind the client's back, as with Shopify.

        Raises PageError.
        """
        if sort_key not in SORT_KEYS:
            raise PageError(f"this simulator sorts by {', '.join(SORT_KEYS)}, not by {sort_key}")
        if not isinstance(first, int) or isinstance(first, bool) or first < 1:
            raise PageError("you must provide first, as a number above zero")
        if first > LARGEST_PAGE:
            raise PageError(f"first cannot exceed {LARGEST_PAGE}")
        found = self._found(search, SORT_KEYS[sort_key], all_orders=all_orders)
        found.sort(key=lambda it: it[0], reverse=reverse)
        total = len(found)
        if after is not None:
            start = _read_cursor(after)
            found = [it for it in found if (it[0] < start if reverse else it[0] > start)]
        page = found[:first]
        return Page(
            orders=[body for _, body in page],
            cursors=[_cursor(position) for position, _ in page],
            has_next=len(found) > first,
            has_previous=len(found) < total,
        )

    def _found(
        self, search: Search, key: Callable[[OrderBody], int], *, all_orders: bool
    ) -> list[tuple[SortValue, OrderBody]]:
        now = self._clock()
        oldest = datetime.fromtimestamp(now, UTC) - timedelta(days=VISIBLE_DAYS)
        found = []
        for record in self._records.values():
            body = record.index_until(now)
            if body is None or not search.matches(body):
                continue
            if all_orders or datetime.fromisoformat(body["created_at"]) >= oldest:
                found.append(((key(body), int(body["id"])), record.current))
        return found


def _cursor(position: SortValue) -> str:
    value = {"last_id": position[1], "last_value": position[0]}
    return base64.b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()


def _read_cursor(text: str) -> SortValue:
    try:
        value = json.loads(base64.b64decode(text, validate=True))
        return int(value["last_value"]), int(value["last_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise PageError("invalid cursor for current pagination sort") from error
