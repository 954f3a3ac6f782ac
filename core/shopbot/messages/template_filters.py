"""The filters and tests that templates have: Jinja's useful and harmless ones, ours, and those of plugins.

Each is wrapped: what goes in is charged to the rendering's budget, what comes out is bounded, and a failure says
which filter failed. Left out are filters for HTML (`escape`, `safe`, `tojson`, `urlize`…), since messages are plain
text, `attr` and `pprint`, which serve to explore objects, and `random`, since a retry must write the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from jinja2 import pass_context
from jinja2.exceptions import TemplateRuntimeError
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import Context
from jinja2.tests import TESTS as JINJA_TESTS

from shopbot.messages import filters as shop_filters
from shopbot.messages.filters import Formatting
from shopbot.messages.template_budget import (
    FILTERED_CHARACTERS_PER_STEP,
    STEPS_PER_FORMATTING,
    Budget,
    LimitReachedError,
)
from shopbot.messages.template_operations import check_replace, check_trimmed, check_width, percent_format
from shopbot.messages.template_values import NotTextError, admit, check_length, describe, size_of, size_of_all, text_of

MAX_GROUPS: Final = 1000

_TEXT_FILTERS: Final = frozenset({
    "capitalize", "center", "indent", "lower", "replace", "striptags", "title", "trim", "truncate", "upper",
    "urlencode", "wordcount", "wordwrap"
})  # fmt: skip
"""Those that Jinja applies to `str(value)`: here to the text that a message would show, with plain arguments."""
_OTHER_FILTERS: Final = frozenset({
    "abs", "batch", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items", "last",
    "length", "list", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "select", "selectattr",
    "slice", "sort", "unique"
})  # fmt: skip
_TESTS: Final = frozenset(JINJA_TESTS) - {"callable", "escaped", "filter", "test"}


class FilterFailedError(TemplateRuntimeError):
    """A filter could not do its work; the message names it."""


def message_filters(plugin_filters: Mapping[str, Callable[..., object]]) -> dict[str, Callable[..., object]]:
    """Assemble all filters, those of plugins included; raises ValueError when a plugin's name is taken."""
    found: dict[str, Callable[..., object]] = {}
    for name in _TEXT_FILTERS:
        found[name] = _guarded(name, JINJA_FILTERS[name], takes_text=True)
    for name in _OTHER_FILTERS:
        found[name] = _guarded(name, JINJA_FILTERS[name])
    for name, function in _OWN.items():
        found[name] = _guarded(name, function)
    for name, function in shop_filters.FILTERS.items():
        found[name] = _guarded(name, function, steps=STEPS_PER_FORMATTING)
    for name, function in plugin_filters.items():
        if name in found:
            raise ValueError(f"the filter '{name}' exists already; a plugin's filter needs another name")
        found[name] = _guarded(name, function)
    return found


def message_tests(plugin_tests: Mapping[str, Callable[..., object]]) -> dict[str, Callable[..., Any]]:
    """Assemble all tests (`x is odd`); raises ValueError when a plugin's name is taken."""
    builtin: Mapping[str, Any] = JINJA_TESTS
    found: dict[str, Callable[..., Any]] = {name: builtin[name] for name in _TESTS}
    for name, function in plugin_tests.items():
        if name in found:
            raise ValueError(f"the test '{name}' exists already; a plugin's test needs another name")
        found[name] = function
    return {name: _charged(name, function) for name, function in found.items()}


def _guarded(
    name: str, function: Callable[..., Any], *, takes_text: bool = False, steps: int = 1
) -> Callable[..., object]:
    wants = getattr(function, "jinja_pass_arg", None)  # set by Jinja's pass_context and its kin
    check = _CHECKS.get(name)

    @pass_context
    def apply(context: Context, value: object, /, *args: object, **options: object) -> object:
        budget = Budget.of(context)
        budget.spend(steps + _filtering_steps(value) + size_of_all((*args, *options.values())))
        if takes_text:
            value = text_of(value, Formatting.of(context))
            if any(not _is_plain(argument) for argument in (*args, *options.values())):
                raise NotTextError(f"the filter '{name}' takes texts and numbers")
        injected = () if wants is None else (getattr(_Injected(context), wants.name),)
        try:
            if check is not None:
                check(value, *args, **options)
            return admit(function(*injected, value, *args, **options), budget)
        except TemplateRuntimeError:
            raise
        except Exception as error:
            # Plugins' filters run here, too: whatever fails in one is the template's error, with its cause.
            raise FilterFailedError(f"the filter '{name}' failed: {describe(error)}") from error

    return apply


def _charged(name: str, test: Callable[..., Any]) -> Callable[..., Any]:
    wants = getattr(test, "jinja_pass_arg", None)

    @pass_context
    def apply(context: Context, value: object, /, *args: object, **options: object) -> bool:
        Budget.of(context).spend(size_of_all((value, *args, *options.values())))
        injected = () if wants is None else (getattr(_Injected(context), wants.name),)
        try:
            return bool(test(*injected, value, *args, **options))
        except TemplateRuntimeError:
            raise
        except Exception as error:
            # As above: plugins' tests run here, too.
            raise FilterFailedError(f"the test '{name}' failed: {describe(error)}") from error

    return apply


def _filtering_steps(value: object) -> int:
    if isinstance(value, str):
        return 1 + len(value) // FILTERED_CHARACTERS_PER_STEP
    return len(value) if isinstance(value, range) else size_of(value)


class _Injected:
    """What Jinja's decorators `pass_context`, `pass_eval_context` and `pass_environment` ask for, by their names."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.eval_context = context.eval_ctx
        self.environment = context.environment


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _check_indent(text: str, width: object = 4, *_flags: object, **_options: object) -> None:
    longest = len(width) if isinstance(width, str) else check_width(width)
    check_length(len(text) + (text.count("\n") + 1) * longest)


def _check_wordwrap(
    text: str, width: object = 79, _break_words: object = None, wrapstring: object = "\n", **_options: object
) -> None:
    if not isinstance(width, int) or width < 1:
        raise LimitReachedError("a width must be a number from 1")
    if isinstance(wrapstring, str):
        check_length(len(text) * (len(wrapstring) + 1))


def _check_groups(_value: object, count: object = None, *_fill: object, **options: object) -> None:
    count = options.get("linecount", options.get("slices", count))
    if not isinstance(count, int) or not 0 < count <= MAX_GROUPS:
        raise LimitReachedError(f"a number from 1 to {MAX_GROUPS} is needed")


def _check_round(_value: object, precision: object = 0, *_method: object, **_options: object) -> None:
    if not isinstance(precision, int) or abs(precision) > shop_filters.MAX_MAGNITUDE:
        raise LimitReachedError("the precision must be a small number")


_CHECKS: Final[Mapping[str, Callable[..., object]]] = MappingProxyType({
    "batch": _check_groups,
    "center": lambda _text, width=80: check_width(width),
    "indent": _check_indent,
    "replace": check_replace,
    "round": _check_round,
    "slice": _check_groups,
    "trim": check_trimmed,
    "wordwrap": _check_wordwrap,
})  # fmt: skip
"""What to look at before a filter runs; each takes the filter's own arguments."""


@pass_context
def _string(context: Context, value: object, /) -> str:
    return text_of(value, Formatting.of(context))


@pass_context
def _join(context: Context, value: Iterable[object], /, d: str = "", attribute: str | int | None = None) -> str:
    if attribute is not None:
        value = context.environment.call_filter("map", value, (), {"attribute": attribute}, context=context)
    formatting, budget, separator = Formatting.of(context), Budget.of(context), str(d)
    parts: list[str] = []
    length = 0
    for item in value:
        parts.append(text_of(item, formatting))
        length += len(parts[-1]) + len(separator)
        check_length(length)
        budget.spend(1)
    return separator.join(parts)


@pass_context
def _sum(context: Context, value: Iterable[Any], /, attribute: str | int | None = None, start: object = 0) -> object:
    if attribute is not None:
        value = context.environment.call_filter("map", value, (), {"attribute": attribute}, context=context)
    total: Any = start
    for item in value:
        if isinstance(item, str | list | tuple):
            raise NotTextError("sum adds numbers")
        total = admit(total + item, Budget.of(context))
    return total


def _format(value: object, /, *args: object, **options: object) -> str:
    return percent_format(str(value), options or args)


_OWN: Final[Mapping[str, Callable[..., object]]] = MappingProxyType({
    "format": _format,
    "join": _join,
    "string": _string,
    "sum": _sum,
})  # fmt: skip
"""Jinja's filters that would write Python's notation of a value, or add up what is no number."""
