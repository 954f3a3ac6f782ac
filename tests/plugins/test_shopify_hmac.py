"""Shopify's signature: the right one passes, everything else is rejected."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sanic.compat import Header

from shopbot.hooks import Hooks, PluginInstance
from shopbot.plugin import InboundRequest, Level, Origin, Rejected, Verified
from shopbot.testing.contracts import DiagnosisContract, VerifierContract
from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.webhooks import shopify_headers, sign_shopify
from shopbot_plugins import shopify_hmac

OLD, NEW = "shpss_the-old-one", "shpss_the-new-one"
ORDER = order_bytes(paid_order(first_name="Zoë"))


class TestShopifyHmac(DiagnosisContract, VerifierContract):
    module = shopify_hmac
    settings: ClassVar = {"secrets": [NEW, OLD]}
    origin = Origin.SHOPIFY
    secrets = (NEW, OLD)

    def headers(self, body: bytes, secret: str) -> Mapping[str, str]:
        return {"X-Shopify-Hmac-Sha256": sign_shopify(body, secret)}

    async def test_one_secret_that_is_listed_twice_is_no_rotation(self) -> None:
        async with self.running(secrets=[NEW, NEW]) as running:
            (finding,) = await self.examine(running)

        assert finding.level is Level.WARNING
        assert finding.what == "2 secrets are listed, and only 1 of them differ"

    @pytest.mark.parametrize(
        ("secrets", "what"),
        [
            ([NEW], "takes what one secret signs"),
            ([NEW, OLD], "takes what 2 secrets sign; take out those that Shopify has revoked"),
        ],
    )
    async def test_its_finding_counts_the_secrets(self, secrets: list[str], what: str) -> None:
        async with self.running(secrets=secrets) as running:
            (finding,) = await self.examine(running)

        assert (finding.level, finding.what) == (Level.OK, what)


class TestTheSuccessorOfWebhooks(TestShopifyHmac):
    """Shopify's "Events" bring the same signature under a name without `X-`."""

    def headers(self, body: bytes, secret: str) -> Mapping[str, str]:
        return {"shopify-hmac-sha256": sign_shopify(body, secret)}


def verify(body: bytes, signature: str | None, *secrets: str, reject_status: Literal[401, 403] = 403) -> str:
    config = shopify_hmac.Config.model_validate({"secrets": secrets or (NEW,), "reject_status": reject_status})
    hooks = Hooks([PluginInstance("verify", 0, "shopify_hmac", shopify_hmac.Plugin(config))])
    headers = Header({} if signature is None else {"X-Shopify-Hmac-Sha256": signature})
    return hooks.verify(InboundRequest(route=Origin.SHOPIFY, headers=headers, body=body))


@given(body=st.binary(max_size=2_000), secret=st.text(min_size=1).filter(lambda text: text == text.strip()))
def test_any_body_passes_with_the_right_secret(body: bytes, secret: str) -> None:
    assert verify(body, sign_shopify(body, secret), secret) == "verify[0]:shopify_hmac, secret 1"


@given(position=st.integers(0, len(ORDER) - 1), byte=st.integers(1, 255))
def test_a_change_of_any_single_byte_is_rejected(position: int, byte: int) -> None:
    changed = bytearray(ORDER)
    changed[position] ^= byte

    with pytest.raises(Rejected):
        verify(bytes(changed), sign_shopify(ORDER, NEW))


@given(position=st.integers(0, 31), byte=st.integers(1, 255))
def test_a_change_of_any_single_byte_of_the_signature_is_rejected(position: int, byte: int) -> None:
    signature = bytearray(base64.b64decode(sign_shopify(ORDER, NEW)))
    signature[position] ^= byte

    with pytest.raises(Rejected):
        verify(ORDER, base64.b64encode(signature).decode())


@given(length=st.integers(0, 31))
def test_a_part_of_the_signature_is_not_enough(length: int) -> None:
    part = base64.b64decode(sign_shopify(ORDER, NEW))[:length]

    with pytest.raises(Rejected):
        verify(ORDER, base64.b64encode(part).decode())


@given(signature=st.text(st.characters(codec="latin-1")))
def test_any_other_header_is_rejected_and_never_a_fault(signature: str) -> None:
    with pytest.raises(Rejected):
        verify(ORDER, signature)


@given(body=st.binary(max_size=200), other=st.text(min_size=1, max_size=40))
def test_a_wrong_secret_never_passes(body: bytes, other: str) -> None:
    if other != NEW:
        with pytest.raises(Rejected):
            verify(body, sign_shopify(body, other))


def test_both_secrets_count_during_a_rotation_and_only_the_new_one_after_it() -> None:
    signature = sign_shopify(ORDER, OLD)

    assert verify(ORDER, signature, NEW, OLD) == "verify[0]:shopify_hmac, secret 2"
    with pytest.raises(Rejected):
        verify(ORDER, signature, NEW)


def test_of_two_equal_secrets_the_first_is_named() -> None:
    assert verify(ORDER, sign_shopify(ORDER, NEW), OLD, NEW, NEW) == "verify[0]:shopify_hmac, secret 2"


@pytest.mark.parametrize("stray", ["!", " ", "\n", "=", "é"])
def test_the_right_signature_with_a_stray_character_in_it_is_rejected(stray: str) -> None:
    """Lenient readers of base64 skip what does not belong there."""
    signature = sign_shopify(ORDER, NEW)

    for changed in (stray + signature, signature[:7] + stray + signature[7:], signature + stray):
        with pytest.raises(Rejected):
            verify(ORDER, changed)


def test_a_signature_in_hexadecimal_is_rejected() -> None:
    with pytest.raises(Rejected):
        verify(ORDER, base64.b64decode(sign_shopify(ORDER, NEW)).hex())


def test_the_headers_of_a_real_delivery_pass_whatever_their_family() -> None:
    plugin = shopify_hmac.Plugin(shopify_hmac.Config.model_validate({"secrets": [NEW]}))
    for family in ("X-Shopify", "Shopify"):
        headers = shopify_headers("orders/paid", ORDER, NEW, "acme.myshopify.com", family=family)
        request = InboundRequest(route=Origin.SHOPIFY, headers=Header(headers), body=ORDER)

        assert plugin.verify_request(request) == Verified(Origin.SHOPIFY, 0)


@pytest.mark.parametrize("status", [401, 403])
def test_the_merchant_chooses_how_a_rejection_is_answered(status: Literal[401, 403]) -> None:
    for signature in (None, "no base64!", sign_shopify(ORDER, OLD)):
        with pytest.raises(Rejected) as rejection:
            verify(ORDER, signature, reject_status=status)

        assert rejection.value.status == status


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="no secrets"),
        pytest.param({"secrets": []}, id="an empty list"),
        pytest.param({"secrets": [""]}, id="an empty secret"),
        pytest.param({"secrets": [NEW, " "]}, id="a blank secret"),
        pytest.param({"secrets": [f"{NEW}\n"]}, id="the line break of a file"),
        pytest.param({"secrets": [NEW], "reject_status": 200}, id="a rejection that looks like a yes"),
    ],
)
def test_settings_that_would_let_anybody_in_are_refused(settings: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError):
        shopify_hmac.Config.model_validate(settings)
