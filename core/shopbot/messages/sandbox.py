"""Messages and `if:` expressions from merchants, compiled once and rendered without risk to the host.

The language is Jinja's (https://jinja.palletsprojects.com/en/stable/templates/) without what a message does not
need; `template_language` has the list. A template reads plain data and the fields of models, calls macros, filters
and the methods of texts, and stops at the limits in `template_budget`. There is no I/O while rendering.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Final

from jinja2 import nodes
from jinja2.environment import Template, TemplateExpression
from jinja2.meta import find_referenced_templates

from shopbot.messages.filters import FORMATTING_KEY, Formatting
from shopbot.messages.locales import babel_locale, likely_tag
from shopbot.messages.template_budget import BUDGET_KEY, Budget
from shopbot.messages.template_environment import MessageEnvironment, TemplateDirectories, checked_source
from shopbot.messages.template_error import TemplateError, explain
from shopbot.messages.template_language import TEMPLATE_SUFFIX, check_name, did_you_mean
from shopbot.messages.template_reading import names_read, slips
from shopbot.messages.template_values import check_length

__all__ = ["CompiledTemplate", "Expression", "TemplateError", "TemplateSandbox"]

_MAX_CHAINS: Final = 1000
"""Remembered choices of a language: shoppers' browsers could name more, and each costs only a look at the disk."""


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template, ready to be rendered by the sandbox that compiled it."""

    name: str
    """The file's name, or the name that `compile_text` was given: where errors are reported."""
    locale: str | None
    """The language to write dates and amounts in, which is the text's own; None where it is not known."""
    template: Template


@dataclass(frozen=True, slots=True)
class Reading:
    """What a template reads, whichever way it goes."""

    slips: Sequence[TemplateError]
    """Names and fields that do not exist, though it reads them without asking."""
    names: frozenset[str]
    """The names that it starts from, such as `order`; those that it sets itself included."""


class Expression:
    """A compiled `if:` expression."""

    def __init__(self, name: str, expression: TemplateExpression) -> None:
        self._name = name
        self._expression = expression

    def evaluate(self, context: Mapping[str, object]) -> bool:
        """Say whether it holds for the names in *context*; raises TemplateError where that cannot be said."""
        try:
            return bool(self._expression(_full_context(context, None, UTC)))
        except Exception as error:
            failure = explain(error, self._name, context)
            raise TemplateError(failure.message, None, self._name) from error


class TemplateSandbox:
    """Compiles and renders templates.

    directories: where template files are, the merchant's own first. What is not there is passed over.
    filters, tests: from plugins, by name, as Jinja calls them; decorate with `jinja2.pass_context` for the context.

    Files are read when they are compiled, together with those that they include, and then kept: to read them
    anew, make another sandbox.

    Raises:
        ValueError: a plugin's filter or test has a name that is taken.
    """

    def __init__(
        self,
        directories: Sequence[Path],
        *,
        filters: Mapping[str, Callable[..., object]] | None = None,
        tests: Mapping[str, Callable[..., object]] | None = None,
    ) -> None:
        self._files = TemplateDirectories(directories)
        self._environment = MessageEnvironment(self._files, filters or {}, tests or {})
        self._texts: dict[tuple[str, str], CompiledTemplate] = {}
        self._localised: dict[tuple[str, tuple[str, ...]], CompiledTemplate] = {}

    def compile_text(self, source: str, name: str) -> CompiledTemplate:
        """Compile a template that stands in the configuration; *name* says where, for errors.

        Raises TemplateError for what cannot be compiled: syntax, an unknown filter, a missing file to include.
        """
        known = self._texts.get((name, source))
        if known is not None:
            return known
        try:
            code = self._environment.compile(checked_source(source, name), name)
            template = Template.from_code(self._environment, code, self._environment.make_globals(None))
        except Exception as error:
            raise explain(error, name, ()) from error
        self._texts[name, source] = compiled = CompiledTemplate(name, None, template)
        return compiled

    def compile_file(self, name: str) -> CompiledTemplate:
        """Compile a file of the template directories, such as `order_confirmation.txt.j2`.

        Raises TemplateError as `compile_text` does, and when there is no such file.
        """
        return self._compile_file(name, None)

    def find_localised(self, name: str, locales: Sequence[str]) -> CompiledTemplate:
        """Compile the file for the first language that has one: for `de`, `order_confirmation.de.txt.j2`.

        name: of the default, without a language. locales: as `locale_chain` lists them, best first; their spelling
        must be the usual one. For a bare language its largest region counts, too: `pt-BR` for `pt`. The default is
        taken when none of them has a file. The first directory that has any of these files decides, so that one text
        of the merchant's replaces all bundled translations.

        The result's `locale` is the best one of the file's language; the default is taken to be in the shop's, which
        is the last of *locales*. Raises TemplateError as `compile_file` does.
        """
        key = (name, tuple(locales))
        if key not in self._localised:
            if len(self._localised) >= _MAX_CHAINS:
                self._localised.clear()
            self._localised[key] = self._find_localised(name, locales)
        return self._localised[key]

    def translations(self, name: str) -> list[str]:
        """List the files that `find_localised` may choose for *name*, so that a check can compile each of them.

        Raises TemplateError for a name that could leave the template directories.
        """
        try:
            return self._files.translations(name)
        except ValueError as error:
            raise TemplateError(str(error), None, name) from error

    def path(self, template: CompiledTemplate) -> Path | None:
        """Say where a template's file is; None for one that stands in the configuration."""
        try:
            return self._files.find(template.name)
        except ValueError:
            return None

    def compile_expression(self, source: str, name: str = "if") -> Expression:
        """Compile an expression, as it stands behind `if:`; *name* says where, for errors.

        A name or field that does not exist is an error, not false: a misspelt rule must not silently skip orders.
        Ask for what may be absent with `is defined`, as in `order.customer is not none and event.topic is defined`;
        a field that exists and is empty is `none`.

        Raises TemplateError for what is no expression.
        """
        if source.lstrip().startswith(("{{", "{%")):
            raise TemplateError("an expression stands without {{ }}, as in `order.total.amount > 100`", None, name)
        try:
            compiled = self._environment.compile_expression(checked_source(source, name), undefined_to_none=False)
        except Exception as error:
            raise TemplateError(explain(error, name, ()).message, None, name) from error
        return Expression(name, compiled)

    def render(
        self,
        template: CompiledTemplate,
        context: Mapping[str, object],
        *,
        locale: str | None = None,
        timezone: tzinfo = UTC,
    ) -> str:
        """Render a template with the names in *context*.

        locale: the language for dates and amounts; None: the template's own, or English where it is not known.
        timezone: the shop's, for moments. Raises TemplateError for anything that goes wrong.
        """
        try:
            values = _full_context(context, locale or template.locale, timezone)
            pieces: list[str] = []
            length = 0
            for piece in template.template.root_render_func(template.template.new_context(values)):
                length += len(piece)
                check_length(length)
                pieces.append(piece)
        except Exception as error:
            raise explain(error, template.name, context) from error
        return "".join(pieces)

    def read_file(self, name: str, known: Mapping[str, object]) -> Reading:
        """Look at every branch of a file, and of those that it takes in, without rendering it.

        known: what the context will hold, by name, as `template_reading.example_of` makes it. What cannot be compiled
        reads nothing: compiling it says what is wrong.
        """
        return self._read(lambda: self.compile_file(name), name, lambda: self._files.source(name), known)

    def read_text(self, source: str, name: str, known: Mapping[str, object]) -> Reading:
        """Do as `read_file`, for a template that stands in the configuration."""
        return self._read(lambda: self.compile_text(source, name), name, lambda: source, known)

    def read_expression(self, source: str, known: Mapping[str, object], name: str = "if") -> Reading:
        """Do as `read_file`, for an expression."""
        return self._read(lambda: self.compile_expression(source, name), name, lambda: f"{{{{ {source} }}}}", known)

    def _read(
        self, compiled: Callable[[], object], name: str, source: Callable[[], str], known: Mapping[str, object]
    ) -> Reading:
        try:
            compiled()
        except TemplateError:
            return Reading((), frozenset())
        trees: dict[str, nodes.Template] = {}
        waiting = {name: source()}
        while waiting:
            part, text = waiting.popitem()
            tree = trees[part] = self._environment.parse(text, part)
            named = {str(other) for other in find_referenced_templates(tree)} - trees.keys()
            waiting |= {other: self._files.source(other) for other in named if not self._missing(other)}
        found = slips(list(trees.values()), known, self._environment.globals)
        return Reading(
            slips=[
                TemplateError(slip.message, slip.line, part)
                for part, several in zip(trees, found, strict=True)
                for slip in several
            ],
            names=frozenset(name for tree in trees.values() for name in names_read(tree)),
        )

    def _find_localised(self, name: str, locales: Sequence[str]) -> CompiledTemplate:
        try:
            tags = dict.fromkeys(tag for locale in locales for tag in (locale, likely_tag(locale)) if tag is not None)
            candidates = {_localised(check_name(name), tag): tag for tag in tags}
            found = self._files.find_first([*candidates, name]) or name
        except ValueError as error:
            raise TemplateError(str(error), None, name) from error
        if not locales:
            return self._compile_file(found, None)
        language = candidates.get(found, locales[-1]).partition("-")[0]
        best = next(locale for locale in locales if locale.partition("-")[0] == language)
        return self._compile_file(found, best)

    def _compile_file(self, name: str, locale: str | None) -> CompiledTemplate:
        try:
            return CompiledTemplate(name, locale, self._environment.get_template(check_name(name)))
        except Exception as error:
            failure = explain(error, name, ())
            if self._missing(name):
                suggestion = did_you_mean(name, self._files.list_templates())
                failure = TemplateError(f"there is no such template{suggestion}", None, name)
            raise failure from error

    def _missing(self, name: str) -> bool:
        try:
            return self._files.find(name) is None
        except ValueError:
            return False


def _full_context(context: Mapping[str, object], locale: str | None, timezone: tzinfo) -> dict[str, object]:
    formatting = Formatting(babel_locale(locale), timezone)
    return {**context, FORMATTING_KEY: formatting, BUDGET_KEY: Budget()}


def _localised(name: str, locale: str) -> str:
    """Put a language into a file's name: `mails/order.txt.j2` → `mails/order.de.txt.j2`."""
    folder, slash, file = name.rpartition("/")
    stem, _, suffixes = file.partition(".")
    return check_name(f"{folder}{slash}{stem}.{locale}.{suffixes or TEMPLATE_SUFFIX[1:]}")
