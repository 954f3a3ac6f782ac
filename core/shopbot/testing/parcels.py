"""Build the bodies of webhooks about an order that was made before: its parcels, its refunds.

    shipped = fulfillment_body(order_id=1001, number=1234)
    delivered = fulfillment_event_body(order_id=1001, status="delivered")

The shapes are those of API 2026-10: https://shopify.dev/docs/api/admin-rest/latest/resources/fulfillment,
https://shopify.dev/docs/api/admin-rest/latest/resources/fulfillmentevent and
https://shopify.dev/docs/api/admin-rest/latest/resources/refund
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from shopbot.testing.order_money import Currencies
from shopbot.testing.order_people import address
from shopbot.testing.orders import DEFAULT_ORDER_ID

__all__ = ["fulfillment_body", "fulfillment_event_body", "refund_body"]

_SHOP_ID = 548_380_009


def fulfillment_body(
    *,
    order_id: int = DEFAULT_ORDER_ID,
    number: int = 1234,
    parcel: int = 1,
    at: datetime,
    **overrides: Any,  # noqa: ANN401 - any field of the fulfilment, with any JSON value
) -> dict[str, Any]:
    """Give the body of `fulfillments/create` and `fulfillments/update`: a parcel that was handed to its carrier.

    parcel: which one of the order, from 1.
    at: when it was. Must have a UTC offset.
    overrides: any top-level field, taken as it is.
    """
    fulfillment_id = _fulfillment_id(order_id, parcel)
    tracking = f"00340434{(order_id + parcel - 1) % 10**12:012d}"
    link = f"https://track.example.com/{tracking}"
    body: dict[str, Any] = {
        "id": fulfillment_id,
        "admin_graphql_api_id": f"gid://shopify/Fulfillment/{fulfillment_id}",
        "order_id": order_id,
        "status": "success",
        "created_at": _written(at),
        "service": "manual",
        "updated_at": _written(at),
        "tracking_company": "DHL",
        "shipment_status": None,
        "location_id": 91_275_460_883,
        "origin_address": None,
        "email": "ada.lovelace@example.com",
        "destination": address("Ada", "Lovelace"),
        "line_items": [],
        "tracking_number": tracking,
        "tracking_numbers": [tracking],
        "tracking_url": link,
        "tracking_urls": [link],
        "receipt": {},
        "name": f"#{number}.{parcel}",
    }
    return body | overrides


def fulfillment_event_body(
    *,
    order_id: int = DEFAULT_ORDER_ID,
    parcel: int = 1,
    status: str = "in_transit",
    at: datetime,
    **overrides: Any,  # noqa: ANN401 - any field of the event, with any JSON value
) -> dict[str, Any]:
    """Give the body of `fulfillment_events/create`: what the carrier says of a parcel.

    status: such as in_transit, out_for_delivery or delivered.
    at: when it happened. Must have a UTC offset.
    overrides: any top-level field, taken as it is.
    """
    event_id = order_id + 7000 + parcel
    body: dict[str, Any] = {
        "id": event_id,
        "admin_graphql_api_id": f"gid://shopify/FulfillmentEvent/{event_id}",
        "fulfillment_id": _fulfillment_id(order_id, parcel),
        "status": status,
        "message": f"The parcel is {status.replace('_', ' ')}",
        "happened_at": _written(at),
        "city": "Berlin",
        "province": None,
        "country": "DE",
        "zip": "10969",
        "address1": None,
        "latitude": None,
        "longitude": None,
        "shop_id": _SHOP_ID,
        "created_at": _written(at),
        "updated_at": _written(at),
        "estimated_delivery_at": None,
        "order_id": order_id,
    }
    return body | overrides


def refund_body(
    *,
    order_id: int = DEFAULT_ORDER_ID,
    amount: Decimal | str = "19.25",
    currency: str = "EUR",
    at: datetime,
    **overrides: Any,  # noqa: ANN401 - any field of the refund, with any JSON value
) -> dict[str, Any]:
    """Give the body of `refunds/create`: money that went back.

    amount: in the shop's currency.
    at: when it was. Must have a UTC offset.
    overrides: any top-level field, taken as it is.
    """
    refund_id, transaction_id = order_id + 8000, order_id + 8500
    currencies = Currencies(currency, currency)
    nothing = currencies.money_set(Decimal(0))
    body: dict[str, Any] = {
        "id": refund_id,
        "admin_graphql_api_id": f"gid://shopify/Refund/{refund_id}",
        "order_id": order_id,
        "created_at": _written(at),
        "note": "Arrived damaged",
        "user_id": _SHOP_ID,
        "processed_at": _written(at),
        "duties": [],
        "total_duties_set": nothing,
        "return": None,
        "restock": False,
        "refund_shipping_lines": [],
        "order_adjustments": [],
        "refund_line_items": [],
        "transactions": [
            {
                "id": transaction_id,
                "admin_graphql_api_id": f"gid://shopify/OrderTransaction/{transaction_id}",
                "order_id": order_id,
                "kind": "refund",
                "gateway": "shopify_payments",
                "status": "success",
                "message": "Refund succeeded",
                "created_at": _written(at),
                "processed_at": _written(at),
                "test": False,
                "amount": currencies.text(Decimal(amount)),
                "currency": currency,
            }
        ],
    }
    return body | overrides


def _fulfillment_id(order_id: int, parcel: int) -> int:
    # The first is the one that `fulfilled_order` carries.
    return order_id + 699 + parcel


def _written(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a Shopify timestamp carries the shop's UTC offset: give a datetime with a tzinfo")
    return moment.isoformat(timespec="seconds")
