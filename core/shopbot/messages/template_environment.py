"""The Jinja environment that messages are compiled and rendered in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import BuiltinMethodType, MethodType
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateNotFound, TemplateSyntaxError, UndefinedError
from jinja2.runtime import BlockReference, Context, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from pydantic import BaseModel

from shopbot.messages.filters import Formatting
from shopbot.messages.template_budget import MAX_SOURCE_BYTES, STEPS_PER_FORMATTING, Budget
from shopbot.messages.template_filters import message_filters, message_tests
from shopbot.messages.template_language import (
    CHARGED,
    CONCATENATE,
    LITERAL,
    LOOP,
    WORK,
    Guard,
    check_name,
    did_you_mean,
)
from shopbot.messages.template_operations import bounded_range, check_string_call, operate
from shopbot.messages.template_values import (
    NotTextError,
    admit,
    check_length,
    is_readable,
    kind_of,
    size_of,
    size_of_all,
    text_of,
)


class MissingValueError(UndefinedError):
    """A template reads a name that does not exist."""

    def __init__(self, owner: object, name: object, message: str) -> None:
        super().__init__(message)
        self.owner = owner
        """What the name was looked for in; jinja2.utils.missing for the context itself."""
        self.name = name


class MissingValue(StrictUndefined):
    """Stands for a name that does not exist; any use but `is defined` and `default` raises MissingValueError."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: object = missing,
        name: str | None = None,
        exc: type[Exception] = UndefinedError,
    ) -> None:
        raises: Any = partial(MissingValueError, obj, name) if hint is None else exc
        super().__init__(hint, obj, name, raises)


class TemplateDirectories(BaseLoader):
    """Template files in a list of directories; the first that has a name wins."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = tuple(directories)

    def find(self, name: str) -> Path | None:
        """Find the file of that name; None when no directory has it. Raises ValueError for a name that is none."""
        check_name(name)
        return next((path for path in (place / name for place in self._directories) if path.is_file()), None)

    def find_first(self, names: Sequence[str]) -> str | None:
        """Find the best name, in the first directory that has any of them; None when none has.

        So a merchant who writes one text of their own is not overruled by a bundled translation.
        """
        for name in names:
            check_name(name)
        for place in self._directories:
            for name in names:
                if (place / name).is_file():
                    return name
        return None

    def translations(self, name: str) -> list[str]:
        """List *name* and its variants in a language, as far as `find_first` can find them; sorted."""
        folder, slash, file = check_name(name).rpartition("/")
        stem, _, suffixes = file.partition(".")
        found: set[str] = set()
        for place in self._directories:
            variants = (place / folder).glob(f"{stem}.*.{suffixes}")
            found.update(f"{folder}{slash}{path.name}" for path in variants if path.is_file())
            if (place / name).is_file():
                return sorted({*found, name})
        return sorted(found)

    def list_templates(self) -> list[str]:
        """List the names of all templates, for suggestions."""
        return sorted({
            path.relative_to(place).as_posix() for place in self._directories for path in place.rglob("*.j2")
        })  # fmt: skip

    def get_source(self, environment: Environment, template: str) -> tuple[str, None, None]:
        """Read a template, for Jinja; raises as `source` does.

        A host reads templates anew by making a new sandbox, not while it renders: hence the None that stands for
        Jinja's question whether a template is still up to date.
        """
        del environment
        return self.source(template), None, None

    def source(self, name: str) -> str:
        """Read a template.

        Raises TemplateNotFound when there is none, TemplateSyntaxError for a file that is too large or no UTF-8.
        """
        path = self.find(name)
        if path is None:
            raise TemplateNotFound(name)
        with path.open("rb") as file:
            source = file.read(MAX_SOURCE_BYTES + 1)
        try:
            return checked_source(source.decode("utf-8-sig"), name)  # some editors put a mark before the text
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise TemplateSyntaxError("the file is not in UTF-8", line, name) from error


def checked_source(source: str, name: str | None) -> str:
    """Return *source* if its size is within the limit; raises TemplateSyntaxError."""
    if len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
        raise TemplateSyntaxError(f"the template is larger than {MAX_SOURCE_BYTES // 1024} KiB", 1, name)
    return source


class MessageEnvironment(ImmutableSandboxedEnvironment):
    """Compiles templates through `Guard`; reads, calls and computes only what is on a list of allowed things."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(
        self,
        loader: TemplateDirectories,
        filters: Mapping[str, Callable[..., object]],
        tests: Mapping[str, Callable[..., object]],
    ) -> None:
        super().__init__(
            loader=loader,
            undefined=MissingValue,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
            finalize=_finalize,
            # Folding constants runs filters while compiling, outside of any budget, and takes quadratic time.
            optimized=False,
            cache_size=-1,
        )
        self.filters = {
            **message_filters(filters),
            LOOP: _counted,
            LITERAL: _literal,
            CONCATENATE: _concatenated,
            WORK: _work,
            CHARGED: _charged,
        }
        self.tests = message_tests(tests)  # type: ignore[assignment] # Jinja's annotation is narrower than its use
        self.globals = {"range": bounded_range}
        self._compiling: list[str | None] = []

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,  # noqa: FBT001, FBT002 - Jinja's signature
    ) -> str:
        """Generate code, as Jinja's documented hook; every way to compile a template leads through here."""
        guard = Guard(self, name)
        tree = guard.visit(source)
        self._compiling.append(name)
        try:
            for statement, names, required in guard.references:
                self._compile_referenced(statement, names, required=required)
        finally:
            self._compiling.pop()
        return super()._generate(tree, name, filename, defer_init)  # type: ignore[arg-type] # Template stays one

    def _compile_referenced(self, statement: nodes.Node, names: tuple[str, ...], *, required: bool) -> None:
        """Compile what a template names now, so that rendering reads no files and finds no errors in them."""
        here = self._compiling[-1]
        found = False
        for name in names:
            if name in self._compiling:
                raise TemplateSyntaxError(f"'{name}' includes itself", statement.lineno, here)
            try:
                self.get_template(name)
            except TemplateNotFound:
                continue
            found = True
        if required and not found:
            suggestion = did_you_mean(names[0], self.list_templates())
            raise TemplateSyntaxError(f"there is no template '{', '.join(names)}'{suggestion}", statement.lineno, here)

    def getattr(self, obj: object, attribute: str) -> object:
        """Read `obj.attribute`. A mapping's own keys come first: JSON has keys such as `items`."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, Undefined):
            return getattr(obj, attribute)  # raises the error that names it
        if is_readable(obj, attribute):
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: object, argument: object) -> object:
        """Read `obj[argument]`, and `obj['name']` as `obj.name`."""
        if isinstance(obj, Undefined):
            return obj.item  # raises the error that names it
        if isinstance(obj, Mapping):
            with suppress(KeyError, TypeError):  # a list cannot be a key
                return obj[argument]
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        if not isinstance(argument, int):
            return self.undefined(obj=obj, name=kind_of(argument))
        if isinstance(obj, str | list | tuple | range) and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self.undefined(obj=obj, name=str(argument))

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Say whether an attribute may be read; for those who ask, as this environment reads none without."""
        del value
        return is_readable(obj, attr)

    def is_safe_callable(self, obj: object) -> bool:
        """Say whether a template may call *obj*: macros, `range`, and methods of plain data."""
        if isinstance(obj, Macro | BlockReference) or obj is bounded_range:
            return True
        return isinstance(obj, BuiltinMethodType | MethodType) and is_readable(obj.__self__, obj.__name__)

    def call(self, context: Context, obj: Callable[..., object], /, *args: object, **kwargs: object) -> object:  # noqa: D102 - see Jinja
        if isinstance(obj, Undefined):
            return obj()  # raises the error that names it
        if not self.is_safe_callable(obj):
            raise SecurityError("this cannot be called in a message")
        budget = Budget.of(context)
        if isinstance(obj, Macro | BlockReference):
            with budget.nested():
                return context.call(obj, *args, **kwargs)
        owner = getattr(obj, "__self__", None)
        budget.spend(size_of_all((*args, owner) if isinstance(owner, str | list | tuple) else args))
        if isinstance(owner, str):
            check_string_call(owner, obj.__name__, args)
        return admit(context.call(obj, *args, **kwargs), budget)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:  # noqa: D102 - see Jinja
        return operate(operator, left, right, Budget.of(context))

    @staticmethod
    def concat(pieces: Iterable[str], /) -> str:
        """Join the output of a macro or a `set` block; raises LimitReachedError for more than may be sent."""
        parts: list[str] = []
        length = 0
        for piece in pieces:
            length += len(piece)
            check_length(length)
            parts.append(piece)
        return "".join(parts)


@pass_context
def _finalize(context: Context, value: object) -> str:
    budget = Budget.of(context)
    if not isinstance(value, str):
        budget.spend(STEPS_PER_FORMATTING)
    return budget.spend_on_text(text_of(value, Formatting.of(context)))


@pass_context
def _charged(context: Context, value: object) -> object:
    Budget.of(context).spend(size_of(value))
    return value


@pass_context
def _counted(context: Context, value: Iterable[object], steps: int) -> Iterator[object]:
    budget = Budget.of(context)
    if isinstance(value, BaseModel | str | bytes) or not isinstance(value, Iterable):
        raise NotTextError(f"a loop needs a list, not {kind_of(value)}")
    for item in value:
        budget.turn(steps)
        yield item


@pass_context
def _literal(context: Context, value: object) -> object:
    return admit(value, Budget.of(context))


@pass_context
def _concatenated(context: Context, values: list[object]) -> str:
    formatting, budget = Formatting.of(context), Budget.of(context)
    texts = [text_of(value, formatting) for value in values]
    check_length(sum(map(len, texts)))
    return budget.spend_on_text("".join(texts))


@pass_context
def _work(context: Context, steps: int) -> None:
    Budget.of(context).spend(steps)
