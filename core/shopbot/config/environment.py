"""Variables in a configuration: `${NAME}`, `${NAME:-default}`, and `$${` for a literal `${`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from shopbot.config.document import Document
from shopbot.config.nodes import KeyPath
from shopbot.config.problem import Problem, quote, suggest

_REFERENCE = re.compile(
    r"(?P<escape>\$\$\{)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:(?!\$\{)[^}])*))?\}"
    r"|(?P<template>\$\{\{)"
    r"|(?P<malformed>\$\{)"
)
_FORMS = "write ${NAME} or ${NAME:-default}, and $${ for the characters ${ themselves"


def expand(document: Document, environ: Mapping[str, str]) -> Document:
    """Give the document with its variables filled in, in every value that is a text; keys stay as they are.

    A variable without a default must be set and not empty. What is wrong is added to the problems with the
    variable's name and the place, never with a value.
    """
    expansion = _Expansion(document, environ)
    data = expansion.value(document.data, ())
    return replace(
        document,
        data=data if isinstance(data, dict) else {},
        problems=(*document.problems, *expansion.problems),
        broken=document.broken | expansion.broken,
        origins=expansion.origins,
        secrets=tuple(sorted(expansion.secrets)),
    )


def required_variables(document: Document) -> frozenset[str]:
    """Name the variables that a document cannot do without: those that stand somewhere without a default."""

    def names(value: object) -> Iterator[str]:
        if isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                yield from names(item)
        elif isinstance(value, str):
            for reference in _REFERENCE.finditer(value):
                if reference["name"] is not None and reference["default"] is None:
                    yield reference["name"]

    return frozenset(names(document.data))


@dataclass
class _Expansion:
    document: Document
    environ: Mapping[str, str] = field(repr=False)
    problems: list[Problem] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)
    origins: dict[KeyPath, tuple[str, ...]] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set, repr=False)

    def value(self, value: object, path: KeyPath) -> object:
        match value:
            case dict():
                return {key: self.value(item, (*path, key)) for key, item in value.items()}
            case list():
                return [self.value(item, (*path, index)) for index, item in enumerate(value)]
            case str() if "${" in value:
                return self.text(value, path)
        return value

    def text(self, text: str, path: KeyPath) -> str:
        return _REFERENCE.sub(lambda reference: self.replacement(reference, path), text)

    def replacement(self, reference: re.Match[str], path: KeyPath) -> str:
        if reference["escape"]:
            return "${"
        name = reference["name"]
        if name is None:
            message = "'${' without a variable's name: " + _FORMS
            if reference["template"]:
                message = "'${{' is no variable: write '$${{ … }}' for a dollar sign before an expression"
            return self.refuse(reference, path, message)
        value = self.environ.get(name, "")
        if value:
            self.origins[path] = (*self.origins.get(path, ()), name)
            self.secrets.add(value)
            return value
        if reference["default"] is not None:
            return reference["default"]
        state = "is set but empty" if name in self.environ else "is not set"
        hint = suggest(name, (known for known, content in self.environ.items() if content))
        return self.refuse(reference, path, f"the environment variable {quote(name)} {state}{hint}")

    def refuse(self, reference: re.Match[str], path: KeyPath, message: str) -> str:
        self.broken.add(path)
        problem = self.document.problem(self.document.position(path), message)
        if problem not in self.problems:  # an alias brings the same place twice
            self.problems.append(problem)
        return reference[0]
