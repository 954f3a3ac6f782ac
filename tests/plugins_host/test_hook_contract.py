from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime

import pytest

from shopbot.discovery import PluginError
from shopbot.hookspecs import HookSpecs
from shopbot.plugin import (
    InboundRequest,
    Order,
    OutboundMessage,
    Resolution,
    hookimpl,
)
from support.hook_plugins import FOUND, LifeCycle, entries


def complaint(section: str, *plugins: object) -> str:
    with pytest.raises(PluginError) as error:
        entries(section, *plugins)
    return str(error.value)


def test_a_misspelled_hook_is_an_error_with_a_suggestion() -> None:
    class Plugin:
        @hookimpl
        async def resolve_pisd(self, order: Order) -> None: ...

    assert complaint("resolvers", Plugin()) == (
        "resolvers[0]:plugin: unknown hook 'resolve_pisd'; did you mean 'resolve_psid'?"
    )


def test_a_hook_that_resembles_none_is_an_error_that_lists_them_all() -> None:
    class Plugin:
        @hookimpl
        async def brew_coffee(self) -> None: ...

    text = complaint("plugins", Plugin())

    assert text.startswith("plugins[0]:plugin: unknown hook 'brew_coffee'; hooks are: verify_request, sign_request, ")
    assert all(name in text for name in vars(HookSpecs) if not name.startswith("_"))


def test_an_argument_that_the_hook_does_not_have_is_an_error_that_names_it() -> None:
    class Plugin:
        @hookimpl
        async def resolve_psid(self, ordre: Order) -> None: ...

    assert complaint("resolvers", Plugin()) == (
        "resolvers[0]:plugin: resolve_psid is given order, and not 'ordre': arguments go by their names"
    )


def test_the_plugin_at_fault_is_named_and_not_the_one_before_it() -> None:
    class Fine:
        @hookimpl
        async def resolve_psid(self, order: Order) -> None: ...

    class Broken:
        @hookimpl
        async def resolve_psid(self, order: Order) -> None: ...

        @hookimpl
        async def event_finishd(self) -> None: ...

    assert complaint("resolvers", Fine(), Broken()) == (
        "resolvers[1]:broken: unknown hook 'event_finishd'; did you mean 'event_finished'?"
    )


class PlainResolver:
    @hookimpl
    def resolve_psid(self, order: Order) -> None: ...


class AwaitedVerifier:
    @hookimpl
    async def verify_request(self, request: InboundRequest) -> None: ...


class AwaitedFilters:
    @hookimpl
    async def template_filters(self) -> None: ...


class PollerWithoutYield:
    @hookimpl
    async def poll_orders(self, since: datetime) -> None: ...


class ResolverWithYield:
    @hookimpl
    async def resolve_psid(self, order: Order) -> AsyncGenerator[Resolution, None]:
        yield FOUND


@pytest.mark.parametrize(
    ("section", "plugin", "text"),
    [
        ("resolvers", PlainResolver(), "resolvers[0]:plainresolver: resolve_psid must be `async def`"),
        ("verify", AwaitedVerifier(), "verify[0]:awaitedverifier: verify_request must be `def`"),
        (
            "pollers",
            PollerWithoutYield(),
            "pollers[0]:pollerwithoutyield: poll_orders must be `async def` with `yield`",
        ),
        ("resolvers", ResolverWithYield(), "resolvers[0]:resolverwithyield: resolve_psid must be `async def`"),
    ],
)
def test_a_hook_of_the_wrong_kind_of_function_is_an_error(section: str, plugin: object, text: str) -> None:
    assert complaint(section, plugin) == text


def test_filters_of_the_wrong_kind_of_function_are_an_error() -> None:
    with pytest.raises(PluginError, match=r"plugins\[0\]:awaitedfilters: template_filters must be `def`"):
        entries("plugins", AwaitedFilters()).filters()


@pytest.mark.parametrize(
    ("section", "hook"),
    [
        ("verify", "verify_request"),
        ("resolvers", "resolve_psid"),
        ("carts", "clear_cart"),
        ("senders", "send_message"),
        ("pollers", "poll_orders"),
        ("checkouts", "create_checkout"),
    ],
)
def test_a_plugin_in_a_list_whose_hook_it_lacks_is_an_error(section: str, hook: str) -> None:
    assert complaint(section, LifeCycle("a", [])) == (
        f"{section}[0]:lifecycle: 'lifecycle' has no {hook} hook and cannot stand under `{section}:`"
    )


def test_a_plugin_is_asked_only_for_the_list_that_it_stands_in() -> None:
    """A plugin may have several hooks; its place in shopbot.yaml says which of them the merchant wants."""

    class Both:
        @hookimpl
        async def resolve_psid(self, order: Order) -> None: ...

        @hookimpl
        async def send_message(self, message: OutboundMessage) -> None: ...

    hooks = entries("resolvers", Both())

    assert (len(hooks.resolvers), len(hooks.senders)) == (1, 0)
