from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
from structlog.testing import capture_logs

from shopbot.discovery import PluginError
from shopbot.hooks import Hooks, PluginFailedError
from shopbot.plugin import (
    ChannelDown,
    InboundRequest,
    InDoubt,
    Order,
    Reason,
    Refused,
    Resolution,
    Retry,
    Verified,
    hookimpl,
)
from support.hook_plugins import FOUND, MESSAGE, ORDER, PSID, REQUEST, RUN, at, entries
from support.store_parts import an_event


class Answer(Protocol):
    async def __call__(self) -> Any: ...  # noqa: ANN401 - nonsense included


@dataclass(eq=False)
class Resolver:
    answer: Answer

    @hookimpl
    async def resolve_psid(self, order: Order) -> Any:  # noqa: ANN401 - likewise
        return await self.answer()


async def failure(answer: Answer, **more: Any) -> str:  # noqa: ANN401 - fields of the instance
    """Give how the facade reports a resolver that does *answer*."""
    (resolver,) = Hooks([at("resolvers", Resolver(answer), **more)]).resolvers
    with capture_logs() as logs, pytest.raises(PluginFailedError) as error:
        await resolver(ORDER)
    (line,) = logs
    assert (line["event"], line["plugin"]) == ("plugin_failed", "resolvers[0]:resolver")
    assert str(error.value) == f"resolvers[0]:resolver: {line['what']}"
    return error.value.what


async def test_an_exception_that_the_hook_does_not_document_is_the_plugin_s_failure() -> None:
    async def answer() -> None:
        raise KeyError("psid")

    assert await failure(answer) == "KeyError in resolve_psid: 'psid'"


async def test_a_documented_exception_of_another_hook_is_a_failure_too() -> None:
    async def answer() -> None:
        raise Refused("resolvers cannot refuse")

    assert await failure(answer) == "Refused in resolve_psid: resolvers cannot refuse"


@pytest.mark.parametrize(
    ("value", "named"), [(PSID, "str"), (False, "bool"), ({"psid": PSID}, "dict"), (FOUND.psid.encode(), "bytes")]
)
async def test_an_answer_of_the_wrong_type_is_the_plugin_s_failure(value: object, named: str) -> None:
    async def answer() -> object:
        return value

    assert await failure(answer) == f"resolve_psid answered {named}, not Resolution or None"


async def test_a_hook_that_takes_too_long_is_broken_off() -> None:
    broken_off = asyncio.Event()

    async def answer() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            broken_off.set()

    assert await failure(answer, time_limit_seconds=0.01) == "no answer to resolve_psid within 0.01 s"
    assert broken_off.is_set()


async def test_a_hook_that_blocks_everything_for_longer_is_told_of() -> None:
    """No time limit can break it off: it is the mistake that slows a whole host down and shows nowhere."""

    async def answer() -> Resolution:
        time.sleep(0.05)  # noqa: ASYNC251 - what nobody should do
        return FOUND

    (resolver,) = Hooks([at("resolvers", Resolver(answer), time_limit_seconds=0.01)]).resolvers
    with capture_logs() as logs:
        assert await resolver(ORDER) == FOUND

    (line,) = logs
    assert (line["event"], line["log_level"], line["plugin"]) == ("plugin_blocked", "warning", "resolvers[0]:resolver")
    assert line["what"] == "resolve_psid let nothing else run for longer than its 0.01 s"


async def test_a_time_limit_of_the_plugin_s_own_is_told_apart_from_the_host_s() -> None:
    async def answer() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(3600)

    assert await failure(answer, time_limit_seconds=60.0) == "TimeoutError in resolve_psid: "


async def test_a_plugin_that_wants_to_end_the_process_does_not() -> None:
    async def answer() -> None:
        raise SystemExit("I give up")

    assert await failure(answer) == "SystemExit in resolve_psid: I give up"


async def test_a_plugin_whose_own_task_was_cancelled_does_not_cancel_the_event() -> None:
    async def answer() -> None:
        task = asyncio.create_task(asyncio.sleep(3600))
        task.cancel()
        await task

    assert await failure(answer) == "resolve_psid waited for something that was cancelled"


async def test_a_call_that_is_cancelled_from_outside_ends_at_once() -> None:
    async def answer() -> None:
        await asyncio.sleep(3600)

    (resolver,) = Hooks([at("resolvers", Resolver(answer))]).resolvers
    call = asyncio.create_task(_call(resolver))
    await asyncio.sleep(0)
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call


async def _call(hook: Callable[[Order], Any]) -> None:
    await hook(ORDER)


async def test_a_fault_of_one_plugin_leaves_the_others_alone() -> None:
    async def broken() -> None:
        raise RuntimeError("broken")

    async def fine() -> Resolution:
        return FOUND

    first, second = entries("resolvers", Resolver(broken), Resolver(fine)).resolvers
    with contextlib.suppress(PluginFailedError):
        await first(ORDER)

    assert await second(ORDER) == FOUND


@pytest.mark.parametrize(
    ("section", "hook", "call", "raised"),
    [
        ("resolvers", "resolve_psid", (ORDER,), Retry("later")),
        ("carts", "clear_cart", (PSID, ORDER), Retry("later", after_seconds=3)),
        ("senders", "send_message", (MESSAGE,), Retry("later", pauses_channel=True)),
        ("senders", "send_message", (MESSAGE,), Refused("blocked", code=Reason.OUTSIDE_WINDOW)),
        ("senders", "send_message", (MESSAGE,), ChannelDown("the token was revoked")),
        ("senders", "send_message", (MESSAGE,), InDoubt("the connection broke")),
        ("checkouts", "create_checkout", (MESSAGE,), Refused("sold out")),
        ("checkouts", "create_checkout", (MESSAGE,), ChannelDown("the token was revoked")),
        ("plugins", "run_step", (an_event(), RUN), Retry("later")),
    ],
)
async def test_what_a_hook_may_raise_comes_out_as_it_is(
    section: str, hook: str, call: tuple[object, ...], raised: Exception
) -> None:
    async def method(self: object) -> None:
        raise raised

    plugin = type("Plugin", (), {hook: hookimpl(method)})()
    hooks = entries(section, plugin)
    kinds: list[Any] = [hooks.resolvers, hooks.carts, hooks.senders, hooks.checkouts, list(hooks.steps.values())]
    (found,) = itertools.chain.from_iterable(kinds)

    with pytest.raises(type(raised)) as error:
        await found(*call)

    assert error.value is raised


def test_a_verifier_that_fails_says_nothing_about_the_request() -> None:
    class Broken:
        @hookimpl
        def verify_request(self, request: InboundRequest) -> Verified:
            raise ValueError("not base64")

    class Nonsense:
        @hookimpl
        def verify_request(self, request: InboundRequest) -> bool:
            return True

    with pytest.raises(PluginFailedError, match=r"verify\[0\]:broken: ValueError in verify_request: not base64"):
        entries("verify", Broken()).verify(REQUEST)
    with pytest.raises(PluginFailedError, match="verify_request answered bool, not Verified or None"):
        entries("verify", Nonsense()).verify(REQUEST)


def test_filters_that_cannot_be_named_are_an_error_of_the_configuration() -> None:
    class Broken:
        @hookimpl
        def template_filters(self) -> Mapping[str, Callable[..., object]]:
            raise RuntimeError("no dictionary")

    with (
        pytest.raises(PluginError, match=r"plugins\[0\]:broken: RuntimeError in template_filters: no dictionary"),
        capture_logs(),
    ):
        entries("plugins", Broken()).filters()
