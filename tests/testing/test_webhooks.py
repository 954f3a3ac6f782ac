"""Signatures are checked against values worked out by hand, and against what verifiers do with them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from shopbot.testing.webhooks import (
    escape_like_meta,
    messenger_headers,
    shopify_headers,
    sign_messenger,
    sign_shopify,
)

BODY = b'{"id":1}'


def test_shopify_signs_the_body_with_base64_of_hmac_sha256() -> None:
    expected = base64.b64encode(hmac.new(b"secret", BODY, hashlib.sha256).digest()).decode()

    assert sign_shopify(BODY, "secret") == expected
    assert sign_shopify(BODY + b" ", "secret") != expected
    assert sign_shopify(BODY, "other") != expected


def test_messenger_signs_the_body_with_hex_of_hmac_sha256() -> None:
    digest = hmac.new(b"secret", BODY, hashlib.sha256).hexdigest()

    assert sign_messenger(BODY, "secret") == f"sha256={digest}"
    assert messenger_headers(BODY, "secret")["X-Hub-Signature-256"] == f"sha256={digest}"


def test_classic_headers_carry_all_that_shopify_documents() -> None:
    headers = shopify_headers("orders/paid", BODY, "secret", "acme.myshopify.com", webhook_id="w-1")

    assert headers["X-Shopify-Topic"] == "orders/paid"
    assert headers["X-Shopify-Hmac-Sha256"] == sign_shopify(BODY, "secret")
    assert headers["X-Shopify-Shop-Domain"] == "acme.myshopify.com"
    assert headers["X-Shopify-API-Version"] == "2026-10"
    assert headers["X-Shopify-Webhook-Id"] == "w-1"
    assert headers["X-Shopify-Triggered-At"]
    assert headers["X-Shopify-Event-Id"]
    assert headers["Content-Type"] == "application/json"


def test_headers_of_events_have_no_x_and_no_event_id() -> None:
    headers = shopify_headers("orders/paid", BODY, "secret", "acme.myshopify.com", family="Shopify")

    assert headers["shopify-topic"] == "orders/paid"
    assert headers["shopify-hmac-sha256"] == sign_shopify(BODY, "secret")
    assert headers["shopify-handle"] == "orders-paid"
    assert headers["shopify-action"] == "paid"
    assert not [name for name in headers if name.startswith("X-")]
    assert "shopify-event-id" not in headers


@pytest.mark.parametrize("name", ["X-Shopify-Webhook-Id", "X-Shopify-Event-Id"])
def test_ids_are_fresh_unless_given(name: str) -> None:
    made = {shopify_headers("orders/paid", BODY, "secret", "acme.myshopify.com")[name] for _ in range(3)}

    assert len(made) == 3


def test_meta_escapes_all_that_is_not_ascii_and_every_slash() -> None:
    payload = {"text": "Où? 🎁", "url": "https://m.me/acme"}

    assert escape_like_meta(payload) == (rb'{"text":"O\u00f9? \ud83c\udf81","url":"https:\/\/m.me\/acme"}')
    assert json.loads(escape_like_meta(payload)) == payload


def test_serialising_the_parsed_payload_again_breaks_the_signature() -> None:
    body = escape_like_meta({"text": "Où est ma commande/colis ?"})
    again = json.dumps(json.loads(body), separators=(",", ":")).encode()

    assert sign_messenger(again, "secret") != sign_messenger(body, "secret")
