"""One plugin's answer to one hook: called with a time limit, held against the contract, its faults isolated."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar, cast

import pluggy
import structlog

from shopbot.discovery import PluginError
from shopbot.hookspecs import HookSpecs
from shopbot.plugin import (
    CartResult,
    ChannelDown,
    Checkout,
    Finding,
    InDoubt,
    MessagePreview,
    Outcome,
    PolledOrder,
    Receipt,
    Refused,
    Rejected,
    Resolution,
    Retry,
    TemplateState,
    Verified,
)

P = ParamSpec("P")
R = TypeVar("R")


class PluginFailedError(Exception):
    """A plugin raised what its hook does not document, answered nonsense, or ran into its time limit."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place
        self.what = what


@dataclass(frozen=True, slots=True)
class PluginInstance:
    """A plugin as one entry of shopbot.yaml made it."""

    section: str
    """The YAML list that it stands in: `resolvers`."""
    index: int
    name: str
    """Its `name:`, else its `use:`."""
    plugin: object
    time_limit_seconds: float | None = None
    """What `time_limit:` says; None leaves it to each hook's own limit."""

    @property
    def place(self) -> str:
        """How logs and journals name it: `resolvers[0]:note_attributes`."""
        return f"{self.section}[{self.index}]:{self.name}"

    @property
    def channel(self) -> str:
        """Name a sender's channel: what the plugin says in its attribute `channel`, else the entry's name."""
        channel = getattr(self.plugin, "channel", None)
        return channel if isinstance(channel, str) else self.name


@dataclass(frozen=True, slots=True)
class Contract:
    """What the facade holds every answer to a hook against."""

    section: str | None
    """The YAML list whose plugins are asked; None asks all."""
    limit_seconds: float
    answers: tuple[type, ...]
    raises: tuple[type[Exception], ...]
    optional: bool = False
    """Whether a plugin may stand in the list without this hook."""


CONTRACTS: Mapping[str, Contract] = {
    "verify_request": Contract("verify", 0.0, (Verified, type(None)), (Rejected,)),
    "sign_request": Contract("verify", 0.0, (list, tuple, type(None)), (), optional=True),
    "resolve_psid": Contract("resolvers", 5.0, (Resolution, type(None)), (Retry,)),
    "clear_cart": Contract("carts", 5.0, (CartResult,), (Retry,)),
    "send_message": Contract("senders", 60.0, (Receipt, type(None)), (Retry, Refused, ChannelDown, InDoubt)),
    "preview_message": Contract("senders", 0.0, (MessagePreview, type(None)), (Refused,), optional=True),
    "manage_template": Contract(
        "senders", 30.0, (TemplateState, type(None)), (Retry, Refused, ChannelDown), optional=True
    ),
    "poll_orders": Contract("pollers", 60.0, (PolledOrder,), (Retry, ChannelDown)),
    "create_checkout": Contract("checkouts", 4.0, (Checkout, type(None)), (Retry, Refused, ChannelDown)),
    "run_step": Contract("plugins", 30.0, (Outcome,), (Retry,)),
    "template_filters": Contract(None, 0.0, (Mapping,), ()),
    "event_finished": Contract(None, 5.0, (type(None),), ()),
    "diagnose": Contract(None, 20.0, (Finding,), ()),
    "erase_person": Contract(None, 30.0, (type(None),), (Retry,)),
    "start": Contract(None, 30.0, (type(None),), ()),
    "stop": Contract(None, 10.0, (type(None),), ()),
}

_SYNCHRONOUS = frozenset({"verify_request", "sign_request", "preview_message", "template_filters"})
STREAMS = frozenset({"poll_orders", "diagnose"})
"""Hooks that answer with a stream."""

_CLOSE_TIME_LIMIT_SECONDS = 10.0
_END = object()
"""What a stream gives after its last answer; no plugin can."""


class _Bound(Generic[R]):
    """What all kinds of hooks have in common."""

    __slots__ = (
        "_argument_indexes",
        "_contract",
        "_function",
        "_hook",
        "_limit_seconds",
        "_takes_all",
        "instance",
        "place",
    )

    def __init__(self, hook: str, instance: PluginInstance, implementation: pluggy.HookImpl) -> None:
        spec_arguments = list(inspect.signature(getattr(HookSpecs, hook)).parameters)[1:]
        self._hook = hook
        self._contract = CONTRACTS[hook]
        self._function: Callable[..., Any] = implementation.function
        self._takes_all = list(implementation.argnames) == spec_arguments
        self._argument_indexes = [spec_arguments.index(name) for name in implementation.argnames]
        self._limit_seconds = instance.time_limit_seconds or self._contract.limit_seconds
        self.instance = instance
        self.place = instance.place
        wanted = "`async def` with `yield`" if hook in STREAMS else "`def`" if hook in _SYNCHRONOUS else "`async def`"
        if _written_as(self._function) != wanted:
            raise PluginError(f"{self.place}: {hook} must be {wanted}")

    def _call(self, args: tuple[object, ...]) -> Any:  # noqa: ANN401 - this is the pluggy edge
        """Hand over the arguments that the plugin takes."""
        if self._takes_all:
            return self._function(*args)
        return self._function(*[args[index] for index in self._argument_indexes])

    def _checked(self, answer: Any) -> R:  # noqa: ANN401 - this is the pluggy edge
        if not isinstance(answer, self._contract.answers):
            wanted = " or ".join("None" if t is type(None) else t.__name__ for t in self._contract.answers)
            raise self._failed(f"{self._hook} answered {type(answer).__name__}, not {wanted}")
        return cast("R", answer)

    async def _within_limit(self, answer: Awaitable[Any]) -> Any:  # noqa: ANN401 - likewise
        """Wait for the plugin, and turn whatever its hook does not document into its failure."""
        limit = asyncio.timeout(self._limit_seconds)
        try:
            async with limit:
                answered = await answer
                self._look_at_the_clock(limit)
                return answered
        except self._contract.raises:
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling() > 0:
                raise  # this call is to end, not only something that the plugin waited for
            raise self._failed(f"{self._hook} waited for something that was cancelled") from error
        except (Exception, SystemExit) as error:
            if limit.expired():
                raise self._failed(f"no answer to {self._hook} within {self._limit_seconds:g} s") from error
            raise self._failed(f"{type(error).__name__} in {self._hook}: {error}") from error

    def _look_at_the_clock(self, limit: asyncio.Timeout) -> None:
        """Tell of an answer that comes after its time: nothing could break it off, so nothing else was done either."""
        deadline = limit.when()
        if deadline is not None and asyncio.get_running_loop().time() > deadline and not limit.expired():
            structlog.get_logger("shopbot.plugins").warning(
                "plugin_blocked",
                plugin=self.place,
                what=f"{self._hook} let nothing else run for longer than its {self._limit_seconds:g} s",
                what_to_do="await what takes time, or hand it to asyncio.to_thread; or did the machine stand still?",
            )

    def _failed(self, what: str) -> PluginFailedError:
        structlog.get_logger("shopbot.plugins").warning("plugin_failed", plugin=self.place, what=what, exc_info=True)
        return PluginFailedError(self.place, what)


class Hook(_Bound[R], Generic[P, R]):
    """One plugin's answer to one hook, called with the hookspec's arguments in their order."""

    __slots__ = ()

    def compute(self, *args: P.args, **_kwargs: P.kwargs) -> R:
        """Call a hook that only computes.

        Raises:
            PluginFailedError: for any exception that the hook does not document.
        """
        try:
            answer = self._call(args)
        except self._contract.raises:
            raise
        except (Exception, SystemExit) as error:
            raise self._failed(f"{type(error).__name__} in {self._hook}: {error}") from error
        return self._checked(answer)

    async def __call__(self, *args: P.args, **_kwargs: P.kwargs) -> R:
        """Call an asynchronous hook within its time limit.

        Raises:
            PluginFailedError: for any exception that the hook does not document, and for the time limit.
        """
        return self._checked(await self._within_limit(self._call(args)))


class StreamHook(_Bound[R], Generic[P, R]):
    """One plugin's stream of answers to one hook."""

    __slots__ = ()

    async def __call__(self, *args: P.args, **_kwargs: P.kwargs) -> AsyncGenerator[R, None]:
        """Go through the stream; each step has the hook's time limit, and what the caller does counts for nothing.

        A caller that may break off closes it (`contextlib.aclosing`), which ends the plugin's generator, too.

        Raises:
            PluginFailedError: for any exception that the hook does not document, and for the time limit.
        """
        stream: AsyncGenerator[Any, None] = self._call(args)
        try:
            while (answer := await self._within_limit(anext(stream, _END))) is not _END:
                yield self._checked(answer)
        finally:
            await self._close(stream)

    async def _close(self, stream: AsyncGenerator[Any, None]) -> None:
        limit = asyncio.timeout(_CLOSE_TIME_LIMIT_SECONDS)
        try:
            async with limit:
                await stream.aclose()
        except Exception as error:  # noqa: BLE001 - the plugin's own clean-up; it is logged, and the poll has ended
            self._failed(f"{type(error).__name__} when {self._hook} was closed: {error}")


def _written_as(function: Callable[..., Any]) -> str:
    if inspect.isasyncgenfunction(function):
        return "`async def` with `yield`"
    return "`async def`" if inspect.iscoroutinefunction(function) else "`def`"
