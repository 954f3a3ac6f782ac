"""Mutants in place: which functions of a running process a fault changes, and which faults only an import can show."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from quality.living import living_functions, replacements
from quality.mutants import mutants

SOURCE = """
from functools import wraps

LIMIT = 5
SQUARES = [n * n for n in range(3)]
PAIR = (lambda a: a + 1), (lambda a: a + 1)

def counted(function):
    @wraps(function)
    def call(*values):
        return function(*values) + 100
    return call

def less(a, b=7):
    return a < b

@counted
def double(a):
    return a * 2

class Box:
    size = 30

    def holds(self, a):
        return any(a <= self.size for _ in range(1))

    @staticmethod
    def next(a):
        return a - 1

def late(a):
    def inner():
        return a == 4
    return inner

"""


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    path = tmp_path / "shop.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("shop", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def put_in_place(module: ModuleType, change: str) -> bool:
    """Make the module faulty; False where only an import could."""
    path = str(module.__file__)
    original = compile(SOURCE, path, "exec", dont_inherit=True)
    [mutant] = [one for one in mutants(SOURCE, path) if one.change == change]
    replaced = replacements(original, mutant.code, living_functions({path}))
    for function, code in replaced or ():
        function.__code__ = code
    return bool(replaced)


def results(module: ModuleType) -> dict[str, object]:
    box = module.Box()
    return {
        "less": [module.less(a) for a in (6, 7, 8)],
        "double": module.double(3),
        "holds": [box.holds(a) for a in (29, 30, 31)],
        "next": module.Box.next(1),
        "late": [module.late(a)() for a in (3, 4)],
    }


@pytest.mark.parametrize(
    ("change", "result"),
    [
        ("a < b → a <= b", {"less": [True, True, False]}),
        ("a * 2 → a / 2", {"double": 101.5}),
        ("function(*values) + 100 → function(*values) - 100", {"double": -94}),
        ("a <= self.size → a < self.size", {"holds": [True, False, False]}),
        ("a - 1 → a + 1", {"next": 2}),
        ("a == 4 → a != 4", {"late": [True, False]}),
    ],
    ids=["a function", "one behind a decorator", "what the decorator made", "a method", "a static one", "a closure"],
)
def test_a_fault_in_a_function_takes_its_place_wherever_the_process_holds_it(
    module: ModuleType, change: str, result: dict[str, object]
) -> None:
    held = module.less, module.double, module.Box
    before = results(module)

    assert put_in_place(module, change)

    assert results(module) == before | result
    assert (module.less, module.double, module.Box) == held


@pytest.mark.parametrize(
    "change",
    ["5 → 6", "n * n → n / n", "7 → 8", "30 → 31"],
    ids=["a constant", "what the import has worked out", "the default of a parameter", "a class's attribute"],
)
def test_what_the_import_decides_cannot_be_put_in_place(module: ModuleType, change: str) -> None:
    before = results(module)

    assert not put_in_place(module, change)

    assert results(module) == before


def test_of_two_functions_that_look_the_same_none_is_taken_for_the_other(module: ModuleType) -> None:
    """Where Python does not tell them apart by their columns, the import has to."""
    path = str(module.__file__)
    original = compile(SOURCE, path, "exec", dont_inherit=True)
    faulty = [one for one in mutants(SOURCE, path) if one.change == "a + 1 → a - 1"]

    for function, mutant in zip(module.PAIR, faulty, strict=True):
        replaced = replacements(original, mutant.code, living_functions({path}))
        assert replaced is None or [of for of, _ in replaced] == [function]


def test_the_module_without_a_fault_is_in_place_already(module: ModuleType) -> None:
    path = str(module.__file__)
    original = compile(SOURCE, path, "exec", dont_inherit=True)

    assert replacements(original, original, living_functions({path})) == []
