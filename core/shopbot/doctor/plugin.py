"""Asks one plugin how the outside looks, and its sender how the templates stand."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from shopbot.discovery import PluginError
from shopbot.doctor.templates import TemplatesCheck
from shopbot.hooks import Hooks, PluginFailedError, PluginInstance
from shopbot.host.log_masks import masked
from shopbot.model.examination import Examination
from shopbot.model.finding import Finding
from shopbot.model.template import TemplateDefinition
from shopbot.plugin import Context


class PluginCheck:
    """One entry of shopbot.yaml, started for the examination alone."""

    def __init__(
        self,
        instance: PluginInstance,
        context: Callable[[PluginInstance], Context],
        examination: Examination,
        templates: Sequence[TemplateDefinition],
    ) -> None:
        self._instance = instance
        self._hooks = Hooks([instance])
        self._context = context
        self._examination = examination
        self._templates = templates

    async def look(self) -> AsyncGenerator[Finding, None]:
        """Start the plugin, ask it, and stop it."""
        try:
            await self._hooks.start(self._context)
        except PluginError as error:
            yield Finding.problem(
                masked(str(error)),
                meaning="the host does not start with it",
                to_do="mend what the message names; `shopbot plugins` shows the plugin's manual",
            )
            return
        try:
            for hook in self._hooks.examined:
                async for finding in _answers(hook(self._examination), self._instance.place):
                    yield finding
            for manager in self._hooks.template_managers:
                if self._templates:
                    async with aclosing(TemplatesCheck(manager, self._templates).look()) as findings:
                        async for finding in findings:
                            yield finding
        finally:
            await self._hooks.stop()


async def _answers(findings: AsyncGenerator[Finding, None], place: str) -> AsyncGenerator[Finding, None]:
    """Go through what a plugin finds; its fault is one more finding."""
    try:
        async with aclosing(findings):
            async for finding in findings:
                yield finding
    except PluginFailedError as error:
        yield Finding.problem(
            f"{place} broke off: {masked(error.what)}",
            meaning="what it had not looked at yet is not known",
            to_do="run doctor again; if it stays, tell whoever wrote the plugin",
        )
