"""The OpenAPI document of the checkout and cart API, made from the models that read and write its bodies.

https://spec.openapis.org/oas/v3.1.0
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from shopbot import __version__
from shopbot.model.shopper_cart import Cart
from shopbot.web.api_models import LARGEST_ID, CartIn, CheckoutIn, CheckoutOut, ErrorOut, ItemIn, QuantityIn

CHECKOUTS = "/checkouts"
CART = "/carts/{psid}"
ITEMS = "/carts/{psid}/items"
ITEM = "/carts/{psid}/items/{variant_id}"

_MODELS: Sequence[tuple[type[BaseModel], JsonSchemaMode]] = (
    (CheckoutIn, "validation"),
    (CheckoutOut, "serialization"),
    (CartIn, "validation"),
    (ItemIn, "validation"),
    (QuantityIn, "validation"),
    (Cart, "serialization"),
    (ErrorOut, "serialization"),
)

_ERRORS: Mapping[int, str] = {
    400: "The request is not right; `problems` says where.",
    401: "The key is missing or unknown.",
    404: "There is no such thing.",
    408: "The request's body did not arrive in time.",
    409: "Another program keeps something else under the cart's key.",
    412: "The cart was changed since the state that `If-Match` names.",
    413: "The request's body is too large.",
    422: "The shop or its limits do not allow it.",
    502: "No checkout link can be made until a person acts; the host's log says why.",
    503: "The store or the shop does not answer now; try again.",
}

_PSID = {
    "name": "psid",
    "in": "path",
    "required": True,
    "description": "The shopper's page-scoped id.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,32}$"},
}
_VARIANT = {
    "name": "variant_id",
    "in": "path",
    "required": True,
    "description": "Shopify's number of the product variant.",
    "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The `ETag` of the cart that the change is meant for; another state is answered 412.",
    "schema": {"type": "string"},
}
_ETAG = {"ETag": {"description": "Names this state of the cart.", "schema": {"type": "string"}}}


def document() -> dict[str, Any]:
    """Give the document."""
    _, schemas = models_json_schema(_MODELS, ref_template="#/components/schemas/{model}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "shopbot: checkout links and carts",
            "version": __version__,
            "description": "For the parts of a bot that talk to the shopper. What changes a cart is never lost: changes"
            " at the same time are carried out one after the other.",
        },
        "security": [{"key": []}],
        "paths": {
            CHECKOUTS: {
                "post": _operation(
                    "createCheckout",
                    "Make a checkout link",
                    "The order that comes of it is the shopper's: the link carries a signed token. Without `lines` it"
                    " is for what is in the shopper's cart, which stays as it is until the order is paid.",
                    body=CheckoutIn,
                    gives=CheckoutOut,
                    errors=(400, 404, 409, 422, 502),
                )
            },
            CART: {
                "parameters": [_PSID],
                "get": _operation(
                    "getCart",
                    "Read a cart",
                    "Empty, with `updated_at` null, where there is none.",
                    gives=Cart,
                    errors=(400, 409),
                ),
                "put": _operation(
                    "putCart",
                    "Replace a cart",
                    "What stands twice is added up.",
                    body=CartIn,
                    gives=Cart,
                    errors=(400, 412, 422),
                    changes=True,
                ),
                "delete": _operation(
                    "deleteCart", "Delete a cart", "There may be none.", errors=(400, 412), changes=True
                ),
            },
            ITEMS: {
                "parameters": [_PSID],
                "post": _operation(
                    "addItem",
                    "Put something into a cart",
                    "So many more pieces of an article.",
                    body=ItemIn,
                    gives=Cart,
                    errors=(400, 409, 412, 422),
                    changes=True,
                ),
            },
            ITEM: {
                "parameters": [_PSID, _VARIANT],
                "patch": _operation(
                    "setItem",
                    "Change how many pieces of an article are in a cart",
                    "0 takes the article out.",
                    body=QuantityIn,
                    gives=Cart,
                    errors=(400, 404, 409, 412, 422),
                    changes=True,
                ),
                "delete": _operation(
                    "removeItem",
                    "Take an article out of a cart",
                    "It need not be in it.",
                    gives=Cart,
                    errors=(400, 409, 412),
                    changes=True,
                ),
            },
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "One of `web.api_keys` in shopbot.yaml. In a host with several shops it also says"
                    " which shop is meant.",
                }
            },
        },
    }


def _operation(
    name: str,
    summary: str,
    description: str,
    *,
    body: type[BaseModel] | None = None,
    gives: type[BaseModel] | None = None,
    errors: Sequence[int] = (),
    changes: bool = False,
) -> dict[str, Any]:
    """Describe an operation. changes: it changes a cart, and so asks for `If-Match`."""
    responses: dict[str, Any] = {}
    if gives is None:
        responses["204"] = {"description": "It is done."}
    else:
        responses["200"] = {"description": summary + ": done.", "content": _content(gives)}
        if gives is Cart:
            responses["200"]["headers"] = _ETAG
    for status in sorted({*errors, 401, 408, 413, 503} if body else {*errors, 401, 408, 503}):
        responses[str(status)] = {"description": _ERRORS[status], "content": _content(ErrorOut)}
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "description": description,
        "responses": responses,
    }
    if changes:
        operation["parameters"] = [_IF_MATCH]
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(body)}
    return operation


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
