"""Render an order, which is kept as its REST body, as a node of the Admin GraphQL API.

Source: https://shopify.dev/docs/api/admin-graphql/latest/objects/Order
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shopbot.testing.graphql_select import connection_of

CART_TOKEN_SINCE = "2026-07"  # noqa: S105 - an API version
_FULFILLMENT_STATUS = {None: "UNFULFILLED", "partial": "PARTIALLY_FULFILLED", "fulfilled": "FULFILLED"}


def order_node(body: Mapping[str, Any], api_version: str = "2026-10") -> dict[str, Any]:
    """Give all fields that the simulator knows of an `Order`; connections stay to be selected from."""
    status = body.get("financial_status")
    fulfillment_status = body.get("fulfillment_status")
    node = {
        "__typename": "Order",
        "id": f"gid://shopify/Order/{body['id']}",
        "legacyResourceId": str(body["id"]),
        "name": body.get("name"),
        "number": body.get("order_number"),
        "confirmationNumber": body.get("confirmation_number"),
        "confirmed": body.get("confirmed"),
        "createdAt": _utc(body.get("created_at")),
        "updatedAt": _utc(body.get("updated_at")),
        "processedAt": _utc(body.get("processed_at")),
        "cancelledAt": _utc(body.get("cancelled_at")),
        "closedAt": _utc(body.get("closed_at")),
        "cancelReason": _upper(body.get("cancel_reason")),
        "test": body.get("test"),
        "displayFinancialStatus": _upper(status),
        "displayFulfillmentStatus": _FULFILLMENT_STATUS.get(fulfillment_status, _upper(fulfillment_status)),
        "fullyPaid": status == "paid",
        "customAttributes": [_attribute(item, "name") for item in body.get("note_attributes") or []],
        "email": body.get("email") or None,
        "phone": body.get("phone"),
        "note": body.get("note"),
        "tags": [tag for tag in (body.get("tags") or "").split(", ") if tag],
        "customerLocale": body.get("customer_locale"),
        "sourceName": body.get("source_name"),
        "statusPageUrl": body.get("order_status_url"),
        "currencyCode": body.get("currency"),
        "presentmentCurrencyCode": body.get("presentment_currency"),
        "totalPriceSet": _money_bag(body.get("total_price_set")),
        "currentTotalPriceSet": _money_bag(body.get("current_total_price_set")),
        "subtotalPriceSet": _money_bag(body.get("subtotal_price_set")),
        "totalTaxSet": _money_bag(body.get("total_tax_set")),
        "totalShippingPriceSet": _money_bag(body.get("total_shipping_price_set")),
        "customer": _customer(body.get("customer"), body.get("customer_locale")),
        "shippingAddress": _address(body.get("shipping_address")),
        "billingAddress": _address(body.get("billing_address")),
        "lineItems": connection_of("LineItem", [_line_item(item) for item in body.get("line_items") or []]),
        "fulfillments": [_fulfillment(item) for item in body.get("fulfillments") or []],
        "customerJourneySummary": {
            "__typename": "CustomerJourneySummary",
            "ready": True,
            "lastVisit": {"__typename": "CustomerVisit", "landingPage": body.get("landing_site")},
        },
    }
    if api_version >= CART_TOKEN_SINCE:
        node["cartToken"] = body.get("cart_token")
    return node


def _line_item(item: Mapping[str, Any]) -> dict[str, Any]:
    variant_id, product_id = item.get("variant_id"), item.get("product_id")
    variant = {"__typename": "ProductVariant", "id": f"gid://shopify/ProductVariant/{variant_id}"}
    product = {"__typename": "Product", "id": f"gid://shopify/Product/{product_id}"}
    return {
        "__typename": "LineItem",
        "id": item.get("admin_graphql_api_id"),
        "title": item.get("title"),
        "name": item.get("name"),
        "variantTitle": item.get("variant_title"),
        "quantity": item.get("quantity"),
        "currentQuantity": item.get("current_quantity"),
        "sku": item.get("sku"),
        "vendor": item.get("vendor"),
        "customAttributes": [_attribute(it, "name") for it in item.get("properties") or []],
        "originalUnitPriceSet": _money_bag(item.get("price_set")),
        "discountedUnitPriceSet": _money_bag(item.get("price_set")),
        "variant": None if variant_id is None else variant,
        "product": None if product_id is None else product,
    }


def _fulfillment(item: Mapping[str, Any]) -> dict[str, Any]:
    numbers = item.get("tracking_numbers") or []
    urls = item.get("tracking_urls") or []
    tracking = [
        {
            "__typename": "FulfillmentTrackingInfo",
            "company": item.get("tracking_company"),
            "number": number,
            "url": urls[position] if position < len(urls) else None,
        }
        for position, number in enumerate(numbers)
    ]
    return {
        "__typename": "Fulfillment",
        "id": item.get("admin_graphql_api_id"),
        "name": item.get("name"),
        "status": _upper(item.get("status")),
        "displayStatus": _upper(item.get("shipment_status")) or "FULFILLED",
        "createdAt": _utc(item.get("created_at")),
        "updatedAt": _utc(item.get("updated_at")),
        "estimatedDeliveryAt": None,
        "trackingInfo": tracking,
    }


def _customer(customer: Mapping[str, Any] | None, locale: str | None) -> dict[str, Any] | None:
    if customer is None:
        return None
    names = [customer.get("first_name"), customer.get("last_name")]
    return {
        "__typename": "Customer",
        "id": customer.get("admin_graphql_api_id"),
        "legacyResourceId": str(customer.get("id")),
        "firstName": names[0],
        "lastName": names[1],
        "displayName": " ".join(name for name in names if name) or customer.get("email"),
        "email": customer.get("email"),
        "phone": customer.get("phone"),
        "locale": locale,
    }


def _address(address: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if address is None:
        return None
    return {
        "__typename": "MailingAddress",
        "firstName": address.get("first_name"),
        "lastName": address.get("last_name"),
        "name": address.get("name"),
        "address1": address.get("address1"),
        "address2": address.get("address2"),
        "company": address.get("company"),
        "city": address.get("city"),
        "zip": address.get("zip"),
        "province": address.get("province"),
        "provinceCode": address.get("province_code"),
        "country": address.get("country"),
        "countryCodeV2": address.get("country_code"),
        "phone": address.get("phone"),
    }


def _money_bag(money_set: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if money_set is None:
        return None
    return {
        "__typename": "MoneyBag",
        "shopMoney": _money(money_set["shop_money"]),
        "presentmentMoney": _money(money_set["presentment_money"]),
    }


def _money(money: Mapping[str, str]) -> dict[str, Any]:
    # GraphQL's Decimal drops trailing zeros but keeps one decimal: "55.0" where REST says "55.00".
    amount = f"{Decimal(money['amount']).normalize():f}"
    return {
        "__typename": "MoneyV2",
        "amount": amount if "." in amount else f"{amount}.0",
        "currencyCode": money["currency_code"],
    }


def _attribute(item: Mapping[str, Any], name_key: str) -> dict[str, Any]:
    value = item.get("value")
    text = value if value is None or isinstance(value, str) else str(value)
    return {"__typename": "Attribute", "key": item[name_key], "value": text}


def _upper(value: str | None) -> str | None:
    return value.upper() if value else None


def _utc(written: str | None) -> str | None:
    if written is None:
        return None
    return datetime.fromisoformat(written).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
