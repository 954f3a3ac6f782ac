"""The HTTP side of the Storefront simulator: one GraphQL endpoint.

What it answers follows recordings of API 2026-04 (July 2026) by github.com/airhorns/shopify-draft-proxy; the answer to
a wrong token and the texts of a few errors were not recorded. https://shopify.dev/docs/api/storefront/latest
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sanic import Request
from sanic.response import HTTPResponse

from shopbot.testing.graphql_document import GraphQLSyntaxError, Operation, Selected, read_document
from shopbot.testing.graphql_select import SelectionError, select
from shopbot.testing.serving import SimulatorApp, new_app
from shopbot.testing.shopify_http import SUPPORTED_VERSIONS
from shopbot.testing.storefront_carts import CartLine, StorefrontCart, Variant, cart_node, fit_to_stock

if TYPE_CHECKING:
    from shopbot.testing.storefront import StorefrontSimulator

MOST_AT_ONCE = 250
LONGEST_NOTE = 5000

_VARIANT = "gid://shopify/ProductVariant/"


def build_app(simulator: StorefrontSimulator) -> SimulatorApp:
    """Make a Sanic app that answers for *simulator*."""
    app = new_app("storefront-simulator")
    app.add_route(StorefrontRoute(simulator), "/api/<version:str>/graphql.json", methods=["POST"], name="graphql")
    return app


class TopLevelError(Exception):
    """A GraphQL error that comes without data."""

    def __init__(self, message: str, code: str, path: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.body = {
            "message": message,
            "locations": [{"line": 2, "column": 3}],
            "path": list(path),
            "extensions": {"code": code},
        }


class StorefrontRoute:
    """Answers `cart`, `cartCreate`, `cartLinesRemove` and `cartAttributesUpdate`; anything else is an error."""

    def __init__(self, simulator: StorefrontSimulator) -> None:
        self._simulator = simulator

    async def __call__(self, request: Request, version: str) -> HTTPResponse:
        """Answer one operation."""
        simulator = self._simulator
        if simulator.latency_seconds:
            await asyncio.sleep(simulator.latency_seconds)
        if simulator.failures:
            status, retry_after = simulator.failures.pop(0)
            headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
            return _json({"errors": "Internal Server Error"}, status, headers)
        if not simulator.accepts(
            request.headers.get("x-shopify-storefront-access-token"),
            request.headers.get("shopify-storefront-private-token"),
        ):
            return _json({"errors": [{"message": "", "extensions": {"code": "UNAUTHORIZED"}}]}, 401)
        if version not in SUPPORTED_VERSIONS:
            return _json({"errors": "Not Found"}, 404)
        return _json(self._execute(request.body))

    def _execute(self, body: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(body)
            operation = read_document(asked["query"], asked.get("variables") or {})
            self._simulator.operations.append(operation)
            _check(operation)
            data = {
                root.key: select(self._resolve(operation.kind, root), root.selections, (root.name,))
                for root in operation.selections
            }
        except (TopLevelError, SelectionError) as error:
            return {"errors": [error.body]}
        except (GraphQLSyntaxError, ValueError, LookupError) as error:
            return {"errors": [{"message": str(error), "extensions": {"code": "BAD_REQUEST"}}]}
        return {"data": data, "extensions": {"cost": {"requestedQueryCost": 280}}}

    def _resolve(self, kind: str, root: Selected) -> Any:  # noqa: ANN401 - JSON
        arguments = root.arguments
        match kind, root.name:
            case "query", "cart":
                return self._read(str(arguments.get("id")))
            case "mutation", "cartCreate":
                return self._create(arguments.get("input") or {})
            case "mutation", "cartLinesRemove":
                return self._remove(str(arguments.get("cartId")), arguments.get("lineIds") or [])
            case "mutation", "cartAttributesUpdate":
                return self._attributes(str(arguments.get("cartId")), arguments.get("attributes") or [])
        raise TopLevelError(f"Field '{root.name}' doesn't exist", "undefinedField", [root.name])

    def _read(self, cart_id: str) -> dict[str, Any] | None:
        """Give a cart, or null for one that is unknown, too old or paid for: no error."""
        cart = self._simulator.find(cart_id)
        if cart is None:
            return None
        return cart_node(cart, self._simulator.variants, with_key=cart_id == cart.cart_id)

    def _create(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        lines, attributes = asked.get("lines") or [], asked.get("attributes") or []
        _check_size(lines, "cartCreate", "input", "lines")
        _check_size(attributes, "cartCreate", "input", "attributes")
        if len(asked.get("note") or "") > LONGEST_NOTE:
            return _refused(["input", "note"], "Note is too long (maximum is 5000 characters)", "NOTE_TOO_LONG")
        for position, line in enumerate(lines):
            merchandise = str(line.get("merchandiseId"))
            if _variant_id(merchandise) not in self._simulator.variants:
                return _refused(
                    ["input", "lines", str(position), "merchandiseId"],
                    f"The merchandise with id {merchandise} does not exist.",
                    "INVALID",
                )
        cart = self._simulator.new_cart()
        cart.note = asked.get("note") or ""
        cart.attributes = _as_dict(attributes)
        cart.lines = [
            CartLine(
                _variant_id(line["merchandiseId"]), int(line.get("quantity", 1)), _as_dict(line.get("attributes") or [])
            )
            for line in lines
        ]
        warnings = fit_to_stock(cart, cart.lines, self._simulator.variants)
        return self._payload(cart, warnings)

    def _remove(self, cart_id: str, line_ids: Sequence[str]) -> dict[str, Any]:
        _check_size(line_ids, "cartLinesRemove", "lineIds")
        cart = self._changeable(cart_id)
        if cart is None:
            return _no_cart()
        cart.lines = [line for line in cart.lines if cart.gid(line) not in line_ids]
        return self._changed(cart)

    def _attributes(self, cart_id: str, attributes: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        _check_size(attributes, "cartAttributesUpdate", "attributes")
        cart = self._changeable(cart_id)
        if cart is None:
            return _no_cart()
        cart.attributes = _as_dict(attributes)
        return self._changed(cart)

    def _changeable(self, cart_id: str) -> StorefrontCart | None:
        """Find a cart by its whole id: without the key it can be read, not changed."""
        cart = self._simulator.find(cart_id)
        return cart if cart is not None and cart.cart_id == cart_id else None

    def _changed(self, cart: StorefrontCart) -> dict[str, Any]:
        cart.updated_at = self._simulator.now()
        return self._payload(cart, [])

    def _payload(self, cart: StorefrontCart, warnings: list[Any]) -> dict[str, Any]:
        node = cart_node(cart, self._simulator.variants)
        return {"__typename": "CartPayload", "cart": node, "userErrors": [], "warnings": warnings}


def _check(operation: Operation) -> None:
    """Refuse what the schema does not have, also where the answer is null or empty. Raises SelectionError."""
    cart = _sample()
    payload = {
        "__typename": "CartPayload",
        "cart": cart,
        "userErrors": [{"__typename": "CartUserError", "field": ["x"], "message": "", "code": ""}],
        "warnings": [{"__typename": "CartWarning", "code": "", "message": "", "target": ""}],
    }
    mutations = dict.fromkeys(("cartCreate", "cartLinesRemove", "cartAttributesUpdate"), payload)
    roots = {"__typename": "QueryRoot", "cart": cart} if operation.kind == "query" else mutations
    select(roots, operation.selections)


def _sample() -> dict[str, Any]:
    """Give a cart in which every list has something."""
    long_ago = datetime.fromtimestamp(0, UTC)
    cart = StorefrontCart("", long_ago, long_ago, [CartLine(1, 1, {"a": "b"})], {"a": "b"})
    return cart_node(cart, {1: Variant("", "1.0")})


def _check_size(items: Sequence[object], *path: str) -> None:
    if len(items) > MOST_AT_ONCE:
        raise TopLevelError(
            f"The input array size of {len(items)} is greater than the maximum allowed of {MOST_AT_ONCE}.",
            "MAX_INPUT_SIZE_EXCEEDED",
            path,
        )


def _as_dict(attributes: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Take attributes: of a key that stands twice the last value wins, at the first one's place."""
    return {str(attribute["key"]): str(attribute["value"]) for attribute in attributes}


def _variant_id(gid: str) -> int:
    digits = gid.removeprefix(_VARIANT)
    return int(digits) if gid.startswith(_VARIANT) and digits.isdigit() else -1


def _refused(field: list[str], message: str, code: str) -> dict[str, Any]:
    error = {"__typename": "CartUserError", "field": field, "message": message, "code": code}
    return {"__typename": "CartPayload", "cart": None, "userErrors": [error], "warnings": []}


def _no_cart() -> dict[str, Any]:
    return _refused(["cartId"], "The specified cart does not exist.", "INVALID")


def _json(value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> HTTPResponse:
    return HTTPResponse(json.dumps(value), status, headers, "application/json; charset=utf-8")
