"""Sign and shape webhook requests exactly as Shopify and Meta send them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, Literal
from uuid import uuid4

__all__ = [
    "HeaderFamily",
    "escape_like_meta",
    "messenger_headers",
    "shopify_headers",
    "sign_messenger",
    "sign_shopify",
]

HeaderFamily = Literal["X-Shopify", "Shopify"]


def sign_shopify(body: bytes, secret: str) -> str:
    """Give the value of `X-Shopify-Hmac-Sha256`: base64 of HMAC-SHA256 over the raw *body*.

    Source: https://shopify.dev/docs/apps/build/webhooks/verify-deliveries
    """
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def shopify_headers(
    topic: str,
    body: bytes,
    secret: str,
    shop: str,
    *,
    webhook_id: str | None = None,
    event_id: str | None = None,
    triggered_at: str = "2026-11-23T09:15:01.000000000Z",
    api_version: str = "2026-10",
    family: HeaderFamily = "X-Shopify",
) -> dict[str, str]:
    """Give the headers of one delivery of *body*, signed with the app's client *secret*.

    shop: the `….myshopify.com` domain.
    webhook_id: Shopify's documented key for recognising a repeated delivery; None makes a fresh one.
    event_id: shared by all deliveries that one action of the merchant causes; None makes a fresh one. Only
        the classic family carries it.
    family: `X-Shopify` for classic webhooks; `Shopify` for their successor "Events", whose names have no
        `X-` and are lower case.

    Source: https://shopify.dev/docs/apps/build/webhooks/delivery-structure and
    https://shopify.dev/changelog/updates-to-events-payloads-and-subscription-configuration
    """
    common = {
        "Topic": topic,
        "Hmac-Sha256": sign_shopify(body, secret),
        "Shop-Domain": shop,
        "API-Version": api_version,
        "Webhook-Id": webhook_id or str(uuid4()),
        "Triggered-At": triggered_at,
    }
    headers = {"Content-Type": "application/json", "User-Agent": "Shopify-Captain-Hook"}
    if family == "X-Shopify":
        headers.update({f"X-Shopify-{name}": value for name, value in common.items()})
        headers["X-Shopify-Event-Id"] = event_id or str(uuid4())
        return headers
    headers.update({f"shopify-{name.lower()}": value for name, value in common.items()})
    headers["shopify-handle"] = topic.replace("/", "-")
    headers["shopify-action"] = topic.rpartition("/")[2]
    return headers


def sign_messenger(body: bytes, app_secret: str) -> str:
    """Give the value of `X-Hub-Signature-256`: `sha256=` and hex HMAC-SHA256 over the raw *body*.

    Source: https://developers.facebook.com/docs/graph-api/webhooks/getting-started/
    """
    return "sha256=" + hmac.digest(app_secret.encode(), body, hashlib.sha256).hex()


def messenger_headers(body: bytes, app_secret: str) -> dict[str, str]:
    """Give the headers of one Messenger webhook delivery of *body*."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "facebookexternalua",
        "X-Hub-Signature-256": sign_messenger(body, app_secret),
    }


def escape_like_meta(payload: Any) -> bytes:  # noqa: ANN401 - any JSON value
    r"""Serialise *payload* the way Meta transmits it: non-ASCII as `\uXXXX`, `/` as `\/`, no spaces.

    Meta signs these bytes. Parsing and serialising them again gives other bytes, so only a check over the raw
    body can succeed.

    Source: https://developers.facebook.com/docs/graph-api/webhooks/getting-started/
    """
    # A slash can stand only inside a JSON string, so replacing every one of them is safe.
    return json.dumps(payload, separators=(",", ":")).replace("/", r"\/").encode()
