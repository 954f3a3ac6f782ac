"""The HTTP side of the Shopify simulator: the Admin GraphQL endpoint and the token endpoint.

Source: https://shopify.dev/docs/api/admin-graphql/latest/queries/orders and
https://shopify.dev/docs/apps/build/authentication-authorization/client-credentials-grant
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sanic import Request
from sanic.response import HTTPResponse

from shopbot.testing.clock import http_date
from shopbot.testing.graphql_document import GraphQLSyntaxError, Operation, Selected, read_document
from shopbot.testing.graphql_select import Connection, SelectionError, connection_of, count_objects, select
from shopbot.testing.order_nodes import order_node
from shopbot.testing.order_search import UnsupportedSearchError, read_search
from shopbot.testing.orders import fulfilled_order
from shopbot.testing.serving import SimulatorApp, new_app
from shopbot.testing.shopify_orders import PageError
from shopbot.testing.shopify_throttle import LARGEST_COST, query_cost

if TYPE_CHECKING:
    from shopbot.testing.shopify import ShopifySimulator

SUPPORTED_VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10", "2027-01", "unstable")
_BAD_TOKEN = "[API] Invalid API key or access token (unrecognized login or wrong password)"  # noqa: S105 - a message
_ORDERS_ARGUMENTS = frozenset({"first", "after", "query", "sortKey", "reverse"})


def build_app(simulator: ShopifySimulator) -> SimulatorApp:
    """Make a Sanic app that answers for *simulator*."""
    app = new_app("shopify-simulator")
    admin = AdminRoutes(simulator)
    app.add_route(admin.graphql, "/admin/api/<version:str>/graphql.json", methods=["POST"])
    app.add_route(admin.access_token, "/admin/oauth/access_token", methods=["POST"])
    app.on_response(admin.sign)  # type: ignore[no-untyped-call]  # Sanic leaves it untyped
    return app


class QueryError(Exception):
    """A GraphQL error that comes without data."""

    def __init__(self, message: str, code: str | None = None, path: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.body: dict[str, Any] = {"message": message}
        if path:
            self.body["path"] = list(path)
        if code is not None:
            self.body["extensions"] = {"code": code}


class AdminRoutes:
    """What the Admin API answers."""

    def __init__(self, simulator: ShopifySimulator) -> None:
        self._simulator = simulator

    async def access_token(self, request: Request) -> HTTPResponse:
        """Grant a token for the app's credentials, given as a form or as JSON."""
        form: Any = request.form or {}
        if request.content_type.startswith("application/json"):
            form = _json_object(request.body)
        if form.get("grant_type") != "client_credentials":
            return _json({"error": "unsupported_grant_type"}, 400)
        token = self._simulator.grant(str(form.get("client_id")), str(form.get("client_secret")))
        if token is None:
            return _json({"error": "invalid_client"}, 400)
        scope = ",".join(self._simulator.scopes)
        lifetime = int(self._simulator.token_lifetime_seconds)
        return _json({"access_token": token, "scope": scope, "expires_in": lifetime})

    async def sign(self, request: Request, response: HTTPResponse) -> None:  # noqa: ARG002 - Sanic passes it
        """Add the time of Shopify's clock."""
        response.headers["Date"] = http_date(self._simulator.clock_skew_seconds)

    async def graphql(self, request: Request, version: str) -> HTTPResponse:
        """Answer one query.

        Root fields: `orders`, `order(id:)`, `shop`, `currentAppInstallation` and `webhookSubscriptions`. An unknown
        field is an error, as with Shopify, and so is anything that the simulator does not know: it never guesses.
        """
        simulator = self._simulator
        if not simulator.accepts(request.headers.get("x-shopify-access-token")):
            return _json({"errors": _BAD_TOKEN}, 401)
        served = _served_version(version)
        if served is None:
            return _json({"errors": "Not Found"}, 404)
        if simulator.failures:
            status, retry_after = simulator.failures.pop(0)
            headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
            return _json({"errors": "Internal Server Error"}, status, headers)
        simulator.query_count += 1
        body = _json_object(request.body)
        query = body.get("query")
        if not isinstance(query, str):
            return _json({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        headers = {"X-Shopify-API-Version": served}
        try:
            operation = read_document(query, body.get("variables") or {})
            _check(operation, simulator, served)
            return self._execute(operation.selections, served, headers)
        except (QueryError, SelectionError) as error:
            return _json({"errors": [error.body]}, 200, headers)
        except (GraphQLSyntaxError, PageError, UnsupportedSearchError) as error:
            return _json({"errors": [{"message": str(error)}]}, 200, headers)

    def _execute(self, roots: Sequence[Selected], version: str, headers: dict[str, str]) -> HTTPResponse:
        simulator = self._simulator
        requested = sum(_cost(root, _wanted(root)) for root in roots)
        if requested > LARGEST_COST:
            raise QueryError(
                f"Query cost is {requested}, which exceeds the single query max cost limit ({LARGEST_COST}).",
                "MAX_COST_EXCEEDED",
            )
        if requested > simulator.bucket.available:
            return self._throttled(requested, headers)
        data: dict[str, Any] = {}
        searches: list[dict[str, Any]] = []
        actual = 0
        for root in roots:
            value, found, search = self._resolve(root, version)
            data[root.key] = select(value, root.selections, (root.name,))
            actual += _cost(root, found)
            if search is not None:
                searches.append(search)
        simulator.bucket.spend(actual)
        extensions: dict[str, Any] = {"cost": simulator.bucket.status(requested, actual)}
        if any("warnings" in search for search in searches):
            extensions["search"] = searches
        return _json({"data": data, "extensions": extensions}, 200, headers)

    def _throttled(self, requested: int, headers: dict[str, str]) -> HTTPResponse:
        simulator = self._simulator
        if simulator.throttled_as == 429:  # noqa: PLR2004 - Too Many Requests
            headers["Retry-After"] = f"{max(1, math.ceil(simulator.bucket.seconds_until(requested)))}.0"
        error = {
            "message": "Throttled",
            "extensions": {
                "code": "THROTTLED",
                "documentation": "https://shopify.dev/api/usage/rate-limits",
            },
        }
        body = {"errors": [error], "extensions": {"cost": simulator.bucket.status(requested, None)}}
        return _json(body, simulator.throttled_as, headers)

    def _resolve(self, root: Selected, version: str) -> tuple[Any, int, dict[str, Any] | None]:
        """Give the value of a root field, how many orders are in it, and its entry of `extensions.search`."""
        simulator = self._simulator
        if root.name == "shop":
            return _shop(simulator.shop), 0, None
        if root.name == "currentAppInstallation":
            return _installation(simulator.scopes), 0, None
        if root.name == "webhookSubscriptions":
            return connection_of("WebhookSubscription", simulator.webhooks.listed()), 0, None
        if "read_orders" not in simulator.scopes:
            raise QueryError(
                f"Access denied for {root.name} field. Required access: `read_orders` access scope.",
                "ACCESS_DENIED",
                [root.key],
            )
        if root.name == "order":
            order_id = str(root.arguments.get("id")).rpartition("/")[2]
            body = simulator.orders.get(int(order_id)) if order_id.isdigit() else None
            return (None if body is None else order_node(body, version)), int(body is not None), None
        unknown = set(root.arguments) - _ORDERS_ARGUMENTS
        if unknown:
            raise QueryError(f"this simulator does not know orders({', '.join(sorted(unknown))}:)")
        search = read_search(root.arguments.get("query"))
        page = simulator.orders.page(
            search,
            first=root.arguments.get("first"),
            after=root.arguments.get("after"),
            sort_key=root.arguments.get("sortKey") or "PROCESSED_AT",
            reverse=bool(root.arguments.get("reverse")),
            all_orders="read_all_orders" in simulator.scopes,
        )
        nodes = [order_node(body, version) for body in page.orders]
        connection = Connection("Order", nodes, page.cursors, page.has_next, page.has_previous)
        return connection, len(nodes), search.extension(root.key)


def _check(operation: Operation, simulator: ShopifySimulator, version: str) -> None:
    """Refuse what the schema does not have, also when no order would be found.

    Raises SelectionError, and QueryError for a mutation.
    """
    if operation.kind != "query":
        raise QueryError("this simulator answers queries only")
    node = order_node(fulfilled_order(note_attributes={"a": "b"}), version)
    schema = {
        "__typename": "QueryRoot",
        "orders": Connection("Order", [node], ["cursor"]),
        "order": node,
        "shop": _shop(simulator.shop),
        "currentAppInstallation": _installation(["read_orders"]),
        "webhookSubscriptions": connection_of("WebhookSubscription", [simulator.webhooks.subscription("orders/paid")]),
    }
    select(schema, operation.selections)


def _wanted(root: Selected) -> int:
    first = root.arguments.get("first")
    return first if root.name == "orders" and isinstance(first, int) else 1


def _cost(root: Selected, orders: int) -> int:
    return query_cost(orders, count_objects(root.selections)) if root.name in {"orders", "order"} else 1


def _installation(scopes: Sequence[str]) -> dict[str, Any]:
    """Give the app as it is installed.

    https://shopify.dev/docs/api/admin-graphql/latest/objects/AppInstallation
    """
    return {
        "__typename": "AppInstallation",
        "id": "gid://shopify/AppInstallation/515270114",
        "accessScopes": [{"__typename": "AccessScope", "handle": scope} for scope in scopes],
    }


def _shop(domain: str) -> dict[str, Any]:
    return {
        "__typename": "Shop",
        "id": "gid://shopify/Shop/68120394",
        "name": domain.partition(".")[0].capitalize(),
        "myshopifyDomain": domain,
        "currencyCode": "EUR",
        "ianaTimezone": "Europe/Berlin",
    }


def _served_version(version: str) -> str | None:
    """Give the version that answers: an expired one falls forward to the oldest that is supported."""
    if version in SUPPORTED_VERSIONS:
        return version
    return SUPPORTED_VERSIONS[0] if version[:2] == "20" and version < SUPPORTED_VERSIONS[0] else None


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _json(value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> HTTPResponse:
    return HTTPResponse(json.dumps(value), status, headers, "application/json; charset=utf-8")
