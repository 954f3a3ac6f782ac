"""An inbound HTTP request as verifiers see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Origin(StrEnum):
    """Which platform a request came from, once verified."""

    SHOPIFY = "shopify"
    MESSENGER = "messenger"


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """One request before anybody trusts it. Not a pydantic model: one is made for every webhook.

    route: the endpoint it reached, as the platform's name: `/webhooks/shopify` is Origin.SHOPIFY.
    headers: looked up without regard to case.
    body: the raw bytes, exactly as received: the only thing that a signature may be computed over.
    """

    route: Origin
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    method: str = "POST"
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The URL's parameters, each with its first value; empty for POST."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A verifier's yes: where the request came from and which of the configured secrets signed it (0 is first)."""

    origin: Origin
    secret_index: int = 0
