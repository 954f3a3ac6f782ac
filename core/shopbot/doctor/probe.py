"""The requests that are sent through the public address: as the platforms' own, and about nothing."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from uuid import uuid4

from shopbot import __version__
from shopbot.hooks import Hooks
from shopbot.model.request import InboundRequest, Origin
from shopbot.web.probe import ASKS_FOR_ECHO, ECHO_TOPIC, KEPT_TOPIC, Echo

LARGE_BYTES = 2_000_000
"""Order webhooks have been seen above a megabyte, which many a proxy refuses.
https://community.shopify.com/c/Shopify-APIs-SDKs/Webhook-requests-exceed-max-size/m-p/144434"""

_AGENTS = {Origin.SHOPIFY: "Shopify-Captain-Hook", Origin.MESSENGER: "facebookexternalua"}
"""What the platforms call themselves: firewalls decide by it."""

_BODY = (
    '{"shopbot_probe": "%s", "object": "shopbot", "b": 1,  "a": [ ], "plain": "Zażółć 🎉", "escaped": "\\u00e4\\/",'
    ' "number": 1.50e+02, "large": 12345678901234567890, "padding": "%s"}\r\n'
)
"""JSON that comes out differently wherever somebody reads and writes it again."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One request, signed with one of the verifier's secrets."""

    route: Origin
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    secret_index: int
    secrets: int
    """How many the verifier has."""
    place: str
    """Of the verifier in shopbot.yaml."""

    @property
    def event_id(self) -> str | None:
        """The id of the event that the host keeps of it; None where it keeps none."""
        if self.headers.get("X-Shopify-Topic") != KEPT_TOPIC:
            return None
        return f"webhook:{self.headers['X-Shopify-Webhook-Id']}"

    def changed(self, echo: Echo) -> bool:
        """Say whether another body has arrived."""
        return echo.body_sha256 != sha256(self.body).hexdigest()

    def missing(self, echo: Echo) -> Sequence[str]:
        """Name the platform's headers that have not arrived."""
        own = [name for name in self.headers if name.startswith(("X-Shopify-", "X-Hub-"))]
        return [name for name in own if name.lower() not in echo.headers]


class Prober:
    """Makes one shop's probes."""

    def __init__(self, hooks: Hooks, shop: str) -> None:
        self._hooks = hooks
        self._shop = shop

    def small(self, route: Origin) -> Sequence[Probe]:
        """Make a probe for each secret of the route's verifier; they are one event to the host.

        Raises:
            PluginFailedError: the verifier cannot sign.
        """
        return self._probes(route, KEPT_TOPIC, 0)

    def large(self, route: Origin, most_bytes: int) -> Sequence[Probe]:
        """Make a probe with the body of a very large order for each secret; the host keeps none of them.

        most_bytes: what the host takes at most.

        Raises:
            PluginFailedError: the verifier cannot sign.
        """
        return self._probes(route, ECHO_TOPIC, min(LARGE_BYTES, most_bytes))

    def _probes(self, route: Origin, topic: str, size_bytes: int) -> Sequence[Probe]:
        body = _body(size_bytes)
        headers = self._headers(route, topic)
        for signer in self._hooks.signers:
            signatures = signer.compute(InboundRequest(route=route, headers=headers, body=body))
            if signatures is not None:
                return [
                    Probe(route, {**headers, **signature}, body, index, len(signatures), signer.place)
                    for index, signature in enumerate(signatures)
                ]
        return ()

    def _headers(self, route: Origin, topic: str) -> Mapping[str, str]:
        """Give what comes along besides the signature.

        https://shopify.dev/docs/apps/build/webhooks/delivery-structure
        """
        common = {
            "Content-Type": "application/json",
            "User-Agent": f"{_AGENTS[route]} (shopbot doctor {__version__})",
            ASKS_FOR_ECHO: "1",
        }
        if route is not Origin.SHOPIFY:
            return common
        return {
            **common,
            "X-Shopify-Topic": topic,
            "X-Shopify-Shop-Domain": self._shop,
            "X-Shopify-API-Version": "2026-10",
            "X-Shopify-Webhook-Id": str(uuid4()),
            "X-Shopify-Event-Id": str(uuid4()),
            "X-Shopify-Triggered-At": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }


def _body(size_bytes: int) -> bytes:
    """Write a body that nobody has sent before, of a size at least."""
    nonce = secrets.token_hex(16)
    bare = (_BODY % (nonce, "")).encode()
    return (_BODY % (nonce, "x" * (size_bytes - len(bare)))).encode()
