"""Build Shopify order webhook bodies, complete and deterministic.

    body = paid_order(psid="7312345678901234", lines=[("Mug", "19.25", 2)])
    raw = order_bytes(body)  # the bytes to sign and post

The shape is the REST order object of API 2026-10, as classic webhooks deliver it:
https://shopify.dev/docs/api/admin-rest/latest/resources/order
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from shopbot.testing.order_lines import (
    DEFAULT_LINES,
    Line,
    LineLike,
    as_lines,
    included_tax,
    line_items,
    shipping_line,
)
from shopbot.testing.order_money import Currencies
from shopbot.testing.order_people import address, customer_object

__all__ = [
    "DEFAULT_ORDER_ID",
    "Line",
    "LineLike",
    "authorized_order",
    "cancelled_order",
    "draft_order",
    "fulfilled_order",
    "order_body",
    "order_bytes",
    "paid_order",
    "partially_paid_order",
    "pending_order",
    "refunded_order",
    "updated_order",
]

DEFAULT_ORDER_ID = 830_517_264_905_318_211
"""Above 2^53, like the ids in Shopify's samples: code that reads it as a float gets another order."""

_CREATED = datetime(2026, 11, 23, 10, 15, tzinfo=ZoneInfo("Europe/Berlin"))


def order_body(
    *,
    order_id: int = DEFAULT_ORDER_ID,
    number: int = 1234,
    psid: str | None = None,
    psid_key: str = "psid",
    note_attributes: Mapping[str, Any] | None = None,
    lines: Sequence[LineLike] = DEFAULT_LINES,
    shipping: Decimal | str = "4.90",
    tax_rate: Decimal | str = "0.19",
    currency: str = "EUR",
    presentment_currency: str | None = None,
    exchange_rate: Decimal | str = "1",
    locale: str | None = "en",
    financial_status: str = "paid",
    created_at: datetime = _CREATED,
    updated_at: datetime | None = None,
    shop: str = "acme.myshopify.com",
    first_name: str | None = "Ada",
    last_name: str | None = "Lovelace",
    email: str | None = "ada.lovelace@example.com",
    fulfilled: bool = False,
    **overrides: Any,  # noqa: ANN401 - any field of the order, with any JSON value
) -> dict[str, Any]:
    """Give the body of an order webhook: a paid web order by default.

    What is not asked for is derived from *order_id* and *number*, so equal calls give equal bodies.

    psid: written as note attribute *psid_key*, as a cart attribute arrives; None leaves it out.
    note_attributes: more of them, by name, before the PSID.
    lines: what was bought; an entry is a `Line`, or (title, price) or (title, price, quantity).
    shipping: its price. tax_rate: the share of tax that all prices include.
    currency: the shop's; *presentment_currency* the buyer's (None: the same), of which *exchange_rate* units
        are one unit of the shop's.
    locale: the buyer's, as `customer_locale`; None as in orders that were not made on the web.
    created_at: written with its own UTC offset, as a shop writes its time zone. Must have one.
    updated_at: None means one second after *created_at*.
    overrides: any other top-level field of the order, taken as it is.
    """
    bought = as_lines(lines)
    currencies = Currencies(currency, presentment_currency or currency, Decimal(exchange_rate))
    rate = Decimal(tax_rate)
    postage = Decimal(shipping)
    subtotal = sum((line.total for line in bought), Decimal(0))
    created = _written_time(created_at)
    changed = _written_time(updated_at or created_at + timedelta(seconds=1))
    token = _token("order", order_id)
    home = address(first_name, last_name)
    attributes = dict(note_attributes or {}) | ({} if psid is None else {psid_key: psid})
    body: dict[str, Any] = {
        "id": order_id,
        "admin_graphql_api_id": f"gid://shopify/Order/{order_id}",
        "app_id": 580_111,
        "browser_ip": "203.0.113.24",
        "buyer_accepts_marketing": False,
        "cancel_reason": None,
        "cancelled_at": None,
        "cart_token": _cart_token(order_id),
        "checkout_token": _token("checkout", order_id),
        "client_details": {
            "accept_language": locale,
            "browser_height": None,
            "browser_ip": "203.0.113.24",
            "browser_width": None,
            "session_hash": None,
            "user_agent": "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Mobile Safari/537.36",
        },
        "closed_at": None,
        "confirmation_number": _token("confirmation", order_id)[:9].upper(),
        "confirmed": True,
        "contact_email": email,
        "created_at": created,
        "currency": currency,
        "customer_locale": locale,
        "device_id": None,
        "discount_codes": [],
        "duties_included": False,
        "email": email or "",
        "estimated_taxes": False,
        "financial_status": financial_status,
        "fulfillment_status": "fulfilled" if fulfilled else None,
        "landing_site": "/?ref=messenger",
        "landing_site_ref": "messenger",
        "location_id": None,
        "merchant_business_entity_id": "MTQ4NzM1NjA5",
        "merchant_of_record_app_id": None,
        "name": f"#{number}",
        "note": None,
        "note_attributes": [{"name": name, "value": value} for name, value in attributes.items()],
        "number": number - 1000,
        "order_number": number,
        "order_status_url": f"https://{shop}/68120394/orders/{token}/authenticate?key={_token('status', order_id)}",
        "payment_gateway_names": ["shopify_payments"],
        "phone": None,
        "po_number": None,
        "presentment_currency": currencies.presentment,
        "processed_at": created,
        "reference": None,
        "referring_site": "https://l.messenger.com/",
        "source_identifier": None,
        "source_name": "web",
        "source_url": None,
        "tags": "",
        "tax_exempt": False,
        "taxes_included": True,
        "test": False,
        "token": token,
        "total_tip_received": currencies.text(Decimal(0)),
        "total_weight": sum(line.grams * line.quantity for line in bought),
        "updated_at": changed,
        "user_id": None,
        "billing_address": home,
        "customer": customer_object(order_id, first_name, last_name, email, currency, created, home),
        "discount_applications": [],
        "fulfillments": [_fulfillment(order_id, number, changed)] if fulfilled else [],
        "line_item_groups": [],
        "line_items": line_items(bought, order_id, currencies, rate, fulfilled=fulfilled),
        "payment_terms": None,
        "refunds": [],
        "returns": [],
        "shipping_address": home,
        "shipping_lines": [shipping_line(postage, order_id, currencies, rate)],
    }
    body.update(_totals(subtotal, postage, rate, currencies, financial_status))
    return body | overrides


def paid_order(**overrides: Any) -> dict[str, Any]:  # noqa: ANN401 - see order_body
    """Give an order whose payment was captured; arguments as for `order_body`."""
    return order_body(**{"financial_status": "paid", **overrides})


def pending_order(**overrides: Any) -> dict[str, Any]:  # noqa: ANN401 - see order_body
    """Give an order that waits for its payment, as with a bank transfer or cash on delivery."""
    defaults = {"financial_status": "pending", "payment_gateway_names": ["Bank Deposit"]}
    return order_body(**{**defaults, **overrides})


def authorized_order(**overrides: Any) -> dict[str, Any]:  # noqa: ANN401 - see order_body
    """Give an order whose payment is authorised and waits for the merchant to capture it."""
    return order_body(**{"financial_status": "authorized", **overrides})


def partially_paid_order(**overrides: Any) -> dict[str, Any]:  # noqa: ANN401 - see order_body
    """Give an order of which only a part was paid."""
    return order_body(**{"financial_status": "partially_paid", **overrides})


def cancelled_order(**overrides: Any) -> dict[str, Any]:  # noqa: ANN401 - see order_body
    """Give an order that was paid and then cancelled by the customer an hour later."""
    created = overrides.get("created_at", _CREATED)
    cancelled = created + timedelta(hours=1)
    defaults = {
        "cancel_reason": "customer",
        "cancelled_at": _written_time(cancelled),
        "closed_at": _written_time(cancelled),
        "updated_at": cancelled,
    }
    return order_body(**{**defaults, **overrides})


def refunded_order(**overrides: Any) -> dict[str, Any]:  # noqa: ANN401 - see order_body
    """Give an order whose whole amount was paid back; `refunds` itself stays empty."""
    return order_body(**{"financial_status": "refunded", **overrides})


def fulfilled_order(**overrides: Any) -> dict[str, Any]:  # noqa: ANN401 - see order_body
    """Give a paid order that was handed to a carrier, with a tracking number and link."""
    return order_body(**{"fulfilled": True, **overrides})


def draft_order(**overrides: Any) -> dict[str, Any]:  # noqa: ANN401 - see order_body
    """Give a paid order that staff made: without tokens, customer or locale, and with an empty e-mail."""
    defaults = {
        "source_name": "shopify_draft_order",
        "cart_token": None,
        "checkout_token": None,
        "client_details": None,
        "browser_ip": None,
        "customer": None,
        "locale": None,
        "email": None,
        "landing_site": None,
        "landing_site_ref": None,
        "referring_site": None,
    }
    return order_body(**{**defaults, **overrides})


def updated_order(body: Mapping[str, Any], at: datetime, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Give a later state of the order *body*: *changes* to its top-level fields, and a new `updated_at`.

    `updated_order(pending, at, financial_status="paid")` is what `orders/paid` brings after a bank transfer.
    """
    return copy.deepcopy(dict(body)) | {"updated_at": _written_time(at)} | changes


def order_bytes(body: Mapping[str, Any]) -> bytes:
    r"""Serialise *body* as Shopify transmits it: UTF-8, no spaces, `/` as `\/`, `&`, `<` and `>` escaped.

    Serialising the parsed body again gives other bytes, so a check of the signature needs the raw ones.
    """
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    # None of these characters is part of JSON's own syntax, so each one stands inside a string.
    for plain, escaped in (("/", r"\/"), ("&", r"\u0026"), ("<", r"\u003c"), (">", r"\u003e")):
        text = text.replace(plain, escaped)
    return text.encode()


def _totals(
    subtotal: Decimal, shipping: Decimal, tax_rate: Decimal, currencies: Currencies, financial_status: str
) -> dict[str, Any]:
    total = subtotal + shipping
    zero = Decimal(0)
    tax = included_tax(total, tax_rate)
    amounts = {
        "current_subtotal_price": subtotal,
        "current_total_discounts": zero,
        "current_total_price": zero if financial_status == "refunded" else total,
        "current_total_tax": tax,
        "subtotal_price": subtotal,
        "total_discounts": zero,
        "total_line_items_price": subtotal,
        "total_price": total,
        "total_tax": tax,
    }
    fields: dict[str, Any] = {}
    for name, amount in amounts.items():
        fields[name] = currencies.text(amount)
        fields[f"{name}_set"] = currencies.money_set(amount)
    paid_in_full = financial_status in {"paid", "refunded", "partially_refunded", "voided"}
    return fields | {
        "current_shipping_price_set": currencies.money_set(shipping),
        "current_total_additional_fees_set": None,
        "current_total_duties_set": None,
        "original_total_additional_fees_set": None,
        "original_total_duties_set": None,
        "tax_lines": [
            {
                "channel_liable": False,
                "price": currencies.text(tax),
                "price_set": currencies.money_set(tax),
                "rate": float(tax_rate),
                "title": "VAT",
            }
        ]
        if tax_rate
        else [],
        "total_cash_rounding_payment_adjustment_set": currencies.money_set(zero),
        "total_cash_rounding_refund_adjustment_set": currencies.money_set(zero),
        "total_outstanding": currencies.text(zero if paid_in_full else total),
        "total_shipping_price_set": currencies.money_set(shipping),
    }


def _fulfillment(order_id: int, number: int, at: str) -> dict[str, Any]:
    tracking = f"00340434{order_id % 10**12:012d}"
    link = f"https://track.example.com/{tracking}"
    return {
        "id": order_id + 700,
        "admin_graphql_api_id": f"gid://shopify/Fulfillment/{order_id + 700}",
        "created_at": at,
        "location_id": 91_275_460_883,
        "name": f"#{number}.1",
        "order_id": order_id,
        "origin_address": {},
        "receipt": {},
        "service": "manual",
        "shipment_status": None,
        "status": "success",
        "tracking_company": "DHL",
        "tracking_number": tracking,
        "tracking_numbers": [tracking],
        "tracking_url": link,
        "tracking_urls": [link],
        "updated_at": at,
        "line_items": [],
    }


def _token(kind: str, order_id: int) -> str:
    return hashlib.sha256(f"{kind}:{order_id}".encode()).hexdigest()[:32]


def _cart_token(order_id: int) -> str:
    """Opaque, and of the kind that begins with the name of a data centre, as 2024 recordings show."""
    inner = f"gcp-europe-west1:01J{_token('cart', order_id)[:23].upper()}"
    return base64.b64encode(inner.encode()).decode().rstrip("=")


def _written_time(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a Shopify timestamp carries the shop's UTC offset: give a datetime with a tzinfo")
    return moment.isoformat(timespec="seconds")
