"""The one typed facade over pluggy: YAML order, time limits, fault isolation.

pluggy checks the contract (known hook names, known argument names); the calls go to each plugin directly.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pluggy

from shopbot.discovery import PluginError
from shopbot.hook_call import CONTRACTS, STREAMS, Hook, PluginFailedError, PluginInstance, StreamHook
from shopbot.hookspecs import HookSpecs
from shopbot.plugin import (
    CartResult,
    Checkout,
    CheckoutRequest,
    Context,
    Event,
    Examination,
    Finding,
    InboundRequest,
    MessagePreview,
    Order,
    Origin,
    OutboundMessage,
    Outcome,
    PersonToErase,
    PolledOrder,
    Receipt,
    Rejected,
    Resolution,
    Run,
    TemplateDefinition,
    TemplateState,
    Verified,
)


class Hooks:
    """All plugins of one host, behind one typed callable per plugin and hook, in the order of shopbot.yaml."""

    def __init__(self, instances: Sequence[PluginInstance]) -> None:
        """Hold the instances against the contract.

        Raises:
            PluginError: a misspelled hook or argument, an `async def` where a plain one belongs or the reverse, an
                entry in a section whose hook it does not have. The message names the plugin.
        """
        self._instances = tuple(instances)
        self._implementations = [_implementations(instance) for instance in self._instances]
        self.verifiers: Sequence[Hook[[InboundRequest], Verified | None]] = self._hooks("verify_request")
        self.signers: Sequence[Hook[[InboundRequest], Sequence[Mapping[str, str]] | None]] = self._hooks("sign_request")
        self.resolvers: Sequence[Hook[[Order], Resolution | None]] = self._hooks("resolve_psid")
        self.carts: Sequence[Hook[[str, Order], CartResult]] = self._hooks("clear_cart")
        self.senders: Sequence[Hook[[OutboundMessage], Receipt | None]] = self._hooks("send_message")
        self.previewers: Sequence[Hook[[OutboundMessage], MessagePreview | None]] = self._hooks("preview_message")
        self.template_managers: Sequence[Hook[[TemplateDefinition, bool], TemplateState | None]] = self._hooks(
            "manage_template"
        )
        self.pollers: Sequence[StreamHook[[datetime], PolledOrder]] = self._hooks("poll_orders")
        self.checkouts: Sequence[Hook[[CheckoutRequest], Checkout | None]] = self._hooks("create_checkout")
        self.observers: Sequence[Hook[[Event, Run], None]] = self._hooks("event_finished")
        self.examined: Sequence[StreamHook[[Examination], Finding]] = self._hooks("diagnose")
        self.erasers: Sequence[Hook[[PersonToErase], None]] = self._hooks("erase_person")
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

    def verify(self, request: InboundRequest) -> str:
        """Ask the verifiers in order; gives which one vouches for the request, as `Event.verified_by` names it.

        Raises:
            Rejected: one refused the request, or none vouches for it.
            PluginFailedError: one failed; nothing is known about the request.
        """
        for verifier in self.verifiers:
            verified = verifier.compute(request)
            if verified is not None:
                return f"{verifier.place}, secret {verified.secret_index + 1}"
        raise Rejected(403, f"no verifier is configured for {request.route} requests")

    def judges(self, route: Origin) -> bool:
        """Say whether any verifier judges requests on *route*, so that they can be taken at all."""
        nothing = InboundRequest(route=route, headers={}, body=b"", method="GET")
        for verifier in self.verifiers:
            try:
                if verifier.compute(nothing) is not None:
                    return True
            except (Rejected, PluginFailedError):
                return True
        return False

    async def start(self, context: Callable[[PluginInstance], Context]) -> None:
        """Start all plugins in order, each with a context of its own.

        Raises:
            PluginError: one could not start; those before it have been stopped.
        """
        starts = {hook.place: hook for hook in self._starts}
        try:
            for instance in self._instances:
                hook = starts.get(instance.place)
                if hook is not None:
                    await hook(context(instance))
                self._started.append(instance)
        except PluginFailedError as error:
            await self.stop()
            raise PluginError(f"plugin could not start: {error}") from error
        except BaseException:
            await self.stop()
            raise

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
        kind = StreamHook if name in STREAMS else Hook
        section = CONTRACTS[name].section
        return tuple(
            kind(name, instance, implementations[name])
            for instance, implementations in zip(self._instances, self._implementations, strict=True)
            if name in implementations and section in (None, instance.section)
        )

    def _check_sections(self) -> None:
        for hook, contract in CONTRACTS.items():
            if contract.section in (None, "plugins") or contract.optional:
                continue
            places = {found.place for found in self._hooks(hook)}
            for instance in self._instances:
                if instance.section == contract.section and instance.place not in places:
                    raise PluginError(
                        f"{instance.place}: '{instance.name}' has no {hook} hook and cannot stand under"
                        f" `{contract.section}:`"
                    )


def _implementations(instance: PluginInstance) -> Mapping[str, pluggy.HookImpl]:
    """Hold one instance against the contract, and give its implementation of each hook that it has."""
    # A manager for each: pluggy takes two plugins that compare equal for the same one, and two entries of shopbot.yaml
    # may well be equal (a dataclass).
    manager = pluggy.PluginManager("shopbot")
    manager.add_hookspecs(HookSpecs)
    try:
        manager.register(instance.plugin, name=instance.place)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{instance.place}: {_explain(instance.plugin, error)}") from error
    return {name: found[0] for name in CONTRACTS if (found := getattr(manager.hook, name).get_hookimpls())}


def misspelled_hook(plugin: type) -> str | None:
    """Say which method of a plugin's class is marked as a hook and is none, and which one was probably meant."""
    known = [name for name in vars(HookSpecs) if not name.startswith("_")]
    for name in dir(plugin):
        if hasattr(getattr(plugin, name, None), "shopbot_impl") and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; hooks are: {', '.join(known)}"
            return f"unknown hook '{name}'{hint}"
    return None


def _explain(plugin: object, error: pluggy.PluginValidationError) -> str:
    # pluggy's own text goes on for several lines; what is wrong stands in the last one.
    known = misspelled_hook(type(plugin)) or _surplus_argument(type(plugin))
    return known or str(error).strip().splitlines()[-1].strip()


def _surplus_argument(plugin: type) -> str | None:
    """Say which hook asks for an argument that it is not given, and what it is given."""
    for name, hook in vars(HookSpecs).items():
        method = getattr(plugin, name, None)
        if method is None or not hasattr(method, "shopbot_impl"):
            continue
        given = [argument for argument in inspect.signature(hook).parameters if argument != "self"]
        for argument in inspect.signature(method).parameters:
            if argument not in {"self", *given}:
                arguments = " and ".join(given) or "no argument"
                return f"{name} is given {arguments}, and not '{argument}': arguments go by their names"
    return None


__all__ = ["Hook", "Hooks", "PluginFailedError", "PluginInstance", "StreamHook"]
