"""The people of an order: who bought it, and where it goes."""

from __future__ import annotations

from typing import Any


def address(first_name: str | None, last_name: str | None) -> dict[str, Any]:
    """Give an invented postal address of the named person."""
    return {
        "first_name": first_name,
        "address1": "Lindenstraße 7",
        "phone": None,
        "city": "Berlin",
        "zip": "10969",
        "province": None,
        "country": "Germany",
        "last_name": last_name,
        "address2": None,
        "company": None,
        "latitude": 52.5034,
        "longitude": 13.3967,
        "name": _full_name(first_name, last_name),
        "country_code": "DE",
        "province_code": None,
    }


def customer_object(
    order_id: int,
    first_name: str | None,
    last_name: str | None,
    email: str | None,
    currency: str,
    created_at: str,
    home: dict[str, Any],
) -> dict[str, Any]:
    """Give the `customer` of an order; since API 2025-01 it has no tags and no marketing consent."""
    customer_id = order_id % 10**13 + 7_000_000_000_000
    return {
        "id": customer_id,
        "admin_graphql_api_id": f"gid://shopify/Customer/{customer_id}",
        "created_at": created_at,
        "updated_at": created_at,
        "first_name": first_name,
        "last_name": last_name,
        "state": "disabled",
        "note": None,
        "verified_email": True,
        "multipass_identifier": None,
        "tax_exempt": False,
        "email": email,
        "phone": None,
        "currency": currency,
        "tax_exemptions": [],
        "default_address": {
            "id": customer_id + 1,
            "customer_id": customer_id,
            "country_name": home["country"],
            "default": True,
            **home,
        },
    }


def _full_name(first_name: str | None, last_name: str | None) -> str | None:
    return " ".join(name for name in (first_name, last_name) if name) or None
