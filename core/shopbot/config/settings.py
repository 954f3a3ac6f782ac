"""The whole of shopbot.yaml as immutable values, with every default in one place."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from shopbot.config.checkout import CartLimitSettings, CheckoutTokenSettings
from shopbot.config.duration import Duration, PositiveDuration
from shopbot.config.expected import expected
from shopbot.config.message import Limit, MessageSettings, UtilityTemplateSettings
from shopbot.config.plugin_entry import PLUGIN_LISTS, PluginEntry, PollerEntry
from shopbot.config.rule import RuleSettings, Step, WhenSettings
from shopbot.config.section import NOT_BOOLEAN, Name, Section, names_differ
from shopbot.config.shop import DeliverySettings, ShopSettings
from shopbot.config.store_address import StoreAddress

__all__ = [
    "PLUGIN_LISTS",
    "CartLimitSettings",
    "CheckoutTokenSettings",
    "DeliverySettings",
    "InDoubtSettings",
    "Limit",
    "LogSettings",
    "MessageSettings",
    "PluginEntry",
    "PollerEntry",
    "RetrySettings",
    "RuleSettings",
    "Settings",
    "ShopSettings",
    "Step",
    "StoreAddress",
    "TtlSettings",
    "UtilityTemplateSettings",
    "WebSettings",
    "WhenSettings",
    "WindowSettings",
    "WorkerSettings",
]

_SHORTEST_KEY = 16


class TtlSettings(Section):
    """How long the store keeps things."""

    checkout_token: PositiveDuration = Field(
        timedelta(hours=24), description="How long a shopper's latest checkout token is kept."
    )
    checkout_token_lookup: PositiveDuration = Field(
        timedelta(hours=24), description="How long a checkout token leads back to its shopper."
    )
    order_reference: PositiveDuration = Field(
        timedelta(days=365), description="How long a shopper can ask for an order."
    )
    webhook_id: PositiveDuration = Field(
        timedelta(hours=48),
        description="How long a delivery is remembered at least, to know a repetition: while its journal is kept, too.",
    )
    journal: PositiveDuration = Field(
        timedelta(days=30), description="How long it can be looked up what happened to an order."
    )
    cart: PositiveDuration = Field(timedelta(days=30), description="How long a cart is kept after its last change.")
    conversation: PositiveDuration = Field(
        timedelta(days=400), description="How long it is known when a shopper last wrote or tapped in Messenger."
    )
    dead_letter: PositiveDuration | None = Field(
        None, description="How long a dead letter waits for a person, then it is purged. Without one: for ever."
    )
    export: PositiveDuration = Field(
        timedelta(days=30), description="How long the file with a customer's data waits to be collected."
    )


class RetrySettings(Section):
    """When failed work is tried again: after first, first x factor, and so on, up to max."""

    attempts: Annotated[int, Field(ge=1, le=100), NOT_BOOLEAN] = Field(
        8, description="Attempts in all, the first included; then the event becomes a dead letter."
    )
    first: PositiveDuration = Field(timedelta(seconds=2), description="The wait before the second attempt.")
    factor: Annotated[float, Field(ge=1, le=100, allow_inf_nan=False), NOT_BOOLEAN] = Field(
        4.0, description="How many times longer each wait is than the one before."
    )
    max: PositiveDuration = Field(timedelta(hours=1), description="The longest wait.")

    @model_validator(mode="after")
    def _max_is_no_less_than_first(self) -> Self:
        if self.max < self.first:
            raise expected("'max' to be no shorter than 'first'", text=False, got=False)
        return self


def _no_longer_than_messengers(value: timedelta) -> timedelta:
    if value > timedelta(hours=24):
        raise expected("at most 24h, which is Messenger's own window", text=False, got=False)
    return value


def _key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < _SHORTEST_KEY:
        raise expected(f"a key of at least {_SHORTEST_KEY} characters", text=False)
    return value


class InDoubtSettings(Section):
    """What becomes of a message whose sending broke off after the request was written."""

    deadline: PositiveDuration = Field(
        timedelta(minutes=2), description="How long to wait for the message's echo, which settles the matter."
    )
    resend: bool = Field(
        default=True,
        description="Whether to send again without an echo, when echoes of later messages have arrived. Otherwise, and "
        "where false, a person decides.",
    )


class WindowSettings(Section):
    """Messenger's standard messaging window: how long after a shopper's last act free texts may be sent.

    https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
    """

    length: Annotated[PositiveDuration, AfterValidator(_no_longer_than_messengers)] = Field(
        timedelta(hours=24), description="How long the window stays open; Messenger's own is 24h."
    )
    margin: Duration = Field(
        timedelta(minutes=10),
        description="How long before its end it counts as closed: a message takes time to get there.",
    )
    release: PositiveDuration = Field(
        timedelta(days=7),
        description="How long after it found the window closed a message that is held goes out by itself when the "
        "shopper writes again; later it is for a person to decide.",
    )

    @model_validator(mode="after")
    def _margin_is_shorter(self) -> Self:
        if self.margin >= self.length:
            raise expected("'margin' to be shorter than 'length'", text=False, got=False)
        return self


class WebSettings(Section):
    """Limits and keys of the HTTP server."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=100_000_000), NOT_BOOLEAN] = Field(
        5_000_000, description="The largest request body, in bytes; a larger one is answered 413."
    )
    request_time_limit: PositiveDuration = Field(
        timedelta(seconds=5), description="How long a request may take before it is given up."
    )
    api_keys: tuple[Annotated[SecretStr, AfterValidator(_key)], ...] = Field(
        (),
        description="Bearer keys of the checkout and cart API, several during rotation; none: it is off.",
        examples=[["${SHOPBOT_API_KEY}"]],
    )


class WorkerSettings(Section):
    """How events are worked on."""

    concurrency: Annotated[int, Field(ge=1, le=10_000), NOT_BOOLEAN] = Field(
        128, description="Events that one process works on at the same time."
    )
    lease: PositiveDuration = Field(
        timedelta(seconds=10),
        description="How long an event belongs to a process that gives no sign of life.",
    )


class LogSettings(Section):
    """What is logged, and how it looks."""

    format: Literal["auto", "json", "console"] = Field(
        "auto", description="json for machines, console for people; auto: console on a terminal, else json."
    )
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least important line shown.")


_Plugins = tuple[PluginEntry, ...]


class Settings(Section):
    """Everything that shopbot.yaml can say."""

    shop: ShopSettings = Field(description="The shop that shopbot works for.")
    store: StoreAddress = Field(
        StoreAddress("embedded"),
        description="Where the state lives: embedded, or the URL of a Valkey or Redis server "
        "(redis://host:6379/0, rediss://, unix://).",
    )
    durability: Literal["strict", "relaxed"] = Field(
        "strict",
        description="strict: a webhook is answered once its event is on disk, and a store that is known to lose events "
        "is refused; relaxed: what the store could lose is only said.",
    )
    data_dir: Path = Field(
        Path("data"),
        description="Where the embedded store keeps its files; relative to this file's directory.",
    )
    plugins_dir: Path = Field(
        Path("plugins.d"), description="Where the shop's own plugins lie; relative to this file's directory."
    )
    templates_dir: Path = Field(
        Path("templates"), description="Where message templates lie; relative to this file's directory."
    )
    verify: _Plugins = Field((), description="Who checks the signature of a request; the first that knows it decides.")
    resolvers: _Plugins = Field((), description="Who finds the shopper of an order; the first answer wins.")
    carts: _Plugins = Field((), description="The shopper's carts; each one is cleared.")
    senders: _Plugins = Field((), description="Who sends messages; the first that can take one sends it.")
    pollers: tuple[PollerEntry, ...] = Field((), description="Who looks for orders whose webhook was lost.")
    checkouts: _Plugins = Field((), description="Who makes checkout links; the first answer wins.")
    plugins: _Plugins = Field((), description="All other plugins: steps, template filters, observers.")
    ttl: TtlSettings = Field(TtlSettings(), description="How long the store keeps things.")
    retry: RetrySettings = Field(RetrySettings(), description="When failed work is tried again.")
    in_doubt: InDoubtSettings = Field(
        InDoubtSettings(), description="What becomes of a message that may or may not have been sent."
    )
    window: WindowSettings = Field(WindowSettings(), description="Messenger's standard messaging window.")
    web: WebSettings = Field(WebSettings(), description="Limits and keys of the HTTP server.")
    checkout_tokens: CheckoutTokenSettings = Field(
        CheckoutTokenSettings(), description="The signed tokens that checkout links put into the order."
    )
    cart_limits: CartLimitSettings = Field(
        CartLimitSettings(), description="What a cart, and a checkout link, may hold at most."
    )
    worker: WorkerSettings = Field(WorkerSettings(), description="How events are worked on.")
    log: LogSettings = Field(LogSettings(), description="What is logged, and how it looks.")
    rules: Annotated[tuple[RuleSettings, ...], names_differ("rules")] = Field(
        (), description="Which event leads to which steps."
    )
    messages: dict[Name, MessageSettings] = Field(
        default_factory=dict, description="The messages that steps send, by name."
    )

    def in_directory(self, directory: Path) -> Self:
        """Give the same settings with relative directories starting at *directory*."""
        names = ("data_dir", "plugins_dir", "templates_dir")
        return self.model_copy(update={name: directory / getattr(self, name) for name in names})
