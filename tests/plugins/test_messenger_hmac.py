from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shopbot.plugin import InboundRequest, Level, Origin, Rejected, SecretStr, Verified
from shopbot.testing.contracts import DiagnosisContract, VerifierContract
from shopbot.testing.webhooks import escape_like_meta, messenger_headers, sign_messenger
from shopbot_plugins import messenger_hmac

SECRET = "app-secret"
BODY = b'{"object":"page","entry":[]}'
PLUGIN = messenger_hmac.Plugin(messenger_hmac.Config(app_secret=SecretStr(SECRET), verify_token=SecretStr("hello")))


class TestMessengerHmac(DiagnosisContract, VerifierContract):
    module = messenger_hmac
    settings: ClassVar = {"app_secret": SECRET, "verify_token": "verify-me"}
    origin = Origin.MESSENGER
    secrets = (SECRET,)

    @property
    def body(self) -> bytes:
        return escape_like_meta({"object": "page", "entry": [], "text": "Zażółć 🎉"})

    def headers(self, body: bytes, secret: str) -> Mapping[str, str]:
        return {"X-Hub-Signature-256": sign_messenger(body, secret)}

    async def test_a_verify_token_that_is_the_app_secret_is_a_problem(self) -> None:
        """Meta sends the token in the address, where the logs of proxies keep it."""
        async with self.running(verify_token=SECRET) as running:
            (finding,) = await self.examine(running)

        assert (finding.level, finding.what) == (Level.PROBLEM, "verify_token is the app secret")

    async def test_so_is_one_that_is_a_secret_of_before_the_reset(self) -> None:
        """It still signs."""
        async with self.running(old_app_secrets=["older", "old"], verify_token="old") as running:
            (finding,) = await self.examine(running)

        assert (finding.level, finding.what) == (Level.PROBLEM, "verify_token is the app secret")

    async def test_a_rotation_that_is_none_is_warned_of(self) -> None:
        async with self.running(old_app_secrets=[SECRET]) as running:
            warning, fine = await self.examine(running)

        assert warning.level is Level.WARNING
        assert warning.what == "old_app_secrets has a secret that is also another one"
        assert fine.level is Level.OK


class TestARotation(VerifierContract):
    """The secret was reset, and what was under way is signed with the one of before."""

    module = messenger_hmac
    settings: ClassVar = {"app_secret": "new-secret", "old_app_secrets": [SECRET], "verify_token": "verify-me"}
    origin = Origin.MESSENGER
    secrets = ("new-secret", SECRET)
    body = BODY

    def headers(self, body: bytes, secret: str) -> Mapping[str, str]:
        return {"X-Hub-Signature-256": sign_messenger(body, secret)}


def a_delivery(body: bytes = BODY, headers: dict[str, str] | None = None) -> InboundRequest:
    return InboundRequest(
        route=Origin.MESSENGER,
        headers={name.lower(): value for name, value in (headers or messenger_headers(body, SECRET)).items()},
        body=body,
    )


def test_a_signed_delivery_is_verified() -> None:
    assert PLUGIN.verify_request(a_delivery()) == Verified(Origin.MESSENGER)


def test_of_two_equal_secrets_the_first_is_named() -> None:
    config = messenger_hmac.Config.model_validate(
        {"app_secret": "new", "old_app_secrets": [SECRET, SECRET], "verify_token": "hello"}
    )

    assert messenger_hmac.Plugin(config).verify_request(a_delivery()) == Verified(Origin.MESSENGER, 1)


def test_shopifys_requests_are_not_its_to_judge() -> None:
    request = InboundRequest(route=Origin.SHOPIFY, headers={}, body=BODY)

    assert PLUGIN.verify_request(request) is None


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(position: int, change: int) -> None:
    body = bytearray(BODY)
    body[position] ^= change
    request = InboundRequest(
        route=Origin.MESSENGER,
        headers={name.lower(): value for name, value in messenger_headers(BODY, SECRET).items()},
        body=bytes(body),
    )

    with pytest.raises(Rejected):
        PLUGIN.verify_request(request)


def test_the_right_digest_is_refused_where_it_does_not_say_how_it_was_made() -> None:
    digest = sign_messenger(BODY, SECRET).removeprefix("sha256=")

    for signature in (digest, f"sha1={digest}", f"SHA256={digest}"):
        with pytest.raises(Rejected, match="missing"):
            PLUGIN.verify_request(a_delivery(headers={"X-Hub-Signature-256": signature}))


@pytest.mark.parametrize("signature", ["", "sha1=abc", "sha256=", "sha256=ä", "sha256=\udcff", "abc"])
def test_a_malformed_signature_is_refused(signature: str) -> None:
    with pytest.raises(Rejected) as refusal:
        PLUGIN.verify_request(a_delivery(headers={"X-Hub-Signature-256": signature}))

    assert refusal.value.status == 403


def a_handshake(**query: str) -> InboundRequest:
    asked = {f"hub.{name}": value for name, value in query.items()}
    return InboundRequest(route=Origin.MESSENGER, method="GET", headers={}, query=asked, body=b"")


def test_metas_look_at_the_address_passes_with_the_verify_token_and_needs_no_signature() -> None:
    assert PLUGIN.verify_request(a_handshake(mode="subscribe", verify_token="hello")) == Verified(Origin.MESSENGER)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"mode": "subscribe"}, id="no token"),
        pytest.param({"mode": "subscribe", "verify_token": ""}, id="an empty token"),
        pytest.param({"mode": "subscribe", "verify_token": "hellö"}, id="another token"),
        pytest.param({"mode": "subscribe", "verify_token": SECRET}, id="the app secret"),
        pytest.param({"verify_token": "hello"}, id="no mode"),
        pytest.param({"mode": "unsubscribe", "verify_token": "hello"}, id="another mode"),
    ],
)
def test_any_other_look_at_the_address_is_refused(query: Mapping[str, str]) -> None:
    with pytest.raises(Rejected, match="verification token") as refusal:
        PLUGIN.verify_request(a_handshake(**query))

    assert refusal.value.status == 403


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValidationError):
        messenger_hmac.Config(app_secret=SecretStr(""), verify_token=SecretStr("hello"))
