"""The one typed facade over pluggy: YAML order, time limits, fault isolation.

pluggy checks the contract (known hook names, known argument names); the calls go to each plugin directly.
"""

import asyncio
import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar, cast

import pluggy
import structlog

from shopbot.discovery import PluginError
from shopbot.hookspecs import HookSpecs
from shopbot.plugin import (
    CartResult,
    ChannelDown,
    Context,
    Event,
    InboundRequest,
    InDoubt,
    Order,
    OutboundMessage,
    Outcome,
    Receipt,
    Refused,
    Rejected,
    Resolution,
    Retry,
    Run,
    Verified,
)

P = ParamSpec("P")
R = TypeVar("R")

SYNCHRONOUS_HOOKS = frozenset({"verify_request", "template_filters"})


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


@dataclass(frozen=True, slots=True)
class _Contract:
    """What the facade holds every answer to a hook against."""

    section: str | None
    """The YAML list whose plugins are asked; None asks all."""
    limit_seconds: float
    answers: tuple[type, ...]
    raises: tuple[type[Exception], ...]


_CONTRACTS: Mapping[str, _Contract] = {
    "verify_request": _Contract("verify", 0.0, (Verified, type(None)), (Rejected,)),
    "resolve_psid": _Contract("resolvers", 5.0, (Resolution, type(None)), (Retry,)),
    "clear_cart": _Contract("carts", 5.0, (CartResult,), (Retry,)),
    "send_message": _Contract("senders", 60.0, (Receipt, type(None)), (Retry, Refused, ChannelDown, InDoubt)),
    "run_step": _Contract("plugins", 30.0, (Outcome,), (Retry,)),
    "template_filters": _Contract(None, 0.0, (Mapping,), ()),
    "event_finished": _Contract(None, 5.0, (type(None),), ()),
    "start": _Contract(None, 30.0, (type(None),), ()),
    "stop": _Contract(None, 10.0, (type(None),), ()),
}


class Hook(Generic[P, R]):
    """One plugin's answer to one hook, called with the hookspec's arguments in their order."""

    __slots__ = (
        "_argument_indexes",
        "_contract",
        "_function",
        "_hook",
        "_limit_seconds",
        "instance",
        "place",
    )

    def __init__(self, hook: str, instance: PluginInstance, implementation: pluggy.HookImpl) -> None:
        spec_arguments = list(inspect.signature(getattr(HookSpecs, hook)).parameters)[1:]
        self._hook = hook
        self._contract = _CONTRACTS[hook]
        self._function: Callable[..., Any] = implementation.function
        self._argument_indexes = [spec_arguments.index(name) for name in implementation.argnames]
        self._limit_seconds = instance.time_limit_seconds or self._contract.limit_seconds
        self.instance = instance
        self.place = instance.place
        if inspect.iscoroutinefunction(self._function) == (hook in SYNCHRONOUS_HOOKS):
            wanted = "def" if hook in SYNCHRONOUS_HOOKS else "async def"
            raise PluginError(f"{self.place}: {hook} must be `{wanted}`")

    def compute(self, *args: P.args, **_kwargs: P.kwargs) -> R:
        """Call a hook that only computes.

        Raises:
            PluginFailedError: for any exception that the hook does not document.
        """
        try:
            answer = self._function(*[args[index] for index in self._argument_indexes])
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
        limit = asyncio.timeout(self._limit_seconds)
        try:
            async with limit:
                answer = await self._function(*[args[index] for index in self._argument_indexes])
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
        return self._checked(answer)

    def _checked(self, answer: Any) -> R:  # noqa: ANN401 - this is the pluggy edge
        if not isinstance(answer, self._contract.answers):
            wanted = " or ".join("None" if t is type(None) else t.__name__ for t in self._contract.answers)
            raise self._failed(f"{self._hook} answered {type(answer).__name__}, not {wanted}")
        return cast("R", answer)

    def _failed(self, what: str) -> PluginFailedError:
        structlog.get_logger("shopbot.plugins").warning("plugin_failed", plugin=self.place, what=what, exc_info=True)
        return PluginFailedError(self.place, what)


class Hooks:
    """All plugins of one host, behind one typed callable per plugin and hook, in the order of shopbot.yaml."""

    def __init__(self, instances: Sequence[PluginInstance]) -> None:
        """Hold the instances against the contract.

        Raises:
            PluginError: a misspelled hook or argument, an `async def` where a plain one belongs or the reverse, an
                entry in a section whose hook it does not have. The message names the plugin.
        """
        self._manager = pluggy.PluginManager("shopbot")
        self._manager.add_hookspecs(HookSpecs)
        self._instances = tuple(instances)
        for instance in self._instances:
            _register(self._manager, instance)
        self.verifiers: Sequence[Hook[[InboundRequest], Verified | None]] = self._hooks("verify_request")
        self.resolvers: Sequence[Hook[[Order], Resolution | None]] = self._hooks("resolve_psid")
        self.carts: Sequence[Hook[[str, Order], CartResult]] = self._hooks("clear_cart")
        self.senders: Sequence[Hook[[OutboundMessage], Receipt | None]] = self._hooks("send_message")
        self.observers: Sequence[Hook[[Event, Run], None]] = self._hooks("event_finished")
        steps: Sequence[Hook[[Event, Run], Outcome]] = self._hooks("run_step")
        self.steps: Mapping[str, Hook[[Event, Run], Outcome]] = {s.instance.name: s for s in steps}
        self._starts: Sequence[Hook[[Context], None]] = self._hooks("start")
        self._stops: Sequence[Hook[[], None]] = self._hooks("stop")
        self._started: list[PluginInstance] = []
        self._check_sections()

    @property
    def places(self) -> Sequence[str]:
        """Name all instances, in the order of shopbot.yaml."""
        return [instance.place for instance in self._instances]

    def filters(self) -> Mapping[str, Callable[..., object]]:
        """Collect the template filters of all plugins.

        Raises:
            PluginError: two plugins bring the same name, or one fails.
        """
        merged: dict[str, Callable[..., object]] = {}
        hooks: Sequence[Hook[[], Mapping[str, Callable[..., object]]]] = self._hooks("template_filters")
        for hook in hooks:
            try:
                brought = hook.compute()
            except PluginFailedError as error:
                raise PluginError(str(error)) from error
            for name, function in brought.items():
                if name in merged:
                    raise PluginError(f"{hook.place}: another plugin already brings the filter '{name}'")
                merged[name] = function
        return merged

    def verify(self, request: InboundRequest) -> Verified:
        """Ask the verifiers in order.

        Raises:
            Rejected: one refused the request, or none vouches for it.
            PluginFailedError: one failed; nothing is known about the request.
        """
        for verifier in self.verifiers:
            verified = verifier.compute(request)
            if verified is not None:
                return verified
        raise Rejected(403, f"no verifier is configured for {request.route} requests")

    async def start(self, context: Callable[[PluginInstance], Context]) -> None:
        """Start all plugins in order, each with a context of its own.

        Raises:
            PluginError: one could not start; those before it have been stopped.
        """
        starts = {hook.place: hook for hook in self._starts}
        for instance in self._instances:
            hook = starts.get(instance.place)
            if hook is not None:
                try:
                    await hook(context(instance))
                except PluginFailedError as error:
                    await self.stop()
                    raise PluginError(f"plugin could not start: {error}") from error
            self._started.append(instance)

    async def stop(self) -> None:
        """Stop the started plugins, last started first; a fault in one does not keep the others from stopping."""
        stops = {hook.place: hook for hook in self._stops}
        while self._started:
            hook = stops.get(self._started.pop().place)
            if hook is not None:
                try:
                    await hook()
                except PluginFailedError:
                    continue  # it is logged, and shutting down goes on

    def _hooks(self, name: str) -> Any:  # noqa: ANN401 - this is the pluggy edge
        section = _CONTRACTS[name].section
        implementations = {impl.plugin: impl for impl in getattr(self._manager.hook, name).get_hookimpls()}
        return tuple(
            Hook(name, instance, implementations[instance.plugin])
            for instance in self._instances
            if instance.plugin in implementations and section in (None, instance.section)
        )

    def _check_sections(self) -> None:
        for hook, contract in _CONTRACTS.items():
            if contract.section in (None, "plugins"):
                continue
            places = {found.place for found in self._hooks(hook)}
            for instance in self._instances:
                if instance.section == contract.section and instance.place not in places:
                    raise PluginError(
                        f"{instance.place}: '{instance.name}' has no {hook} hook and cannot stand under"
                        f" `{contract.section}:`"
                    )


def _register(manager: pluggy.PluginManager, instance: PluginInstance) -> None:
    try:
        manager.register(instance.plugin, name=instance.place)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{instance.place}: {_explain(instance.plugin, error)}") from error


def _explain(plugin: object, error: pluggy.PluginValidationError) -> str:
    known = [name for name in vars(HookSpecs) if not name.startswith("_")]
    for name in dir(type(plugin)):
        if hasattr(getattr(type(plugin), name, None), "shopbot_impl") and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; hooks are: {', '.join(known)}"
            return f"unknown hook '{name}'{hint}"
    # pluggy's own text goes on for several lines; what is wrong stands in the last one.
    return str(error).strip().splitlines()[-1].strip()


__all__ = ["Hook", "Hooks", "PluginFailedError", "PluginInstance"]
