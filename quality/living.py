"""Finds the functions of a running process that a mutant changes, and what their code would be with the fault."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from inspect import CO_OPTIMIZED
from types import CodeType, FunctionType

Replacement = tuple[FunctionType, CodeType]
"""A function and the code that makes it faulty."""


def living_functions(paths: Collection[str]) -> Mapping[CodeType, Sequence[FunctionType]]:
    """Find every function of these files that this process has, by its code."""
    found: dict[CodeType, list[FunctionType]] = defaultdict(list)
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename in paths:
            found[one.__code__].append(one)
    return found


def replacements(
    original: CodeType, mutant: CodeType, living: Mapping[CodeType, Sequence[FunctionType]]
) -> Sequence[Replacement] | None:
    """List what makes a module the mutant that has been imported already; None where only another import can.

    That is so of a fault outside of functions, and of a function that is nowhere to be found: the import called it and
    has forgotten it, as it does with a comprehension.
    """
    outermost = list(_differing(original, mutant))
    found: list[Replacement] = []
    for before, after in outermost:
        # Codes of the same text in the same line, such as two lambdas, cannot be told apart.
        if before is None or after is None or before not in living or _count(original, before) != 1:
            return None
        # The living ones inside of it are closures that the import has made.
        for inner, faulty in ((before, after), *_inside(before, after)):
            functions = living.get(inner, ())
            if functions and (inner.co_freevars != faulty.co_freevars or inner.co_flags != faulty.co_flags):
                return None
            found += [(function, faulty) for function in functions]
    return found


def _is_function(code: CodeType) -> bool:
    """Say whether it is a function's code: a module's and a class's is executed once, where it stands."""
    return bool(code.co_flags & CO_OPTIMIZED)


def _differing(original: CodeType, mutant: CodeType) -> Iterator[tuple[CodeType, CodeType] | tuple[None, None]]:
    """Give the functions that differ, without those inside of them; two times None for what is not inside of any."""
    before, after = _parts(original), _parts(mutant)
    if (original.co_code, original.co_names, before) != (mutant.co_code, mutant.co_names, after):
        yield None, None
        return
    for one, other in zip(_codes(original), _codes(mutant), strict=True):
        if one == other:
            continue
        if _is_function(one):
            yield one, other
        else:
            yield from _differing(one, other)


def _parts(code: CodeType) -> Sequence[str]:
    """Write down a code's constants; of the codes among them only what they are called."""
    return [one.co_qualname if isinstance(one, CodeType) else repr(one) for one in code.co_consts]


def _codes(code: CodeType) -> Sequence[CodeType]:
    return [one for one in code.co_consts if isinstance(one, CodeType)]


def _inside(before: CodeType, after: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Give the functions inside of two, pair by pair; none where one has more of them."""
    inner, faulty = _codes(before), _codes(after)
    if len(inner) == len(faulty):
        for one, other in zip(inner, faulty, strict=True):
            yield one, other
            yield from _inside(one, other)


def _count(around: CodeType, wanted: CodeType) -> int:
    return sum((code == wanted) + _count(code, wanted) for code in _codes(around))
