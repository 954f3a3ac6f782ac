"""YAML text to a tree of nodes, refusing what a configuration has no use for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import yaml
from yaml import events

from shopbot.config.nodes import Entry, ListNode, MappingNode, Node, Position, ScalarNode
from shopbot.config.problem import Problem, quote
from shopbot.config.scalars import SCALAR_TAGS, NotAValueError, convert
from shopbot.config.syntax import explain, position_of
from shopbot.model.surrogates import joined

LARGEST_TEXT_BYTES = 1024 * 1024
"""The largest file that is read."""
DEEPEST_NESTING = 50
"""Levels of lists and mappings in each other."""
MOST_ALIASED_VALUES = 10_000
"""Values that all aliases (`*name`) of a file may add, so that a small file cannot fill the memory."""


@dataclass(frozen=True)
class Composition:
    """What was read: root is None when the text is no YAML, or empty."""

    root: Node | None
    problems: tuple[Problem, ...]


class _RefusedError(Exception):
    """Reading cannot go on behind this place."""

    def __init__(self, position: Position, message: str) -> None:
        self.position = position
        self.message = message
        super().__init__(message)


class _Loader(yaml.SafeLoader):
    """Remembers the last quoted value that ran over several lines."""

    spanning: tuple[Position, Position] | None = None

    def next_event(self) -> events.Event:
        """Take the next event; PyYAML's own method has no types."""
        event: events.Event = self.get_event()  # type: ignore[no-untyped-call]
        return event

    def scan_flow_scalar(self, style: str) -> yaml.ScalarToken:
        token = super().scan_flow_scalar(style)
        if token.end_mark.line > token.start_mark.line:
            self.spanning = position_of(token.start_mark), position_of(token.end_mark)
        return token


def compose(text: str, file: str) -> Composition:
    """Read *text*, calling it *file* in problems. Raises nothing, whatever the text is."""
    if len(text) > LARGEST_TEXT_BYTES:
        return _hopeless(file, None, f"larger than {LARGEST_TEXT_BYTES} bytes: this is no configuration")
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        composer = _Composer(loader, file)
        root = composer.document()
    except yaml.YAMLError as error:
        position, message = explain(error, text, loader.spanning if loader else None)
        return _hopeless(file, position, message)
    except _RefusedError as error:
        return _hopeless(file, error.position, error.message)
    except (ValueError, OverflowError):
        # PyYAML lets these through for "\UFFFFFFFF" and for a %YAML directive of absurd length.
        place = position_of(loader.get_mark()) if loader else None
        return _hopeless(file, place, "an escape or a directive with a number that is far too large")
    return Composition(root, tuple(composer.problems))


def _hopeless(file: str, position: Position | None, message: str) -> Composition:
    line, column = (position.line, position.column) if position else (None, None)
    return Composition(None, (Problem(file, line, column, message),))


@dataclass
class _Composer:
    loader: _Loader
    file: str
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    open_anchors: set[str] = field(default_factory=set)
    depth: int = 0
    aliased_values: int = 0

    def document(self) -> Node | None:
        """Read the only document of the text; None if there is none."""
        self.loader.next_event()  # the start of the stream
        if self.loader.check_event(events.StreamEndEvent):
            return None
        self.loader.next_event()  # the start of the document
        root = self.node()
        self.loader.next_event()  # its end
        if not self.loader.check_event(events.StreamEndEvent):
            second = position_of(self.loader.next_event().start_mark)
            raise _RefusedError(second, "a second document ('---') starts here: put everything into one")
        return root

    def node(self) -> Node:
        event = self.loader.next_event()
        position = position_of(event.start_mark)
        anchor: str | None = getattr(event, "anchor", None)
        if anchor is not None and isinstance(event, events.AliasEvent):
            return self.alias(anchor, position)
        if anchor in self.anchors or anchor in self.open_anchors:
            raise _RefusedError(position, f"a second anchor '&{anchor}'")
        if anchor is not None:
            self.open_anchors.add(anchor)
        self.depth += 1
        self.check_depth(self.depth, position)
        node = self.content(event, position)
        self.depth -= 1
        if anchor is not None:
            self.open_anchors.discard(anchor)
            self.anchors[anchor] = node
        return node

    def alias(self, name: str, position: Position) -> Node:
        if name in self.open_anchors:
            raise _RefusedError(position, f"the alias '*{name}' stands inside the value that it repeats")
        if name not in self.anchors:
            hint = "a text that starts with '*' needs quotes"
            raise _RefusedError(position, f"no anchor '&{name}' above this alias; {hint}")
        node = self.anchors[name]
        self.check_depth(self.depth + node.depth, position)
        self.aliased_values += node.size
        if self.aliased_values > MOST_ALIASED_VALUES:
            raise _RefusedError(position, f"aliases repeat more than {MOST_ALIASED_VALUES} values")
        return node

    def check_depth(self, depth: int, position: Position) -> None:
        if depth > DEEPEST_NESTING:
            raise _RefusedError(position, f"nested more than {DEEPEST_NESTING} levels deep")

    def content(self, event: events.Event, position: Position) -> Node:
        if isinstance(event, events.ScalarEvent):
            return self.scalar(event, position)
        if isinstance(event, events.SequenceStartEvent):
            readable = self.tag_fits(event.tag, "tag:yaml.org,2002:seq", position)
            items: list[Node] = []
            while not self.loader.check_event(events.SequenceEndEvent):
                items.append(self.node())
            self.loader.next_event()
            return ListNode(position, tuple(items), *_extent(items), readable)
        readable = self.tag_fits(getattr(event, "tag", None), "tag:yaml.org,2002:map", position)
        mapping = self.mapping(position)
        return replace(mapping, readable=mapping.readable and readable)

    def scalar(self, event: events.ScalarEvent, position: Position) -> ScalarNode:
        explicit = event.tag not in {None, "!"}
        tag = event.tag if explicit and event.tag is not None else self.resolved(event)
        plain = event.style is None and not explicit
        readable, value, text = True, None, joined(event.value)
        if text.count("\ufffd") > event.value.count("\ufffd"):
            readable = False
            self.report(position, "an escape such as \\ud83d is half a character: write both halves, or the character")
        elif explicit and tag not in SCALAR_TAGS:
            readable = self.tag_fits(tag, "", position)
        else:
            try:
                value = convert(tag, text, explicit=explicit)
            except NotAValueError:
                readable = False
                self.report(position, f"{quote(text)} does not fit its tag")
        return ScalarNode(position, value, text, plain, readable=readable)

    def resolved(self, event: events.ScalarEvent) -> str:
        """Give the tag that YAML 1.1 sees in a value without one."""
        tag: str = self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        return tag

    def tag_fits(self, tag: str | None, expected: str, position: Position) -> bool:
        if tag in {None, "!", expected}:
            return True
        hint = "a file is not included and a secret is written ${NAME}; a text that starts with '!' needs quotes"
        short = str(tag).replace("tag:yaml.org,2002:", "!!")
        self.report(position, f"the tag {quote(short)} is not supported: {hint}")
        return False

    def mapping(self, position: Position) -> MappingNode:
        entries: dict[str, Entry] = {}
        merged: list[MappingNode] = []
        readable = True
        while not self.loader.check_event(events.MappingEndEvent):
            key = self.node()
            value = self.node()
            if not isinstance(key, ScalarNode):
                readable = False
                self.report(position, "a key must be a word; a text that starts with '{' or '[' needs quotes")
            elif key.plain and key.source == "<<":
                merged += self.merge(value)
            elif key.plain and not key.source:
                readable = False
                self.report(key.position, "a ':' without a key in front of it")
            elif key.source in entries:
                first = entries[key.source].key.line
                self.report(key.position, f"duplicate key {quote(key.source)}; the first one is in line {first}")
            else:
                entries[key.source] = Entry(key.position, value)
        self.loader.next_event()
        for source in merged:
            entries = {**source.entries, **entries}
            readable = readable and source.readable
        return MappingNode(position, entries, *_extent([entry.value for entry in entries.values()]), readable)

    def merge(self, value: Node) -> list[MappingNode]:
        """Give the mappings that `<<: *name` or `<<: [*one, *two]` takes keys from; earlier ones win."""
        sources = value.items if isinstance(value, ListNode) else (value,)
        mappings = [source for source in sources if isinstance(source, MappingNode)]
        if len(mappings) < len(sources):
            self.report(value.position, "'<<' takes the keys of a mapping: write '<<: *name'")
        return mappings

    def report(self, position: Position, message: str) -> None:
        self.problems.append(Problem(self.file, position.line, position.column, message))


def _extent(inner: Sequence[Node]) -> tuple[int, int]:
    """Give the size and the depth of a list or mapping that holds these nodes."""
    return 1 + sum(node.size for node in inner), 1 + max((node.depth for node in inner), default=0)
