"""What an answer of the Admin GraphQL API says: orders, come back later, or a person has to act.

https://shopify.dev/docs/api/usage/rate-limits and https://shopify.dev/docs/api/usage/search-syntax
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from shopbot.plugin import ChannelDown, Retry
from shopbot_plugins._endpoint import retry_after_seconds
from shopbot_plugins._json import as_list, as_object, read_object

USUAL_WAIT_SECONDS = 2.0
"""The wait after a throttled answer that does not tell how long."""
_SHORTEST_WAIT_SECONDS = 0.1

_BUSY = frozenset({408, 425})
_TOO_MANY_REQUESTS = 429
_FIXES = {
    402: "the shop is frozen: its bill is to be paid",
    403: "the app needs the scope read_orders and must be installed in the shop",
    404: "check shop.domain and api_version",
    423: "the shop is locked",
}
_PASSING = frozenset({"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"})
_LONGEST_QUOTE = 200


class UnauthorizedError(Exception):
    """The token is not valid (any more)."""


class ThrottledError(Exception):
    """Too many points were used; the same query may be sent again after a wait."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(f"Shopify throttles: {wait_seconds:.1f} s to wait")
        self.wait_seconds = max(wait_seconds, _SHORTEST_WAIT_SECONDS)


class TooExpensiveError(Exception):
    """The query costs more points than any query may: ask for fewer orders at a time."""


@dataclass(frozen=True, slots=True)
class OrdersPage:
    """One page of the `orders` query."""

    nodes: Sequence[Any]
    next_cursor: str | None
    """None on the last page."""
    left_out: frozenset[tuple[str, str]]
    """Fields that Shopify gave no value for, each with the error's code: protected data without approval, as a rule."""


def read_page(response: httpx.Response) -> OrdersPage:
    """Give the page of orders in an answer.

    Raises:
        UnauthorizedError, ThrottledError, TooExpensiveError: what the caller can do something about.
        Retry: it may work later.
        ChannelDown: a person has to act. Also for a search that Shopify did not understand: it answers with orders that
            nobody asked for, and leaves out others.
    """
    _check_status(response)
    answer = read_object(response)
    errors = [as_object(error) for error in as_list(answer.get("errors"))]
    orders = as_object(as_object(answer.get("data")).get("orders"))
    nodes = orders.get("nodes")
    if not isinstance(nodes, list):
        raise _failure(answer, errors)
    for warning in _warnings(answer):
        raise ChannelDown(
            "Shopify did not understand the search for orders, so its answer was not used:"
            f" {_quote(warning.get('message'))} (field {_quote(warning.get('field'))}); check api_version"
        )
    page_info = as_object(orders.get("pageInfo"))
    cursor = page_info.get("endCursor")
    if page_info.get("hasNextPage") is not False and not isinstance(cursor, str):
        raise Retry("Shopify's answer does not say where its next page is")
    return OrdersPage(
        nodes=nodes,
        next_cursor=cursor if page_info.get("hasNextPage") is not False else None,
        left_out=frozenset((_field(error), _code(error)) for error in errors),
    )


def read_data(response: httpx.Response) -> Mapping[str, Any]:
    """Give the data of an answer to a query that is not about orders.

    Raises:
        As `read_page`.
    """
    _check_status(response)
    answer = read_object(response)
    errors = [as_object(error) for error in as_list(answer.get("errors"))]
    data = as_object(answer.get("data"))
    if errors or not data:
        raise _failure(answer, errors)
    return data


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    asked_seconds = retry_after_seconds(response.headers)
    if status == httpx.codes.UNAUTHORIZED:
        raise UnauthorizedError
    if status == _TOO_MANY_REQUESTS:
        raise ThrottledError(asked_seconds or _throttle_seconds(read_object(response)))
    if response.is_server_error or status in _BUSY:
        raise Retry(f"Shopify answered HTTP {status}", after_seconds=asked_seconds)
    if response.is_redirect:
        raise ChannelDown(f"Shopify redirects (HTTP {status}): check shop.domain, the .myshopify.com name of the shop")
    if not response.is_success:
        raise ChannelDown(f"Shopify answered HTTP {status}: {_FIXES.get(status, 'check shop.domain and api_version')}")


def _failure(answer: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> Exception:
    """Judge an answer without orders."""
    codes = {_code(error) for error in errors}
    message = _quote(errors[0].get("message")) if errors else ""
    if "THROTTLED" in codes and not _never_affordable(answer):
        return ThrottledError(_throttle_seconds(answer))
    if codes & {"MAX_COST_EXCEEDED", "THROTTLED"}:
        return TooExpensiveError(message)
    if "ACCESS_DENIED" in codes:
        return ChannelDown(f"Shopify denies access to orders: give the app the scope read_orders ({message})")
    if not errors or codes & _PASSING or message.startswith("Internal error"):
        return Retry(f"Shopify answered without orders{': ' if message else ''}{message}")
    return ChannelDown(f"Shopify refused the query: {message}; check api_version")


def _never_affordable(answer: Mapping[str, Any]) -> bool:
    """Say whether the query costs more than the bucket can ever hold."""
    requested, status = _cost(answer)
    return requested > _number(status.get("maximumAvailable"), math.inf)


def _throttle_seconds(answer: Mapping[str, Any]) -> float:
    """Compute how long it takes until the bucket holds what the query costs."""
    requested, status = _cost(answer)
    available, rate = _number(status.get("currentlyAvailable"), -1.0), _number(status.get("restoreRate"), 0.0)
    if requested < 0 or available < 0 or rate <= 0:
        return USUAL_WAIT_SECONDS
    return (requested - available) / rate


def _cost(answer: Mapping[str, Any]) -> tuple[float, Mapping[str, Any]]:
    """Give the points that the query asked for (-1 where that is not said), and the state of the bucket."""
    cost = as_object(as_object(answer.get("extensions")).get("cost"))
    return _number(cost.get("requestedQueryCost"), -1.0), as_object(cost.get("throttleStatus"))


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def _warnings(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for search in as_list(as_object(answer.get("extensions")).get("search")):
        yield from (as_object(warning) for warning in as_list(as_object(search).get("warnings")))


def _field(error: Mapping[str, Any]) -> str:
    """Name the field of an order that an error is about: `email` of `orders.nodes.3.email`."""
    names = [part for part in as_list(error.get("path")) if isinstance(part, str)]
    return names[-1] if names else ""


def _code(error: Mapping[str, Any]) -> str:
    code = as_object(error.get("extensions")).get("code")
    return code if isinstance(code, str) else ""


def _quote(text: object) -> str:
    printable = "".join(c if c.isprintable() else " " for c in str(text or ""))
    return printable[:_LONGEST_QUOTE]
