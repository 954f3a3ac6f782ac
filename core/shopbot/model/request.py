"""An inbound HTTP request as verifiers see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Origin(StrEnum):
    """Which platform a request came from, once verified."""

    SHOPIFY = "shopify"
    MESSENGER = "messenger"


class InboundRequest(NamedTuple):
    """One request before anybody trusts it. A plain tuple: one is made for every webhook."""

    route: Origin
    """The endpoint it reached, as the platform's name: `/webhooks/shopify` is Origin.SHOPIFY."""
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    body: bytes
    """The raw bytes, exactly as received: the only thing that a signature may be computed over."""
    method: str = "POST"
    query: Mapping[str, str] = MappingProxyType({})
    """The URL's parameters, each with its first value; empty for POST."""

    def __repr__(self) -> str:
        """Leave out what may be secret, or about a person: the headers' values, the body and the parameters."""
        return f"InboundRequest(route={self.route!r}, headers={sorted(self.headers)}, method={self.method!r})"


@dataclass(frozen=True, slots=True)
class Verified:
    """A verifier's yes: where the request came from and which of the configured secrets signed it (0 is first)."""

    origin: Origin
    secret_index: int = 0
