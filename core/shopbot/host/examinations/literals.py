"""Texts that would go out as they stand, and were meant to be filled in: a file's name, braces that are single."""

import re
from collections.abc import Iterator

from shopbot.config.problem import quote
from shopbot.host.examinations.examination import Case, Finding
from shopbot.messages.message import MessageSpec
from shopbot.messages.renderer import READABLE
from shopbot.messages.sandbox import TemplateError

_WORD = re.compile(r"[\w./-]{1,80}")
_FILE = re.compile(r".*\.(txt|html?|md|tpl|jinja2?)")
_FILLED = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_SINGLE = re.compile(rf"\{{\s*(?P<name>(?:{'|'.join(sorted(READABLE))})(?:\.\w+)*(?:\s*\|[^{{}}\n]*?)?)\s*\}}+")


def examine(case: Case) -> Iterator[Finding]:
    """Look through the texts that stand in the configuration, and in the files that it names."""
    for spec in case.messages.values():
        path = ("messages", spec.name, "text")
        if not spec.is_file and (meant := _file_meant(case, spec)) is not None:
            why = "would be sent as it stands: the name of a template file ends in .j2"
            yield Finding(path, f"{quote(spec.text)} {why}{meant}")
        for name, source in _sources(case, spec):
            for found in _SINGLE.finditer(_FILLED.sub(_blank, source)):
                line = source.count("\n", 0, found.start()) + 1
                message = f"{quote(found[0])} is sent as it stands: write {{{{ {found['name']} }}}}"
                yield Finding(path, f"{name}:{line}: {message}", "warning")


def _file_meant(case: Case, spec: MessageSpec) -> str | None:
    """Give the end of a sentence that names the file which a text was meant to be; None where it is a text."""
    text = spec.text.strip()
    if not _WORD.fullmatch(text):
        return None
    known = [name for name in (f"{text}.j2", f"{text}.txt.j2") if name in _translations(case, name)]
    if known:
        return f"; did you mean {quote(known[0])}?"
    return "" if _FILE.fullmatch(text) else None


def _translations(case: Case, name: str) -> list[str]:
    try:
        return case.sandbox.translations(name)
    except TemplateError:
        return []  # no name that a file could have


def _sources(case: Case, spec: MessageSpec) -> Iterator[tuple[str, str]]:
    if not spec.is_file:
        yield f"messages.{spec.name}.text", spec.text
        return
    for name in _translations(case, spec.text):
        try:
            place = case.sandbox.path(case.sandbox.compile_file(name))
        except TemplateError:
            continue  # rendering says why
        if place is not None:
            yield name, place.read_text(encoding="utf-8")


def _blank(expression: re.Match[str]) -> str:
    """Keep lines and lengths."""
    return re.sub(r"[^\n]", " ", expression[0])
