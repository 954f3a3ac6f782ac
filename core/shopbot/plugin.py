"""Everything that a plugin may import, and nothing else.

A plugin is a module with two classes: `Config`, what its `use:` entry in shopbot.yaml accepts, and `Plugin`, made
once per entry with that configuration. Its methods marked `@hookimpl` answer the hooks of `shopbot.hookspecs`.

    class Config(PluginConfig):
        key: str = Field("psid", description="The attribute to read.")

    class Plugin:
        def __init__(self, config: Config) -> None: ...

        @hookimpl
        async def resolve_psid(self, order: Order) -> Resolution | None: ...
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pluggy
from pydantic import ConfigDict, Field, SecretStr

from shopbot.config.duration import Duration, PositiveDuration
from shopbot.config.section import Written
from shopbot.model.cart import CartResult
from shopbot.model.checkout import Checkout, CheckoutLine, CheckoutRequest, ShortLine
from shopbot.model.event import Event, Source
from shopbot.model.examination import Examination
from shopbot.model.failures import ChannelDown, InDoubt, OutOfStock, Refused, Rejected, Retry
from shopbot.model.finding import Finding, Level, compare_clock
from shopbot.model.fulfillment import Fulfillment
from shopbot.model.message import Delivery, MessagePreview, OutboundMessage, QuickReply, Receipt, UtilityTemplate
from shopbot.model.money import Money
from shopbot.model.order import Attribute, Customer, LineItem, Order, UnreadableOrderError
from shopbot.model.outcome import JournalEntry, Outcome, Status
from shopbot.model.person_to_erase import PersonToErase
from shopbot.model.polled import PolledOrder
from shopbot.model.printable import printable
from shopbot.model.psid import Resolution, Trust, is_psid, mask
from shopbot.model.reason import Reason
from shopbot.model.request import InboundRequest, Origin, Verified
from shopbot.model.run import Run
from shopbot.model.shared_keys import SharedKeys
from shopbot.model.template import TemplateDefinition, TemplateState, TemplateStatus

__all__ = [
    "Attribute",
    "CartResult",
    "ChannelDown",
    "Checkout",
    "CheckoutLine",
    "CheckoutRequest",
    "Context",
    "Customer",
    "Delivery",
    "Duration",
    "Event",
    "Examination",
    "Field",
    "Finding",
    "Fulfillment",
    "InDoubt",
    "InboundRequest",
    "JournalEntry",
    "Level",
    "LineItem",
    "Logger",
    "MessagePreview",
    "Money",
    "Order",
    "Origin",
    "OutOfStock",
    "OutboundMessage",
    "Outcome",
    "PersonToErase",
    "PluginConfig",
    "PolledOrder",
    "PositiveDuration",
    "QuickReply",
    "Reason",
    "Receipt",
    "Refused",
    "Rejected",
    "Resolution",
    "Retry",
    "Run",
    "SecretStr",
    "SharedKeys",
    "Shop",
    "ShortLine",
    "Source",
    "Status",
    "Store",
    "TemplateDefinition",
    "TemplateState",
    "TemplateStatus",
    "Trust",
    "UnreadableOrderError",
    "UtilityTemplate",
    "Verified",
    "compare_clock",
    "hookimpl",
    "is_psid",
    "mask",
    "printable",
]

hookimpl = pluggy.HookimplMarker("shopbot")
"""Marks a method as an answer to the hook of the same name; it may take any subset of the hook's arguments."""


class PluginConfig(Written):
    """The base of a plugin's settings: unknown keys are errors, values cannot change.

    Give every field a description with its unit; it becomes the manual, the schema and the error messages.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Logger(Protocol):
    """A structured logger that carries the plugin's name: `log.info("cart_cleared", order_id=1)`."""

    def debug(self, event: str, **fields: object) -> None:
        """Log what only a developer wants to know."""

    def info(self, event: str, **fields: object) -> None:
        """Log what an operator may want to count."""

    def warning(self, event: str, **fields: object) -> None:
        """Log what an operator should look at."""

    def error(self, event: str, **fields: object) -> None:
        """Log what an operator must act on."""


class Store(Protocol):
    """The store's client, as far as plugins need it: a subset of `redis.asyncio.Redis`, whose values are bytes.

    Work on one key at a time, or on keys that share a hash slot: the store may be a cluster.
    """

    def get(self, name: str) -> Awaitable[Any]:
        """Read a string key; None where there is none."""

    def set(self, name: str, value: str | bytes, *, px: int | None = None, nx: bool = False) -> Awaitable[Any]:
        """Write a string key; `px` is its time to live in milliseconds, `nx` writes only where there is none."""

    def delete(self, *names: str) -> Awaitable[Any]:
        """Delete keys; gives how many there were."""

    def exists(self, *names: str) -> Awaitable[Any]:
        """Count how many of the keys exist."""

    def eval(self, script: str, numkeys: int, *keys_and_args: str | bytes) -> Awaitable[Any]:
        """Run a Lua script atomically."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop that the host serves."""

    domain: str
    """`acme.myshopify.com`."""
    name: str
    locale: str
    timezone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Context:
    """What a plugin gets in `start`: the shop, the store and a logger of its own."""

    shop: Shop
    store: Store
    keys: SharedKeys
    ttl_seconds: Mapping[str, float]
    """The `ttl:` section of shopbot.yaml, in seconds: `ttl_seconds["checkout_token"]`."""
    data_dir: Path
    """Where a plugin may keep files of its own; exists."""
    log: Logger
