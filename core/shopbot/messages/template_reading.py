"""Finds what a template reads that does not exist, in every branch: rendering it finds only what a sample leads to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from functools import cached_property, reduce
from inspect import getattr_static
from types import UnionType
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

from jinja2 import nodes
from pydantic import BaseModel

from shopbot.messages.template_language import did_you_mean
from shopbot.messages.template_values import is_readable, kind_of, readable_names

UNKNOWN: Final = object()
"""A value of which no more is known than that it is there."""

_LEAVES: Final[Mapping[type, object]] = {
    str: "",
    bool: False,
    int: 0,
    float: 0.0,
    Decimal: Decimal(0),
    dt.datetime: dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    dt.date: dt.date(2026, 1, 1),
    dt.timedelta: dt.timedelta(),
}
_ONE_OF_MANY: Final = frozenset({"first", "last", "min", "max"})
_SOME_OF_MANY: Final = frozenset({"list", "sort", "reverse", "unique", "select", "reject", "selectattr", "rejectattr"})
_MAY_BE_MISSING: Final = frozenset({"defined", "undefined", "default", "d"})
"""Tests and filters that ask whether there is a value at all."""


class Slip(NamedTuple):
    """A name or field that does not exist."""

    line: int
    message: str


def example_of(annotation: Any) -> object:  # noqa: ANN401 - annotations have no common type
    """Make a value of a type, to ask what may be read of it: models without their values, lists of one entry."""
    if get_origin(annotation) is Annotated:
        return example_of(get_args(annotation)[0])
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Union, UnionType}:
        present = [argument for argument in arguments if argument is not type(None)]
        return example_of(present[0]) if len(present) == 1 else UNKNOWN
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return (example_of(arguments[0]),)
    if not isinstance(annotation, type):
        return UNKNOWN
    if issubclass(annotation, BaseModel):
        return annotation.model_construct()
    if issubclass(annotation, Enum):
        return next(iter(annotation), UNKNOWN)
    return _LEAVES.get(annotation, UNKNOWN)


def slips(trees: Sequence[nodes.Node], known: Mapping[str, object], functions: Iterable[str]) -> list[list[Slip]]:
    """Find the slips in a template and in those that it takes in, one list for each of *trees*.

    known: what the context holds, by name, as `example_of` makes it.
    functions: names that are known everywhere.
    """
    names_set = [set(_names_set(tree)) for tree in trees]
    free = {*functions, *(name for names in names_set for name in names)}
    found: list[list[Slip]] = []
    for tree, own in zip(trees, names_set, strict=True):
        # What one template sets, another one that it takes in may read, in place of what the context holds.
        foreign = {name for names in names_set if names is not own for name in names}
        reading = _Reading(tree, free=free, unsure=foreign | _reset(tree, known))
        reading.read(tree, {name: value for name, value in known.items() if name not in foreign})
        found.append(list(dict.fromkeys(reading.slips)))
    return found


def names_read(tree: nodes.Node) -> set[str]:
    """List the names that a template starts from, those that it sets itself included."""
    return {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}


def _names_set(tree: nodes.Node) -> Iterator[str]:
    yield from (node.name for node in tree.find_all(nodes.Name) if node.ctx in {"store", "param"})
    yield from (node.name for node in tree.find_all(nodes.Macro))
    yield from (node.target for node in tree.find_all(nodes.Import))
    for node in tree.find_all(nodes.FromImport):
        yield from (name if isinstance(name, str) else name[1] for name in node.names)
    yield from ("loop", "caller", "super")


def _reset(tree: nodes.Node, known: Mapping[str, object]) -> set[str]:
    """List the names that have one value here and another one there."""
    targets = [node.target for node in tree.find_all(nodes.Assign)]
    targets += [node.target for node in tree.find_all(nodes.AssignBlock)]
    stored = [name for target in targets for name in _stored(target)]
    return {name for name in stored if name in known or stored.count(name) > 1}


def _stored(target: nodes.Node) -> list[str]:
    """List the names in what stands before the `=`, or behind `for`."""
    return [target.name] if isinstance(target, nodes.Name) else [name.name for name in target.find_all(nodes.Name)]


def _asked(node: nodes.Test | nodes.Filter) -> Iterator[str]:
    """Give what a template asks for before it reads it: it knows that there may be none."""
    if node.name in _MAY_BE_MISSING and node.node is not None:
        yield _sameness(node.node)


def _sameness(node: nodes.Node) -> str:
    """Write what two nodes have in common that read the same, however each of them is written."""
    return _key(node) or repr(node)


def _key(node: nodes.Node) -> str | None:
    """Write `order.total` and `order['total']` as `order.total`; None for what is no chain of names."""
    match node:
        case nodes.Name(name=name):
            return name
        case (
            nodes.Getattr(node=owner, attr=attribute)
            | nodes.Getitem(node=owner, arg=nodes.Const(value=str() as attribute))
        ):
            key = _key(owner)
            return key and f"{key}.{attribute}"
        case nodes.Getitem(node=owner, arg=nodes.Const(value=int() as index)):
            key = _key(owner)
            return key and f"{key}[{index}]"
    return None


class _Reading:
    """Follows one template from top to bottom, with an example of what each of its names may stand for."""

    def __init__(self, tree: nodes.Node, *, free: set[str], unsure: set[str]) -> None:
        """Prepare.

        free: names that some template sets, or that are known everywhere.
        unsure: those of them that may stand for more than one thing.
        """
        self._free = free
        self._unsure = unsure
        asking: list[nodes.Test | nodes.Filter] = [*tree.find_all(nodes.Test), *tree.find_all(nodes.Filter)]
        self._guarded = {key for node in asking for key in _asked(node)}
        self.slips: list[Slip] = []
        self._readers: Mapping[type[nodes.Node], Callable[[Any, dict[str, object]], object]] = {
            nodes.Name: self._name,
            nodes.Getattr: self._attribute,
            nodes.Getitem: self._item,
            nodes.Filter: self._filter,
            nodes.CondExpr: self._choice,
            nodes.And: self._either,
            nodes.Or: self._either,
            nodes.Const: lambda node, _names: node.value,
            nodes.Assign: self._assignment,
            nodes.AssignBlock: self._assigned_block,
            nodes.For: self._loop,
            **dict.fromkeys((nodes.Macro, nodes.CallBlock, nodes.With, nodes.Scope, nodes.Block), self._scope),
        }

    def read(self, node: nodes.Node, names: dict[str, object]) -> object:
        """Read *node* and give an example of its value; *names* grows by what it sets."""
        return self._readers.get(type(node), self._all)(node, names)

    def _all(self, node: nodes.Node, names: dict[str, object]) -> object:
        for child in node.iter_child_nodes():
            self.read(child, names)
        return UNKNOWN

    def _name(self, node: nodes.Name, names: dict[str, object]) -> object:
        if node.ctx != "load" or node.name in names:
            return names.get(node.name, UNKNOWN)
        if node.name not in self._free and node.name not in self._guarded:
            self._slip(node, f"'{node.name}' is not defined{did_you_mean(node.name, names)}")
        return UNKNOWN

    def _attribute(self, node: nodes.Getattr, names: dict[str, object]) -> object:
        return self._member(node, self.read(node.node, names), node.attr)

    def _item(self, node: nodes.Getitem, names: dict[str, object]) -> object:
        owner = self.read(node.node, names)
        key = self.read(node.arg, names)
        if isinstance(node.arg, nodes.Const) and isinstance(key, str):
            return self._member(node, owner, key)
        if isinstance(node.arg, nodes.Slice):
            return owner if isinstance(owner, tuple) else UNKNOWN
        return _entry(owner)

    def _member(self, node: nodes.Node, owner: object, name: str) -> object:
        if owner is UNKNOWN:
            return UNKNOWN
        if isinstance(owner, Mapping) and name in owner:
            return owner[name]
        if is_readable(owner, name):
            return _field(owner, name)
        if _sameness(node) not in self._guarded:
            self._slip(node, _no_such(owner, name, _key(node)))
        return UNKNOWN

    def _filter(self, node: nodes.Filter, names: dict[str, object]) -> object:
        value = UNKNOWN if node.node is None else self.read(node.node, names)
        for argument in (*node.args, *node.kwargs):
            self.read(argument, names)
        if node.name in _ONE_OF_MANY:
            return _entry(value)
        return value if node.name in _SOME_OF_MANY else UNKNOWN

    def _choice(self, node: nodes.CondExpr, names: dict[str, object]) -> object:
        self.read(node.test, names)
        values = [self.read(part, names) for part in (node.expr1, node.expr2) if part is not None]
        return _same(values) if node.expr2 is not None else UNKNOWN

    def _either(self, node: nodes.And | nodes.Or, names: dict[str, object]) -> object:
        return _same([self.read(node.left, names), self.read(node.right, names)])

    def _assignment(self, node: nodes.Assign, names: dict[str, object]) -> object:
        self._set(node.target, self.read(node.node, names), names)
        return UNKNOWN

    def _assigned_block(self, node: nodes.AssignBlock, names: dict[str, object]) -> object:
        self._all(node, names)
        self._set(node.target, UNKNOWN, names)
        return UNKNOWN

    def _loop(self, node: nodes.For, names: dict[str, object]) -> object:
        inner = {**names, "loop": UNKNOWN}
        self._set(node.target, _entry(self.read(node.iter, names)), inner)
        for part in (*([node.test] if node.test else []), *node.body):
            self.read(part, inner)
        for part in node.else_:
            self.read(part, names)
        return UNKNOWN

    def _scope(self, node: nodes.Node, names: dict[str, object]) -> object:
        """Read what has names of its own: those that it is called with may stand for anything."""
        own = [name.name for name in node.find_all(nodes.Name) if name.ctx != "load"]
        return self._all(node, {**names, **dict.fromkeys(own, UNKNOWN)})

    def _set(self, target: nodes.Node, value: object, names: dict[str, object]) -> None:
        for name in _stored(target):
            alone = isinstance(target, nodes.Name) and name not in self._unsure
            names[name] = value if alone else UNKNOWN

    def _slip(self, node: nodes.Node, message: str) -> None:
        self.slips.append(Slip(node.lineno, message))


def _no_such(owner: object, name: str, key: str | None) -> str:
    """Say that *owner* has nothing of that name; the words of errors that come up while rendering."""
    if isinstance(owner, Mapping) and key is not None:
        hint = did_you_mean(name, owner) or f"; it has {', '.join(sorted(owner))}"
        return f"'{key.removesuffix(f'.{name}')}' has no '{name}'{hint}"
    return f"{kind_of(owner)} has no '{name}'{did_you_mean(name, readable_names(owner))}"


def _entry(several: object) -> object:
    """Give an example of what is in a list."""
    return several[0] if isinstance(several, tuple) and several else UNKNOWN


def _same(values: Sequence[object]) -> object:
    """Give what all alternatives have in common: an example of their one type, else UNKNOWN."""
    return reduce(lambda one, other: one if type(one) is type(other) else UNKNOWN, values)


def _field(owner: object, name: str) -> object:
    """Give an example of a model's field; of everything else no more is known."""
    if not isinstance(owner, BaseModel):
        return UNKNOWN
    kind = type(owner)
    if name in kind.model_fields:
        return example_of(kind.model_fields[name].annotation)
    if name in kind.model_computed_fields:
        return example_of(kind.model_computed_fields[name].return_type)
    found = getattr_static(kind, name, None)
    function = found.fget if isinstance(found, property) else found.func if isinstance(found, cached_property) else None
    return example_of(get_type_hints(function).get("return", UNKNOWN)) if function is not None else UNKNOWN
