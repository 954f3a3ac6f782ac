"""An order of the Admin GraphQL API: what is asked for, and the shape of an order webhook (REST) that it is given.

https://shopify.dev/docs/api/admin-graphql/latest/objects/Order and
https://shopify.dev/docs/api/admin-rest/latest/resources/order
"""

from collections.abc import Mapping
from typing import Any

from shopbot_plugins._json import as_object, as_objects

CART_TOKEN_SINCE = "2026-07"  # noqa: S105 - https://shopify.dev/changelog, "New field cartToken added to the Order"

# Left out on purpose: `customer` and `variant`, which need scopes of their own (read_customers, read_products), and
# `statusPageUrl`, whose `key` opens the order to whoever reads it.
_QUERY = """
query PollOrders($first: Int!, $after: String, $search: String!, $lines: Int!) {
  orders(first: $first, after: $after, query: $search, sortKey: UPDATED_AT) {
    nodes {
      legacyResourceId name number test sourceName customerLocale email phone %s
      createdAt processedAt updatedAt cancelledAt
      displayFinancialStatus displayFulfillmentStatus
      customAttributes { key value }
      currentTotalPriceSet { presentmentMoney { amount currencyCode } }
      lineItems(first: $lines) {
        nodes {
          title variantTitle quantity currentQuantity sku
          originalUnitPriceSet { presentmentMoney { amount currencyCode } }
        }
      }
      fulfillments(first: 10) {
        id name status displayStatus createdAt updatedAt
        trackingInfo(first: 3) { company number url }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

_FULFILLMENT_STATUS = {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial", "RESTOCKED": "restocked"}
"""All other states mean that nothing has been sent yet, for which REST has null."""

_SHIPMENT_STATUSES = frozenset(
    {
        "attempted_delivery",
        "confirmed",
        "delivered",
        "failure",
        "in_transit",
        "label_printed",
        "label_purchased",
        "out_for_delivery",
        "ready_for_pickup",
    }
)


def orders_query(api_version: str) -> str:
    """Write the query for an API version, `2026-10` or `unstable`."""
    return _QUERY % ("cartToken" if api_version >= CART_TOKEN_SINCE else "")


def rest_order(node: Mapping[str, Any]) -> dict[str, Any]:
    """Give an order of the query the shape that order webhooks have; what is missing stays missing.

    Cart attributes are written both as webhooks spell them (`note_attributes`) and as GraphQL does (`attributes`), so
    that rules and resolvers for either find them.
    """
    attributes = as_objects(node.get("customAttributes"))
    order_id = _number(node.get("legacyResourceId"))
    return {
        "id": order_id,
        "name": node.get("name"),
        "order_number": node.get("number"),
        "cart_token": node.get("cartToken"),
        "note_attributes": [{"name": one.get("key"), "value": one.get("value")} for one in attributes],
        "attributes": [{"key": one.get("key"), "value": one.get("value")} for one in attributes],
        "source_name": node.get("sourceName"),
        "financial_status": _lower(node.get("displayFinancialStatus")),
        "fulfillment_status": _FULFILLMENT_STATUS.get(str(node.get("displayFulfillmentStatus"))),
        "email": node.get("email"),
        "phone": node.get("phone"),
        "customer_locale": node.get("customerLocale"),
        "current_total_price_set": _money_set(node.get("currentTotalPriceSet")),
        "created_at": node.get("createdAt"),
        "processed_at": node.get("processedAt"),
        "updated_at": node.get("updatedAt"),
        "cancelled_at": node.get("cancelledAt"),
        "test": node.get("test"),
        "line_items": [_line_item(item) for item in as_objects(as_object(node.get("lineItems")).get("nodes"))],
        "fulfillments": [_fulfillment(item, order_id) for item in as_objects(node.get("fulfillments"))],
    }


def _line_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": item.get("title"),
        "variant_title": item.get("variantTitle"),
        "quantity": item.get("quantity"),
        "current_quantity": item.get("currentQuantity"),
        "sku": item.get("sku"),
        "price_set": _money_set(item.get("originalUnitPriceSet")),
    }


def _fulfillment(item: Mapping[str, Any], order_id: int | None) -> dict[str, Any]:
    tracking = as_objects(item.get("trackingInfo"))
    shipment_status = _lower(item.get("displayStatus"))
    return {
        "id": _number(str(item.get("id")).rpartition("/")[2]),  # of gid://shopify/Fulfillment/255858046
        "order_id": order_id,
        "name": item.get("name"),
        "created_at": item.get("createdAt"),
        "updated_at": item.get("updatedAt"),
        "status": _lower(item.get("status")),
        "shipment_status": shipment_status if shipment_status in _SHIPMENT_STATUSES else None,
        "tracking_company": tracking[0].get("company") if tracking else None,
        "tracking_numbers": [one.get("number") for one in tracking],
        "tracking_urls": [one.get("url") for one in tracking],
    }


def _money_set(money_bag: object) -> dict[str, Any] | None:
    money = as_object(as_object(money_bag).get("presentmentMoney"))
    if not money:
        return None
    return {"presentment_money": {"amount": money.get("amount"), "currency_code": money.get("currencyCode")}}


def _number(value: object) -> int | None:
    """Read an id: UnsignedInt64 travels as text.

    https://shopify.dev/docs/api/admin-graphql/latest/scalars/UnsignedInt64
    """
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None


def _lower(value: object) -> str | None:
    return value.lower() if isinstance(value, str) else None
