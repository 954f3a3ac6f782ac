"""The mutants that `make mutation` tries: which faults are made, and which are not."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from quality.covering import Covering
from quality.mutants import mutants
from quality.trial import choose

ROOT = Path(__file__).parents[2]


def changes(source: str) -> set[str]:
    return {mutant.change for mutant in mutants(source, "module.py")}


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("x = a < b", {"a < b → a <= b", "a < b → a >= b"}),
        ("x = a is None", {"a is None → a is not None"}),
        ("x = a and b()", {"a and b() → a", "a and b() → b()"}),
        ("x = a or b or c", {"a or b or c → b or c", "a or b or c → a or c", "a or b or c → a or b"}),
        ("x = not a", {"not a → a"}),
        ("x = a + b", {"a + b → a - b"}),
        ("x = a if b else c", {"a if b else c → a if not b else c"}),
        ("x = [a for a in b if a]", {"for … if a → for … if not a"}),
        ("x = 5", {"5 → 6"}),
        ("x = True", {"True → False"}),
        ("x = 'key'", {"'key' → 'XXkey'"}),
        ("x = a.startswith(b)", {"a.startswith → a.endswith"}),
        ("x = max(a)", {"max → min"}),
        ("if a:\n    b = c", {"if a: → if not a:"}),
        ("a.b = c", {"a.b = c → pass"}),
        ("a += b", {"a += b → pass"}),
        ("a(b)", {"a(b) → pass"}),
        ("raise A", {"raise A → pass"}),
        ("def f():\n    return a", {"return a → return None"}),
        ("for a in b:\n    continue", {"continue → break"}),
        ("try:\n    a = b\nexcept C:\n    a = d", {"except: a = d → except: raise"}),
    ],
)
def test_faults_are_those_of_programmers(source: str, faults: set[str]) -> None:
    assert changes(source) == faults


@pytest.mark.parametrize(
    "source",
    [
        "import a",
        '"""A docstring."""',
        "x: Literal['a'] = b",
        "def f(a: int | None) -> 'str': ...",
        "x = 'some prose'",
        "x = f'{a}b'",
        "def f(self):\n    self._log.warning('event', key=5)",
        "@dataclass(frozen=True)\nclass A(B, frozen=True): ...",
        "x = Field(a, description='word')",
        "if TYPE_CHECKING:\n    x = 5",
        "T = TypeVar('T')",
    ],
)
def test_what_no_test_ought_to_pin_is_left_alone(source: str) -> None:
    assert changes(source) == set()


def test_the_text_of_an_error_is_left_alone_and_that_it_is_raised_is_not() -> None:
    assert changes("raise A('word')") == {"raise A('word') → pass"}


def test_a_mutant_has_its_one_fault_and_the_next_one_not() -> None:
    made = list(mutants("def f(a):\n    return a < 5 and a != 2\n", "module.py"))

    assert [mutant.function for mutant in made] == ["f"] * len(made)
    assert {tuple(mutant.lines) for mutant in made} == {(2,)}
    results = {}
    for mutant in made:
        names: dict[str, object] = {}
        exec(mutant.code, names)  # noqa: S102 - what is tested
        function = names["f"]
        assert callable(function)
        results[mutant.change] = [function(a) for a in (1, 2, 5, 6)]
    assert results == {
        "return a < 5 and a != 2 → return None": [None] * 4,
        "a < 5 and a != 2 → a != 2": [True, False, True, True],
        "a < 5 and a != 2 → a < 5": [True, True, False, False],
        "a < 5 → a <= 5": [True, False, True, False],
        "a < 5 → a >= 5": [False, False, True, True],
        "5 → 6": [True, False, True, False],
        "a != 2 → a == 2": [False, True, False, False],
        "2 → 3": [True, True, False, False],
    }


def _listed() -> Iterator[tuple[str, str, str]]:
    for survivor in tomllib.loads((ROOT / "quality" / "survivors.toml").read_text(encoding="utf-8"))["survivor"]:
        assert len(survivor["reason"].split()) > 1
        yield survivor["module"], survivor["function"], survivor["change"]


def test_every_listed_survivor_is_a_mutant_of_todays_code() -> None:
    listed = set(_listed())
    made = set()
    for module in {module for module, _, _ in listed}:
        root = "plugins" if module.startswith("shopbot_plugins.") else "core"
        path = ROOT / root / Path(*module.split(".")).with_suffix(".py")
        made |= {(module, one.function, one.change) for one in mutants(path.read_text(encoding="utf-8"), str(path))}

    assert not listed - made, "take out what is no mutant any more"


def test_a_mutant_is_tried_by_the_tests_that_execute_its_lines_the_quickest_first() -> None:
    covering = Covering(
        seconds={"a.py::slow": 2.0, "a.py::quick": 0.1, "a.py::other": 0.2, "b.py::far": 0.3},
        lines={"/m.py": {1: [], 5: ["a.py::slow", "a.py::quick"], 6: ["a.py::failing"]}},
        imported={"/m.py": [1]},
    )

    assert covering.tests(Path("/m.py"), [5, 6]) == ["a.py::quick", "a.py::slow"]
    assert covering.tests(Path("/m.py"), [1]) == ["a.py::quick", "a.py::other", "a.py::slow"], "an import's line"
    assert covering.tests(Path("/m.py"), [9]) == []
    assert covering.tests(Path("/other.py"), [5]) == []
    assert [covering.imports(Path("/m.py"), lines) for lines in ([1, 2], [5])] == [True, False]


@pytest.mark.parametrize(("budget_seconds", "count"), [(0.5, 1), (2.0, 1), (2.1, 2), (60.0, 3)])
def test_the_file_that_mirrors_the_module_comes_first_and_a_budget_bounds_the_rest(
    budget_seconds: float, count: int
) -> None:
    tests = {"t/test_m.py::slow": 2.0, "t/test_other.py::quick": 0.1, "t/test_other.py::slow": 3.0}
    covering = Covering(seconds=tests, lines={"/_m.py": {1: list(tests)}}, imported={})
    [mutant] = mutants("x = 5", "/_m.py")

    assert list(choose("m", Path("/_m.py"), mutant, covering, budget_seconds).tests) == list(tests)[:count]
