"""The routes of the checkout and cart API."""

import json
from collections.abc import Sequence
from typing import Any

from sanic import Request, Sanic
from sanic.response import HTTPResponse

from shopbot.metrics import Metrics
from shopbot.web import carts, checkouts
from shopbot.web.api import ApiRoute, Operation, ShopApi, answer
from shopbot.web.openapi import CART, CHECKOUTS, ITEM, ITEMS, document

_OPERATIONS: Sequence[tuple[str, str, Operation]] = (
    ("POST", CHECKOUTS, checkouts.create_checkout),
    ("GET", CART, carts.get_cart),
    ("PUT", CART, carts.put_cart),
    ("DELETE", CART, carts.delete_cart),
    ("POST", ITEMS, carts.add_item),
    ("PATCH", ITEM, carts.set_item),
    ("DELETE", ITEM, carts.remove_item),
)


def add_api(app: Sanic[Any, Any], shops: Sequence[ShopApi], metrics: Metrics, *, limit_seconds: float) -> None:
    """Add the routes for the shops that have keys; without one, there is no API.

    limit_seconds: how long a request may take.
    """
    if not shops:
        return
    for method, route, operation in _OPERATIONS:
        handler = ApiRoute(operation, shops, metrics, route=route, limit_seconds=limit_seconds)
        uri = route.replace("{", "<").replace("}", ":str>")
        app.add_route(handler, uri, methods=[method], name=operation.__name__)
    content = json.dumps(document()).encode()

    async def openapi(_request: Request) -> HTTPResponse:
        return answer(200, content)

    app.add_route(openapi, "/openapi.json", methods=["GET"], name="openapi")
