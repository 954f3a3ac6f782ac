"""The contract of verifiers: what must and what must not pass for a platform's request."""

# ruff: noqa: S101, D102 - tests for integrators to inherit: made of assert, and their names are sentences
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest
from sanic.compat import Header

from shopbot.plugin import InboundRequest, Origin, Rejected, Verified
from shopbot.testing.contract_base import PluginContract
from shopbot.testing.orders import order_bytes, paid_order

STRANGE_VALUES = ("", " ", "=", "====", "a", "AAAA", "\u00e4\u00f6", "0" * 64, "sha256=", "A" * 10_000, "null", "\t")


class VerifierContract(PluginContract):
    """What every plugin under `verify:` must pass."""

    section = "verify"
    hook = "verify_request"
    origin: ClassVar[Origin]
    """The route whose requests it judges."""
    secrets: ClassVar[Sequence[str]]
    """What the platform may sign with, in the order of the settings."""

    def headers(self, body: bytes, secret: str) -> Mapping[str, str]:
        """Give the headers of a request as the platform signs it."""
        raise NotImplementedError("sign the body as the platform does")

    @property
    def body(self) -> bytes:
        """A request's body, as the platform serialises it."""
        return order_bytes(paid_order())

    def verify(self, body: bytes, headers: Mapping[str, str], route: Origin | None = None) -> Verified | None:
        """Ask the plugin, through the host's facade."""
        request = InboundRequest(route=route or self.origin, headers=Header(headers), body=body)
        return self.facade().verifiers[0].compute(request)

    def test_what_the_platform_signed_is_verified(self) -> None:
        verified = self.verify(self.body, self.headers(self.body, self.secrets[0]))

        assert verified == Verified(self.origin, 0)

    def test_every_configured_secret_counts_and_is_named(self) -> None:
        """While a secret is rotated, the platform may sign with the old or the new one."""
        for index, secret in enumerate(self.secrets):
            assert self.verify(self.body, self.headers(self.body, secret)) == Verified(self.origin, index)

    def test_header_names_are_found_in_any_case(self) -> None:
        headers = self.headers(self.body, self.secrets[0])

        assert self.verify(self.body, {name.upper(): value for name, value in headers.items()})
        assert self.verify(self.body, {name.lower(): value for name, value in headers.items()})

    def test_a_wrong_secret_is_rejected(self) -> None:
        with pytest.raises(Rejected):
            self.verify(self.body, self.headers(self.body, "x" + self.secrets[0]))

    def test_a_request_without_a_signature_is_rejected(self) -> None:
        with pytest.raises(Rejected):
            self.verify(self.body, {"Content-Type": "application/json"})

    def test_a_body_with_one_byte_more_or_less_is_rejected(self) -> None:
        headers = self.headers(self.body, self.secrets[0])

        for changed in (self.body[:-1], self.body + b"\n", b" " + self.body, b""):
            with pytest.raises(Rejected):
                self.verify(changed, headers)

    def test_json_that_was_read_and_written_again_is_rejected(self) -> None:
        """It says the same, but it is not what was signed."""
        rewritten = json.dumps(json.loads(self.body)).encode()

        assert rewritten != self.body
        with pytest.raises(Rejected):
            self.verify(rewritten, self.headers(self.body, self.secrets[0]))

    @pytest.mark.parametrize("value", STRANGE_VALUES, ids=range(len(STRANGE_VALUES)))
    def test_a_strange_signature_is_rejected_and_never_a_fault(self, value: str) -> None:
        """A fault would be answered 503, and the platform would send the request again for hours."""
        for name in self.headers(self.body, self.secrets[0]):
            headers = dict(self.headers(self.body, "another secret")) | {name: value}
            with pytest.raises(Rejected):
                self.verify(self.body, headers)

    def test_requests_on_other_routes_are_left_to_others(self) -> None:
        for route in Origin:
            if route is not self.origin:
                assert self.verify(self.body, self.headers(self.body, self.secrets[0]), route) is None
                assert self.verify(self.body, {}, route) is None

    def test_what_it_signs_itself_is_taken_for_the_platforms_own(self) -> None:
        """`shopbot doctor` sends such requests through the public address, one for each secret."""
        signers = self.facade().signers
        if not signers:
            pytest.skip("does not sign")
        for route in Origin:
            request = InboundRequest(route=route, headers={"Content-Type": "application/json"}, body=self.body)
            signed = signers[0].compute(request)
            if route is not self.origin:
                assert signed is None
                continue
            assert signed is not None
            taken = [self.verify(self.body, {**request.headers, **headers}) for headers in signed]
            assert taken == [Verified(self.origin, index) for index in range(len(self.secrets))]

    def test_a_rejection_tells_no_secret_and_no_signature(self) -> None:
        signed = self.headers(self.body, self.secrets[0])
        with pytest.raises(Rejected) as rejection:
            self.verify(self.body, self.headers(self.body, "another secret"))

        assert rejection.value.status in {400, 401, 403}
        for text in (*self.secrets, *signed.values()):
            assert text not in rejection.value.reason
