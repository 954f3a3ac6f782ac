"""The part of Jinja's language that messages may use, and the hooks that count what a rendering does."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, cast

from jinja2 import nodes
from jinja2.environment import Environment
from jinja2.exceptions import TemplateSyntaxError
from jinja2.visitor import NodeTransformer

LOOP: Final = "~loop"
LITERAL: Final = "~literal"
CONCATENATE: Final = "~concatenate"
WORK: Final = "~work"
CHARGED: Final = "~charged"
"""Filters that the rewritten template calls; no template can write their names."""

TEMPLATE_SUFFIX: Final = ".j2"
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.@-]*)*")

_STATEMENTS: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Macro, nodes.CallBlock,
    nodes.FilterBlock, nodes.With, nodes.Block, nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport,
    nodes.Assign, nodes.AssignBlock, nodes.Scope,
)  # fmt: skip
_EXPRESSIONS: Final = (
    nodes.Name, nodes.Const, nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr,
    nodes.Filter, nodes.Test, nodes.Call, nodes.Getitem, nodes.Getattr, nodes.Slice, nodes.Concat, nodes.Compare,
    nodes.Operand, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Add, nodes.Sub, nodes.Mod, nodes.Pow, nodes.Not,
    nodes.And, nodes.Or, nodes.Neg, nodes.Pos,
)  # fmt: skip
_ALLOWED: Final = frozenset({*_STATEMENTS, *_EXPRESSIONS})
_REFUSED_NAMES: Final = frozenset({
    "self", "varargs", "kwargs", "namespace", "dict", "cycler", "joiner", "lipsum"
})  # fmt: skip
"""Jinja's own objects: with them a template could keep values that grow from turn to turn."""
_NAMES_OF_REFUSED: Final[Mapping[type[nodes.Node], str]] = MappingProxyType({
    nodes.NSRef: "'set name.field'",
    nodes.ScopedEvalContextModifier: "'autoescape'",
})  # fmt: skip


def check_name(name: object) -> str:
    """Return the name of a template file if it is one: relative, plain, ending in `.j2`.

    Raises ValueError for anything that could leave the template directories.
    """
    if not isinstance(name, str) or not _PLAIN_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a template: a plain name inside the template directories")
    if not name.endswith(TEMPLATE_SUFFIX):
        raise ValueError(f"the name of a template ends in {TEMPLATE_SUFFIX}: '{name}{TEMPLATE_SUFFIX}'?")
    return name


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the known name closest to *name*, as the end of a sentence; empty when none is close."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


class Guard(NodeTransformer):
    """Refuses what messages do not need, and rewrites what must be counted; for one template.

    - A loop runs over `iterable | ~loop(cost)`: each turn counts, also the ones that its `if` drops.
    - A template, macro or block starts with `~work(cost)`.
    - Lists, tuples and mappings pass through `~literal`, texts joined by `~` through `~concatenate`, what is
      compared, sliced or looked up through `~charged`.
    - What is included or imported shares the context, hence the budget.
    """

    def __init__(self, environment: Environment, name: str | None) -> None:
        self._environment = environment
        self._name = name
        self.references: list[tuple[nodes.Node, tuple[str, ...], bool]] = []
        """Each statement that names templates, the names, and whether one of them must exist."""

    def visit(self, node: nodes.Node, *args: object, **kwargs: object) -> nodes.Node:
        """Check and rewrite *node* with all that is below it; raises TemplateSyntaxError."""
        self._check(node)
        cost = len(list(node.find_all(nodes.Node)))
        self.generic_visit(node, *args, **kwargs)
        if isinstance(node, nodes.For):
            node.iter = self._filter(node.iter, LOOP, cost)
        elif isinstance(node, nodes.Template | nodes.Macro | nodes.CallBlock | nodes.Block):
            node.body = [nodes.ExprStmt(self._filter(nodes.Const(cost), WORK), lineno=node.lineno), *node.body]
        elif isinstance(node, nodes.Compare | nodes.Operand):
            node.expr = self._filter(node.expr, CHARGED)
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
            node.node = self._filter(node.node, CHARGED)
        elif isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Const):
            node.arg = self._filter(node.arg, CHARGED)  # a key is hashed, a tuple each time
        elif isinstance(node, nodes.Concat):
            return self._filter(nodes.List(node.nodes), CONCATENATE)
        elif isinstance(node, nodes.List | nodes.Dict) or (isinstance(node, nodes.Tuple) and node.ctx == "load"):
            return self._filter(node, LITERAL)
        return node

    def _filter(self, node: nodes.Node, name: str, argument: int | None = None) -> nodes.Filter:
        arguments = [] if argument is None else [nodes.Const(argument)]
        return nodes.Filter(cast("nodes.Expr", node), name, arguments, [], None, None)

    def _check(self, node: nodes.Node) -> None:
        if type(node) not in _ALLOWED:
            what = _NAMES_OF_REFUSED.get(type(node), type(node).__name__)
            self._refuse(node, f"{what} is not part of the language of messages")
        match node:
            case nodes.For(recursive=True):
                self._refuse(node, "recursive loops are not part of the language of messages")
            case nodes.Getattr(attr=attribute) if attribute.startswith("_"):
                self._refuse(node, f"'{attribute}': names that begin with an underscore cannot be read")
            case nodes.Name(name=name) if name in _REFUSED_NAMES:
                self._refuse(node, f"'{name}' is not part of the language of messages")
            case nodes.Filter(name=name) if name not in self._environment.filters:
                self._refuse(node, f"there is no filter '{name}'{did_you_mean(name, self._environment.filters)}")
            case nodes.Test(name=name) if name not in self._environment.tests:
                self._refuse(node, f"there is no test '{name}'{did_you_mean(name, self._environment.tests)}")
            case nodes.Include() | nodes.Import() | nodes.FromImport():
                node.with_context = True
                self._check_reference(node, node.template)
            case nodes.Extends():
                self._check_reference(node, node.template)

    def _check_reference(self, node: nodes.Node, target: nodes.Expr) -> None:
        """Only constant names: so that a message that names a missing file fails when the bot starts."""
        try:
            names = target.as_const(nodes.EvalContext(self._environment, self._name))
        except nodes.Impossible:
            self._refuse(node, "the name of another template must be written out, in quotes")
        names = tuple(names) if isinstance(names, list | tuple) else (names,)
        if not names:
            self._refuse(node, "at least one template must be named")
        try:
            checked = tuple(map(check_name, names))
        except ValueError as error:
            self._refuse(node, str(error))
        self.references.append((node, checked, not getattr(node, "ignore_missing", False)))

    def _refuse(self, node: nodes.Node, message: str) -> None:
        raise TemplateSyntaxError(message, node.lineno, self._name)
