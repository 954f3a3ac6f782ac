"""A configuration file as read: its data, its problems, and where every key stands."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from shopbot.config.compose import compose
from shopbot.config.nodes import Entry, KeyPath, ListNode, MappingNode, Node, Position, ScalarNode
from shopbot.config.problem import Problem, Severity

_SHORT = 4
_TOP = Position(1, 1)


@dataclass(frozen=True)
class Document:
    """A parsed file. `parse` makes one; `environment.expand` gives one with the variables filled in."""

    file: str
    """The name to use in problems."""
    root: Node | None = field(repr=False)
    """The tree with positions; None when the text could not be read at all."""
    data: dict[str, object] = field(repr=False)
    """Plain Python: dict, list, str, bool, int, float, date, datetime, None. Every key is a str, as written.
    May hold secrets once the environment is in it."""
    problems: tuple[Problem, ...] = ()
    broken: frozenset[KeyPath] = frozenset()
    """Paths whose problem is already reported: nothing more is worth saying about them."""
    origins: Mapping[KeyPath, tuple[str, ...]] = field(default_factory=dict)
    """Values that hold something from the environment, with the names of the variables."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """The texts that came from the environment: they must not appear in any message."""
    lines: tuple[str, ...] = field(default=(), repr=False)
    """The file's text, as it was read."""

    def position(self, path: KeyPath) -> Position:
        """Give the place of the value at *path*, or of the nearest parent that exists."""
        node = self._nearest(path)[0]
        return node.position if node else _TOP

    def position_of_key(self, path: KeyPath) -> Position:
        """Give the place of the key at *path*: of the list item where the path ends in an index."""
        node, entry, missing = self._nearest(path)
        if entry and not missing:
            return entry.key
        return node.position if node else _TOP

    def scalar(self, path: KeyPath) -> ScalarNode | None:
        """Give the single value that stands at *path*, as it was written; None if there is none."""
        node, _, missing = self._nearest(path)
        return node if isinstance(node, ScalarNode) and not missing else None

    def is_broken(self, path: KeyPath) -> bool:
        """Say whether a problem of *path*, or of something around it, is reported already."""
        return any(path[:length] in self.broken for length in range(len(path) + 1))

    def quotes_secret(self, message: str) -> bool:
        """Say whether *message*, which others wrote, repeats something that came from the environment."""
        return any(quotes_text(message, secret) for secret in self.secrets)

    def masked(self, message: str) -> str:
        """Give *message* without what came from the environment."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            message = re.sub(_quoted(secret), "${…}", message) if secret else message
        return "a value from the environment is the matter" if self.quotes_secret(message) else message

    def problem(self, position: Position, message: str, severity: Severity = "error") -> Problem:
        """Make a problem of this file."""
        return Problem(self.file, position.line, position.column, message, severity)

    def _nearest(self, path: KeyPath) -> tuple[Node | None, Entry | None, bool]:
        """Walk as far as *path* goes: the node there, its entry if it has a key, and whether some is left."""
        node, entry = self.root, None
        for part in path:
            if isinstance(node, MappingNode) and isinstance(part, str) and part in node.entries:
                entry = node.entries[part]
                node = entry.value
            elif isinstance(node, ListNode) and isinstance(part, int) and 0 <= part < len(node.items):
                node, entry = node.items[part], None
            else:
                return node, entry, True
        return node, entry, False


def quotes_text(message: str, secret: str) -> bool:
    """Say whether *message* holds *secret*, as it is or as Python and JSON write it.

    A very short secret counts only as a word of its own, or "a" would be found everywhere.
    """
    forms = {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]} - {""}
    return any(re.search(_quoted(form), message) for form in forms)


def _quoted(form: str) -> str:
    """Give the expression that finds *form*."""
    return rf"(?<!\w){re.escape(form)}(?!\w)" if len(form) < _SHORT else re.escape(form)


def parse(text: str, file: str) -> Document:
    """Read YAML, whatever it is. What is wrong with it is in the document's `problems`; nothing is raised.

    file: the name to use in problems.
    """
    composition = compose(text, file)
    root, problems = composition.root, composition.problems
    if root is None:
        empty = (Problem(file, None, None, "the file is empty"),)
        return Document(file, None, {}, problems or empty)
    if not isinstance(root, MappingNode):
        place = root.position
        blank = isinstance(root, ScalarNode) and root.value is None
        message = "the file is empty" if blank else "expected 'key: value' lines, as in 'shop:'"
        return Document(file, root, {}, (*problems, Problem(file, place.line, place.column, message)))
    broken: set[KeyPath] = set()
    data = _plain(root, (), broken)
    lines = tuple(text.split("\n"))
    return Document(file, root, data if isinstance(data, dict) else {}, problems, frozenset(broken), lines=lines)


def _plain(node: Node, path: KeyPath, broken: set[KeyPath]) -> object:
    if not node.readable:
        broken.add(path)
    match node:
        case ScalarNode():
            return node.value
        case ListNode():
            return [_plain(item, (*path, index), broken) for index, item in enumerate(node.items)]
        case MappingNode():
            return {key: _plain(entry.value, (*path, key), broken) for key, entry in node.entries.items()}
