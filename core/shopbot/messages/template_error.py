"""What went wrong in a template, for the merchant who wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from jinja2.environment import Template
from jinja2.exceptions import TemplateNotFound, TemplateRuntimeError, TemplateSyntaxError
from jinja2.utils import missing

from shopbot.messages.template_environment import MissingValueError
from shopbot.messages.template_language import did_you_mean
from shopbot.messages.template_values import describe, kind_called, kind_of, readable_names

_MAX_MESSAGE: Final = 300

_KINDS: Final = r"'(?:\w+\.)*(?P<left>\w+)' and '(?:\w+\.)*(?P<right>\w+)'"
_OPERANDS: Final = (
    re.compile(rf"'(?P<sign>\S+)' not supported between instances of {_KINDS}"),
    re.compile(rf"unsupported operand type\(s\) for (?P<sign>\S+)(?: or pow\(\))?: {_KINDS}"),
)
"""How Python says that an operator does not go with two values."""


class TemplateError(Exception):
    """A template or an `if:` expression cannot be compiled or rendered.

    message: for the merchant, without the place. line: in *template*, counted from 1; None where it is not
    known. template: the file or setting where the fault is, which may be one that another includes.
    """

    def __init__(self, message: str, line: int | None, template: str) -> None:
        place = template if line is None else f"{template}:{line}"
        super().__init__(f"{place}: {message}")
        self.message = message
        self.line = line
        self.template = template


def explain(error: Exception, template: str, names: Iterable[str]) -> TemplateError:
    """Turn what Jinja, Python or a filter raised into a TemplateError.

    template: what was being compiled or rendered. names: what templates can read, for suggestions.
    """
    message = _message(error, names)
    if len(message) > _MAX_MESSAGE:
        message = message[:_MAX_MESSAGE] + "…"
    if isinstance(error, TemplateSyntaxError):
        return TemplateError(message, error.lineno, error.name or template)
    name, line = _place(error)
    return TemplateError(message, line, name or template)


def _message(error: Exception, names: Iterable[str]) -> str:
    match error:
        case MissingValueError():
            return _missing(error, names)
        case TemplateNotFound():
            return f"there is no template '{error.name}'"
        case TemplateSyntaxError() | TemplateRuntimeError():
            return error.message or type(error).__name__  # its own text would be `None`
        case RecursionError() | MemoryError() | SyntaxError():  # the last from Python, about the generated code
            return "the template is nested too deeply"
        case ZeroDivisionError():
            return "division by zero"
        case _:
            return f"this cannot be computed: {_misfit(error) or describe(error)}"


def _misfit(error: Exception) -> str | None:
    """Say which two values an operator does not go with, and what to write; None for other errors."""
    found = next((match for form in _OPERANDS if (match := form.match(str(error)))), None)
    if found is None:
        return None
    kinds = (found["left"], found["right"])
    said = f"'{found['sign']}' does not go with {kind_called(kinds[0])} and {kind_called(kinds[1])}"
    if "Money" in kinds:
        return f"{said}; take the `amount` of the Money"
    if "NoneType" in kinds:
        return f"{said}; ask first whether there is one, as in `x is not none and x > 0`"
    return said


def _missing(error: MissingValueError, names: Iterable[str]) -> str:
    if error.owner is missing:
        return f"'{error.name}' is not defined{did_you_mean(str(error.name), names)}"
    if error.owner is None:
        return f"there is no '{error.name}' here: what stands before it is nothing (none)"
    suggestion = did_you_mean(str(error.name), readable_names(error.owner))
    return f"{kind_of(error.owner)} has no '{error.name}'{suggestion}"


def _place(error: Exception) -> tuple[str | None, int | None]:
    """Find the innermost template that was running, and its line, in the error's traceback."""
    place: tuple[str | None, int | None] = (None, None)
    trace = error.__traceback__
    while trace is not None:
        running = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(running, Template):
            place = running.name, running.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return place
