"""Bare numbers and variables that are taken otherwise than people mean them, where nothing else would tell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shopbot.config.document import Document
from shopbot.config.nodes import KeyPath, ListNode, MappingNode, Node, ScalarNode, label
from shopbot.config.problem import Problem, quote
from shopbot.config.scalars import is_surprising

_BARE_VARIABLE = re.compile(r"\$\(?(?P<name>[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\)?")
"""With an underscore at least: a secret may begin with a dollar sign."""


def surprises(document: Document) -> list[Problem]:
    """Warn of what is taken otherwise than it looks, in the order of the document.

    `$NAME` and `$(NAME)` are texts like any other: the secret would be the variable's name. Bare numbers such as `010`
    (8) and `1:30` (90) are told here where a number is wanted; where text is wanted, they are errors already.
    """
    if document.root is None:
        return []
    return [
        document.problem(node.position, f"{label(path)}: {remark}", "warning")
        for path, node in _scalars(document.root, ())
        if (remark := _remark(node)) and not document.is_broken(path)
    ]


def _remark(node: ScalarNode) -> str | None:
    if isinstance(node.value, str):
        found = _BARE_VARIABLE.fullmatch(node.value)
        if found is None:
            return None
        return f"{quote(node.source)} is no variable, and taken as it stands: write ${{{found['name']}}}"
    if node.plain and isinstance(node.value, int | float) and is_surprising(node.source):
        return f"YAML reads a bare `{node.source}` as {node.value}; write {node.value} if that is meant"
    return None


def _scalars(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, ScalarNode]]:
    match node:
        case ScalarNode():
            yield path, node
        case ListNode():
            for index, item in enumerate(node.items):
                yield from _scalars(item, (*path, index))
        case MappingNode():
            for key, entry in node.entries.items():
                yield from _scalars(entry.value, (*path, key))
