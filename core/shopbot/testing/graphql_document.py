"""Read a GraphQL document: enough of the language for the queries that a client of the Admin API sends.

Understood: one operation (named or not), variables with defaults, aliases, arguments of every kind of value, named
and inline fragments, `@include` and `@skip`, comments. Not understood: several operations in one document.

Grammar: https://spec.graphql.org/October2021/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"""
    [\s,\ufeff]+ | \#[^\n]*                                     # ignored
    | (?P<string>\"\"\".*?\"\"\" | "(?:[^"\\\n]|\\.)*")
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_]\w*)
    | (?P<punctuation>\.\.\.|[!$()\[\]{}:=@|&])
    """,
    re.VERBOSE | re.DOTALL,
)


class GraphQLSyntaxError(ValueError):
    """The document cannot be read."""


@dataclass(frozen=True)
class Selected:
    """One field of a selection, with variables and fragments already put in.

    key: the name in the answer, the alias if there is one.
    selections: empty for a scalar.
    """

    key: str
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    selections: tuple[Selected, ...] = ()


@dataclass(frozen=True)
class Operation:
    """The operation of a document: `query` or `mutation`, and the root fields it asks for."""

    kind: str
    selections: tuple[Selected, ...]


def read_document(text: str, variables: Mapping[str, Any]) -> Operation:
    """Parse *text*, with *variables* put in.

    Raises GraphQLSyntaxError with a message for the caller: wrong syntax, an unknown fragment, or a required
    variable that is not there.
    """
    fragments = dict(_Parser(text, {}, {}).fragments())
    return _Parser(text, variables, fragments).operation()


class _Parser:
    """Goes through the tokens once.

    fragments: where each named fragment's selection begins, as a position among the tokens.
    """

    def __init__(self, text: str, variables: Mapping[str, Any], fragments: Mapping[str, int]) -> None:
        self._tokens = _tokens(text)
        self._position = 0
        self._given = variables
        self._variables: dict[str, Any] = {}
        self._fragments = fragments

    def fragments(self) -> list[tuple[str, int]]:
        """Find the named fragments; they may stand after the operation that uses them."""
        found = []
        depth = 0
        for position, (_, value) in enumerate(self._tokens):
            if value == "fragment" and depth == 0:
                # fragment NAME on TYPE {
                start = next((i for i in range(position, len(self._tokens)) if self._tokens[i][1] == "{"), position)
                found.append((self._tokens[position + 1][1], start))
            depth += {"{": 1, "}": -1}.get(value, 0)
        return found

    def operation(self) -> Operation:
        """Read the one operation of the document."""
        while self._peek() == "fragment":
            self._skip_to_selection()
            self._skip_braces()
        kind = "query"
        if self._peek() != "{":
            kind = self._take()
            if kind not in {"query", "mutation", "subscription"}:
                raise GraphQLSyntaxError(f"syntax error, unexpected {kind!r}")
            if self._peek() not in {"(", "{", "@"}:
                self._take()
            if self._peek() == "(":
                self._read_variables()
        return Operation(kind, self._selections())

    def _read_variables(self) -> None:
        self._expect("(")
        while self._peek() != ")":
            self._expect("$")
            name = self._take()
            self._expect(":")
            kind = ""
            while self._peek() not in {"$", ")", "=", "@"}:
                kind += self._take()
            if self._peek() == "=":
                self._take()
                self._variables[name] = self._value()
            if name in self._given:
                self._variables[name] = self._given[name]
            if kind.endswith("!") and self._variables.get(name) is None:
                raise GraphQLSyntaxError(f"Variable ${name} of type {kind} was provided invalid value")
        self._expect(")")

    def _selections(self) -> tuple[Selected, ...]:
        self._expect("{")
        found: list[Selected] = []
        while self._peek() != "}":
            if self._peek() == "...":
                found.extend(self._fragment())
            else:
                selected, wanted = self._field()
                if wanted:
                    found.append(selected)
        self._expect("}")
        return tuple(found)

    def _fragment(self) -> tuple[Selected, ...]:
        self._expect("...")
        if self._peek() not in {"on", "{", "@"}:
            name = self._take()
            if name not in self._fragments:
                raise GraphQLSyntaxError(f"Fragment {name} was used, but not defined")
            wanted = self._directives()
            back, self._position = self._position, self._fragments[name]
            selections = self._selections()
            self._position = back
            return selections if wanted else ()
        if self._peek() == "on":
            self._take()
            self._take()
        wanted = self._directives()
        selections = self._selections()
        return selections if wanted else ()

    def _field(self) -> tuple[Selected, bool]:
        key = name = self._name()
        if self._peek() == ":":
            self._take()
            name = self._name()
        arguments = self._arguments()
        wanted = self._directives()
        selections = self._selections() if self._peek() == "{" else ()
        return Selected(key, name, arguments, selections), wanted

    def _arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        if self._peek() != "(":
            return arguments
        self._take()
        while self._peek() != ")":
            name = self._name()
            self._expect(":")
            arguments[name] = self._value()
        self._take()
        return arguments

    def _directives(self) -> bool:
        wanted = True
        while self._peek() == "@":
            self._take()
            name = self._name()
            condition = self._arguments().get("if")
            if name in {"include", "skip"}:
                wanted = wanted and (bool(condition) == (name == "include"))
        return wanted

    def _value(self) -> Any:  # noqa: ANN401 - any GraphQL value
        kind, text = self._next()
        if text == "$":
            name = self._name()
            return self._variables.get(name)
        if text == "[":
            items = []
            while self._peek() != "]":
                items.append(self._value())
            self._take()
            return items
        if text == "{":
            members = {}
            while self._peek() != "}":
                name = self._name()
                self._expect(":")
                members[name] = self._value()
            self._take()
            return members
        if kind == "string":
            return text[3:-3].strip() if text.startswith('"""') else json.loads(text)
        if kind == "number":
            return json.loads(text)
        return {"true": True, "false": False, "null": None}.get(text, text)

    def _skip_to_selection(self) -> None:
        while self._peek() != "{":
            self._take()

    def _skip_braces(self) -> None:
        depth = 0
        while True:
            depth += {"{": 1, "}": -1}.get(self._take(), 0)
            if depth == 0:
                return

    def _peek(self) -> str:
        return self._tokens[self._position][1] if self._position < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._position >= len(self._tokens):
            raise GraphQLSyntaxError("syntax error, unexpected end of file")
        self._position += 1
        return self._tokens[self._position - 1]

    def _take(self) -> str:
        return self._next()[1]

    def _name(self) -> str:
        kind, text = self._next()
        if kind != "name":
            raise GraphQLSyntaxError(f"syntax error, unexpected {text!r}")
        return text

    def _expect(self, wanted: str) -> None:
        text = self._take()
        if text != wanted:
            raise GraphQLSyntaxError(f"syntax error, unexpected {text!r}, expecting {wanted!r}")


def _tokens(text: str) -> list[tuple[str, str]]:
    found = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise GraphQLSyntaxError(f"syntax error, unexpected character {text[position]!r}")
        if match.lastgroup is not None:
            found.append((match.lastgroup, match[0]))
        position = match.end()
    return found
