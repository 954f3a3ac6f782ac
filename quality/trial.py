"""Tries mutants: each in a process of its own, forked off one that has imported everything but shopbot."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

import pytest
from quality.covering import Covering
from quality.mutants import Mutant

_HEAVY: Final = (
    *("babel.dates", "fakeredis", "holidays", "httpx", "hypothesis", "jinja2.sandbox", "prometheus_client", "pydantic"),
    *("redis.asyncio", "rich.console", "sanic", "structlog", "typer", "uvloop", "watchfiles"),
)
"""What takes long to import and knows nothing of shopbot."""
_HALT_SECONDS: Final = 3.0
"""Between two looks at the trials that are running lie hundredths; so many say that the machine or we were halted."""
PYTEST_OPTIONS: Final = (
    *(
        "-q",
        "--no-header",
        "--assert=plain",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-p",
        "no:asyncio",
        "-p",
        "no:hypothesispytest",
    ),
    *("-o", "addopts=--import-mode=importlib", "-o", "timeout=0"),
)


class Verdict(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    """A test failed, or shopbot could not be imported."""
    STUCK = "stuck"
    """The tests did not end in time, which nobody would overlook."""
    SURVIVED = "survived"
    UNTESTED = "untested"
    """No test executes the line."""


@dataclass(frozen=True, slots=True)
class Result:
    """A mutant and its fate."""

    module: str
    mutant: Mutant
    verdict: Verdict
    tests: int
    """How many were chosen to try it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A mutant and the tests that execute what is wrong in it."""

    module: str
    """Its dotted name."""
    path: Path
    mutant: Mutant
    tests: Sequence[str]
    seconds: float
    """What the tests take without a fault."""
    repeated: bool = False
    """Whether it is the second trial, whose verdict is final."""


@dataclass(slots=True)
class _Running:
    """A candidate whose tests are running."""

    candidate: Candidate
    deadline: float
    """By the monotonic clock."""
    scratch: Path
    doubtful: bool = False
    """Whether time went by in which nothing here could run."""


def warm_up() -> None:
    """Import what every trial needs, once."""
    for name in _HEAVY:
        importlib.import_module(name)


def choose(module: str, path: Path, mutant: Mutant, covering: Covering, budget_seconds: float) -> Candidate:
    """Choose tests for a mutant: the quickest that execute it, at least one, as many as *budget_seconds* allow.

    Those in the file that mirrors the module come first: they are most likely to notice.
    """
    chosen: list[str] = []
    total = 0.0
    mirror = f"test_{path.stem.strip('_')}"
    for test in sorted(
        covering.tests(path, mutant.lines), key=lambda test: Path(test.partition("::")[0]).stem != mirror
    ):
        total += covering.seconds[test]
        if chosen and total > budget_seconds:
            break
        chosen.append(test)
    return Candidate(module, path, mutant, chosen, sum(covering.seconds[test] for test in chosen))


def try_all(candidates: Iterable[Candidate], *, processes: int, patience: float) -> Iterator[Result]:
    """Try the candidates, several at a time; results come as they end.

    patience: how many times as long as without a fault the tests may take, before their mutant counts as stuck.

    What does not end in time is tried a second time, and so is what fails while everything here was halted for a
    moment (a laptop that sleeps, a container that is paused): the limits of time in the tests go on meanwhile.
    """
    running: dict[int, _Running] = {}
    waiting = iter(candidates)
    again: list[Candidate] = []
    exhausted = False
    looked = time.monotonic()
    while not exhausted or again or running:
        while (again or not exhausted) and len(running) < processes:
            following = again.pop() if again else next(waiting, None)
            if following is None:
                exhausted = True
            elif not following.tests:
                yield Result(following.module, following.mutant, Verdict.UNTESTED, 0)
            else:
                scratch = Path(tempfile.mkdtemp(prefix="mutant-"))
                deadline = time.monotonic() + 20 + patience * following.seconds
                running[_in_child(_trial(following, scratch))] = _Running(following, deadline, scratch)
        halted = time.monotonic() - looked > _HALT_SECONDS
        for child, trial in list(running.items()):
            trial.doubtful |= halted
            ended, status = os.waitpid(child, os.WNOHANG)
            late = ended == 0 and time.monotonic() > trial.deadline
            if late:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
            if late or ended:
                del running[child]
                shutil.rmtree(trial.scratch, ignore_errors=True)
                tried = trial.candidate
                passed = not late and os.waitstatus_to_exitcode(status) == pytest.ExitCode.OK
                if not passed and not tried.repeated and (late or trial.doubtful):
                    again.append(replace(tried, repeated=True))
                    continue
                verdict = Verdict.STUCK if late else Verdict.SURVIVED if passed else Verdict.KILLED
                yield Result(tried.module, tried.mutant, verdict, len(tried.tests))
        looked = time.monotonic()
        time.sleep(0.02)


def in_child(work: Callable[[], int]) -> int:
    """Do *work* in a forked process and give its exit code."""
    _, status = os.waitpid(_in_child(work), 0)
    return os.waitstatus_to_exitcode(status)


def _in_child(work: Callable[[], int]) -> int:
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setsid()
        code = work()
    finally:
        os._exit(code)  # the parent's way out is not the child's


def _trial(tried: Candidate, scratch: Path) -> Callable[[], int]:
    def work() -> int:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        sys.meta_path.insert(0, _Finder(tried.module, tried.path, tried.mutant.code))
        files = sorted({test.partition("::")[0] for test in tried.tests})
        return int(
            pytest.main([*PYTEST_OPTIONS, "-x", f"--basetemp={scratch}/t", *files], plugins=[_Selection(tried.tests)])
        )

    return work


class _Selection:
    """A pytest plugin that runs the chosen tests, in their order, and makes property tests quick and repeatable."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._order = {test: index for index, test in enumerate(tests)}

    def pytest_configure(self) -> None:
        steady_properties()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid]
        )


def steady_properties() -> None:
    """Have hypothesis try the same examples each time, and not look for the smallest that fails."""
    from hypothesis import HealthCheck, Phase, settings  # noqa: PLC0415 - the parent has imported it

    settings.register_profile(
        "mutation",
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutation")


class _Finder(importlib.abc.MetaPathFinder):
    """Imports the mutant in place of its module."""

    def __init__(self, module: str, path: Path, code: CodeType) -> None:
        self._module = module
        self._path = path
        self._code = code

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the protocol of finders
        target: ModuleType | None = None,  # noqa: ARG002 - likewise
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        loader = _Loader(fullname, str(self._path), self._code)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, code: CodeType) -> None:
        super().__init__(fullname, path)
        self._mutant = code

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the protocol of loaders
        return self._mutant
