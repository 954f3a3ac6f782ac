"""Makes mutants of a module: copies with one small fault each, which a test should notice.

The faults are those of programmers: a comparison that is off by one or the wrong way round, a condition or an operand
that is forgotten, a statement that is missing, another constant, key or code, None instead of a result, an exception
that is not handled.

Not mutated, because no test ought to pin them: annotations, docstrings, prose (any text with a blank in it), the texts
of errors, what is logged, and how classes are decorated (`frozen`, `slots`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any, Final

_COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_TWINS: Final = (
    ("startswith", "endswith"),
    ("removeprefix", "removesuffix"),
    ("lower", "upper"),
    ("strip", "lstrip"),
    ("rstrip", "lstrip"),
    ("partition", "rpartition"),
    ("fullmatch", "match"),
    ("min", "max"),
    ("any", "all"),
)
_TWIN: Final = {**{right: left for left, right in _TWINS}, **dict(_TWINS)}
_LOGS: Final = frozenset({"_log", "_security", "structlog"})
_OF_TYPES: Final = frozenset({"cast", "ParamSpec", "TypeVar"})
_UNSEEN: Final = frozenset({"annotation", "returns", "ctx", "type_comment", "type_params"})


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one fault."""

    function: str
    """The qualified name of the function or class around it; empty on the module's own level."""
    lines: range
    """Of the statement that is faulty."""
    before: str
    after: str
    code: CodeType
    """The whole module, ready to be executed."""

    @property
    def change(self) -> str:
        """The fault in one line."""
        return f"{self.before} → {self.after}"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node hangs in the tree."""

    parent: Any
    field: str
    index: int | None
    function: str
    lines: range

    @property
    def node(self) -> ast.AST:
        value = getattr(self.parent, self.field)
        found: ast.AST = value if self.index is None else value[self.index]
        return found

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def original(source: str, path: str) -> Mutant:
    """Give the module without a fault, for a trial that every test must survive."""
    return Mutant("", range(1, len(source.splitlines()) + 1), "", "", compile(source, path, "exec", dont_inherit=True))


def mutants(source: str, path: str) -> Iterator[Mutant]:
    """Make every mutant of the module that *source* is; *path* is what tracebacks name."""
    tree = ast.parse(source, path)
    for place in list(_places(tree, "", range(0))):
        node = place.node
        for faulty in _faults(node):
            ast.fix_missing_locations(ast.copy_location(faulty, node))
            before, after = _short(node), _short(faulty)
            place.put(faulty)
            try:
                code = compile(tree, path, "exec", dont_inherit=True)
            except SyntaxError:  # such as a `continue` that came to stand in `finally`
                continue
            finally:
                place.put(node)
            yield Mutant(place.function, place.lines, before, after, code)


def _places(parent: ast.AST, function: str, lines: range) -> Iterator[_Place]:
    if isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        function = f"{function}.{parent.name}".lstrip(".")
    for field, value in ast.iter_fields(parent):
        if field in _UNSEEN or (isinstance(parent, ast.ClassDef) and field in {"decorator_list", "keywords"}):
            continue
        for index, node in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(node, ast.AST) or _left_alone(node, parent):
                continue
            around = _lines(node, lines)
            yield _Place(parent, field, index if isinstance(value, list) else None, function, around)
            yield from _places(node, function, around)


def _lines(node: ast.AST, around: range) -> range:
    """Give the lines of a simple statement, or of an expression at the head of a compound one."""
    if isinstance(node, ast.stmt) and not hasattr(node, "body"):
        return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    if isinstance(node, (ast.stmt, ast.ExceptHandler)):
        return range(node.lineno, node.lineno + 1)
    if isinstance(node, ast.expr) and not around:
        return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    if isinstance(node, ast.expr):
        return range(min(around.start, node.lineno), max(around.stop, (node.end_lineno or node.lineno) + 1))
    return around


def _left_alone(node: ast.AST, parent: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Call() if _logs(node):
            return True
        case ast.Expr(value=ast.Call() as call) if _logs(call):
            return True
        case ast.Subscript(value=ast.Name(id="Literal" | "Annotated")):
            return True
        case ast.Call(func=ast.Name(id=name)) if isinstance(parent, ast.Raise) or name in {
            "cast",
            "ParamSpec",
            "TypeVar",
        }:
            return True
        case ast.keyword(arg="description"):
            return True
    return False


def _logs(call: ast.Call) -> bool:
    """Say whether something is logged: `self._log.warning(…)`, `structlog.get_logger(…)`."""
    match call.func:
        case ast.Attribute(value=ast.Attribute(attr=name)) | ast.Attribute(value=ast.Name(id=name)):
            return name in _LOGS
    return False


def _faults(node: ast.AST) -> Iterator[ast.AST]:
    """Give what might stand in the node's place by mistake."""
    if isinstance(node, ast.stmt):
        yield from _faulty_statements(node)
    elif isinstance(node, ast.expr):
        yield from _faulty_operators(node)
        yield from _faulty_words(node)
    elif isinstance(node, ast.comprehension):
        for index, test in enumerate(node.ifs):
            others = [*node.ifs[:index], *([_negated(test)] if _is_plain(test) else []), *node.ifs[index + 1 :]]
            yield ast.comprehension(node.target, node.iter, others, node.is_async)
    elif isinstance(node, ast.ExceptHandler) and not isinstance(node.body[0], ast.Raise):
        yield ast.ExceptHandler(node.type, node.name, [ast.Raise()])


def _faulty_operators(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                for other in _COMPARISONS[type(operator)]:
                    yield ast.Compare(node.left, [*node.ops[:index], other(), *node.ops[index + 1 :]], node.comparators)
        case ast.BoolOp():
            for index in range(len(node.values)):
                rest = [*node.values[:index], *node.values[index + 1 :]]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.BinOp() if type(node.op) in _ARITHMETIC and not _is_text(node):
            yield ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
        case ast.IfExp() if _is_plain(node.test):
            yield ast.IfExp(_negated(node.test), node.body, node.orelse)


def _faulty_words(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Constant():
            yield from _other_constants(node.value)
        case ast.Attribute() if node.attr in _TWIN:
            yield ast.Attribute(node.value, _TWIN[node.attr], node.ctx)
        case ast.Name(id="min" | "max" | "any" | "all"):
            yield ast.Name(_TWIN[node.id], node.ctx)


def _faulty_statements(node: ast.stmt) -> Iterator[ast.stmt]:
    if isinstance(node, (ast.If, ast.While)) and _is_plain(node.test):
        yield type(node)(_negated(node.test), node.body, node.orelse)
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Continue):
        yield ast.Break()
    elif isinstance(node, ast.Break):
        yield ast.Continue()
    elif isinstance(node, (ast.Expr, ast.Raise, ast.Delete, ast.AugAssign)) or (
        isinstance(node, ast.Assign) and all(isinstance(to, (ast.Attribute, ast.Subscript)) for to in node.targets)
    ):
        yield ast.Pass()


def _other_constants(value: object) -> Iterator[ast.Constant]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, (int, float)):
        yield ast.Constant(value + 1)
    elif isinstance(value, str) and (not value.strip() or len(value.split()) == 1):
        yield ast.Constant(f"XX{value}")
    elif isinstance(value, bytes):
        yield ast.Constant(b"XX" + value)


def _is_plain(test: ast.expr) -> bool:
    """Say whether a condition has no operator of its own that is mutated."""
    return not isinstance(test, (ast.Compare, ast.BoolOp, ast.Constant)) and not (
        isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    )


def _negated(test: ast.expr) -> ast.expr:
    return ast.copy_location(ast.UnaryOp(ast.Not(), test), test)


def _is_text(node: ast.BinOp) -> bool:
    """Say whether texts are put together, which `-` cannot do in any case."""
    parts: Sequence[ast.expr] = (node.left, node.right)
    return any(
        isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.Constant) and isinstance(part.value, (str, bytes)))
        or (isinstance(part, ast.BinOp) and _is_text(part))
        for part in parts
    )


def _short(node: ast.AST) -> str:
    """Write a node in one line, a compound statement by its head."""
    if isinstance(node, ast.comprehension):
        return " ".join(["for …", *(f"if {ast.unparse(test)}" for test in node.ifs)])
    if isinstance(node, ast.ExceptHandler):
        return f"except: {ast.unparse(node.body[0])}".splitlines()[0]
    return ast.unparse(node).strip().splitlines()[0]
