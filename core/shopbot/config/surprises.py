"""Numbers that YAML reads otherwise than people do, where a number is wanted: nothing else would tell."""

from __future__ import annotations

from collections.abc import Iterator

from shopbot.config.document import Document
from shopbot.config.nodes import KeyPath, ListNode, MappingNode, Node, ScalarNode, label
from shopbot.config.problem import Problem
from shopbot.config.scalars import is_surprising


def surprising_numbers(document: Document) -> list[Problem]:
    """Warn of bare numbers such as `010` (8) and `1:30` (90); where text is wanted, they are errors already."""
    if document.root is None:
        return []
    return [
        document.problem(
            node.position,
            f"{label(path)}: YAML reads a bare `{node.source}` as {node.value}; write {node.value} if that is meant",
            "warning",
        )
        for path, node in _numbers(document.root, ())
        if is_surprising(node.source) and not document.is_broken(path)
    ]


def _numbers(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, ScalarNode]]:
    match node:
        case ScalarNode(plain=True, value=int() | float()):
            yield path, node
        case ListNode():
            for index, item in enumerate(node.items):
                yield from _numbers(item, (*path, index))
        case MappingNode():
            for key, entry in node.entries.items():
                yield from _numbers(entry.value, (*path, key))
