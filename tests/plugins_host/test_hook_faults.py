from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest
from structlog.testing import capture_logs

from shopbot.discovery import PluginError
from shopbot.hooks import Hooks, PluginFailedError, PluginInstance
from shopbot.hookspecs import HookSpecs
from shopbot.plugin import (
    ChannelDown,
    Context,
    InboundRequest,
    InDoubt,
    Order,
    PolledOrder,
    Reason,
    Refused,
    Resolution,
    Retry,
    Verified,
    hookimpl,
)
from support.hook_plugins import FOUND, MESSAGE, ORDER, PSID, REQUEST, RUN, SINCE, LifeCycle, at, context_of, entries
from support.store_parts import an_event

# --- faults stay with the plugin -------------------------------------------------------------------------------------


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
    kinds: list[Any] = [hooks.resolvers, hooks.carts, hooks.senders, list(hooks.steps.values())]
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


# --- streams ---------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Poller:
    orders: Sequence[object]
    then: BaseException | None = None
    waits: bool = False
    closed: list[str] = field(default_factory=list)

    @hookimpl
    async def poll_orders(self) -> AsyncGenerator[Any, None]:
        try:
            for order in self.orders:
                yield order
            if self.then is not None:
                raise self.then
            if self.waits:
                await asyncio.sleep(3600)
        finally:
            self.closed.append("closed")


FIRST, SECOND = (PolledOrder(order_id=n, updated_at=SINCE, body=b"{}") for n in (1, 2))


async def polled(poller: Poller, **more: Any) -> tuple[list[PolledOrder], str]:  # noqa: ANN401 - instance's fields
    """Give what a poll brought, and how it failed."""
    (hook,) = Hooks([at("pollers", poller, **more)]).pollers
    seen: list[PolledOrder] = []
    with capture_logs():
        try:
            async with contextlib.aclosing(hook(SINCE)) as stream:
                async for order in stream:
                    seen.append(order)  # noqa: PERF401 - what came before a fault counts
        except PluginFailedError as error:
            return seen, error.what
    return seen, ""


@pytest.mark.parametrize(
    ("poller", "what"),
    [
        (Poller([FIRST, SECOND], RuntimeError("page 2 is missing")), "RuntimeError in poll_orders: page 2 is missing"),
        (Poller([FIRST, SECOND, {"id": 3}]), "poll_orders answered dict, not PolledOrder"),
        (Poller([FIRST, SECOND], SystemExit(1)), "SystemExit in poll_orders: 1"),
    ],
)
async def test_what_a_poller_gave_before_its_fault_counts(poller: Poller, what: str) -> None:
    assert await polled(poller) == ([FIRST, SECOND], what)
    assert poller.closed == ["closed"]


async def test_a_poller_has_its_time_limit_for_each_order() -> None:
    poller = Poller([FIRST], waits=True)

    assert await polled(poller, time_limit_seconds=0.01) == ([FIRST], "no answer to poll_orders within 0.01 s")
    assert poller.closed == ["closed"]


@pytest.mark.parametrize("raised", [Retry("busy", after_seconds=2), ChannelDown("the token was revoked")])
async def test_what_a_poller_may_raise_comes_out_as_it_is(raised: Exception) -> None:
    with pytest.raises(type(raised)) as error:
        await polled(Poller([FIRST], raised))

    assert error.value is raised


async def test_a_poll_that_is_broken_off_ends_the_plugin_s_generator() -> None:
    poller = Poller([FIRST, SECOND])
    (hook,) = entries("pollers", poller).pollers

    async with contextlib.aclosing(hook(SINCE)) as stream:
        assert await anext(stream) == FIRST
        assert poller.closed == []

    assert poller.closed == ["closed"]


# --- life cycle ------------------------------------------------------------------------------------------------------


async def test_when_one_cannot_start_those_before_it_are_stopped() -> None:
    lines: list[str] = []
    hooks = entries("plugins", *(LifeCycle(n, lines, fails) for n, fails in (("a", ()), ("b", ["start"]), ("c", ()))))

    with capture_logs(), pytest.raises(PluginError) as error:
        await hooks.start(context_of)

    text = "plugin could not start: plugins[1]:lifecycle: OSError in start: no such host"
    assert str(error.value) == text
    assert lines == ["start a in acme.myshopify.com", "start b in acme.myshopify.com", "stop a"]


async def test_when_a_plugin_has_no_context_those_before_it_are_stopped() -> None:
    lines: list[str] = []
    hooks = entries("plugins", LifeCycle("a", lines), LifeCycle("b", lines))

    def context(instance: PluginInstance) -> Context:
        if instance.index == 1:
            raise PermissionError("data")
        return context_of(instance)

    with pytest.raises(PermissionError):
        await hooks.start(context)

    assert lines == ["start a in acme.myshopify.com", "stop a"]


async def test_a_start_that_is_cancelled_stops_what_it_has_started() -> None:
    lines: list[str] = []

    class Slow:
        @hookimpl
        async def start(self) -> None:
            await asyncio.sleep(3600)

    starting = asyncio.create_task(entries("plugins", LifeCycle("a", lines), Slow()).start(context_of))
    await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert lines == ["start a in acme.myshopify.com", "stop a"]


async def test_a_fault_while_stopping_keeps_nobody_else_from_it() -> None:
    lines: list[str] = []
    hooks = entries("plugins", *(LifeCycle(n, lines, fails) for n, fails in (("a", ()), ("b", ["stop"]), ("c", ()))))
    await hooks.start(context_of)
    lines.clear()

    with capture_logs() as logs:
        await hooks.stop()

    assert lines == ["stop c", "stop b", "stop a"]
    assert [(line["event"], line["plugin"]) for line in logs] == [("plugin_failed", "plugins[1]:lifecycle")]


async def test_what_was_not_started_is_not_stopped() -> None:
    lines: list[str] = []

    await entries("plugins", LifeCycle("a", lines)).stop()

    assert lines == []


def test_a_plugin_without_any_hook_is_let_be_under_plugins() -> None:
    assert entries("plugins", object()).places == ["plugins[0]:object"]


def test_the_facade_asks_for_every_hook_of_the_contract() -> None:
    """A hook that is in the contract and that nothing calls would be a promise without a keeper."""
    source = inspect.getsource(Hooks)

    assert [name for name in vars(HookSpecs) if not name.startswith("_") and f'"{name}"' not in source] == []
