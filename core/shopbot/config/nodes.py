"""A YAML file as a tree that remembers where each key and value stands and how it was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

KeyPath = tuple[str | int, ...]
"""Keys and list indexes from the root: `("rules", 0, "when", "test")`."""


class Position(NamedTuple):
    """A place in the file; both count from 1, columns in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A single value."""

    position: Position
    value: object
    """What YAML 1.1 makes of it: str, bool, int, float, date, datetime or None."""
    source: str
    """The text as it stands in the file, without quotes."""
    plain: bool
    """Written without quotes, so that YAML chose its type."""
    size: int = 1
    depth: int = 1
    readable: bool = True


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    position: Position
    items: tuple[Node, ...]
    size: int
    """Values in it with every alias written out, itself included."""
    depth: int
    """Levels of lists and mappings in it with every alias written out, itself included."""
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's place, and its value."""

    key: Position
    value: Node


@dataclass(frozen=True, slots=True)
class MappingNode:
    """A mapping. Keys are always the text as written: `on:` is "on", not true."""

    position: Position
    entries: dict[str, Entry]
    size: int
    """Values in it with every alias written out, itself included."""
    depth: int
    """Levels of lists and mappings in it with every alias written out, itself included."""
    readable: bool = True
    """False where a problem was found that makes every remark about the content beside the point."""


Node = ScalarNode | ListNode | MappingNode


def label(path: KeyPath) -> str:
    """Give a path as people write it: `rules[0].when.test`; "the file" for the root."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        name = part if part.replace("_", "a").replace("-", "a").replace("/", "a").isalnum() else repr(part)
        text += f".{name}" if text else name
    return text or "the file"
