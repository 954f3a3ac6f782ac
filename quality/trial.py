"""Tries mutants: each in a process of its own, which is forked off this one."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from quality.covering import Covering
from quality.mutants import Mutant

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
    imported: bool = False
    """Whether the import, or the collection of the tests, executes a line of it, too."""
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


def choose(module: str, path: Path, mutant: Mutant, covering: Covering, budget_seconds: float) -> Candidate:
    """Choose tests for a mutant: the quickest that execute it, at least one, as many as *budget_seconds* allow.

    Those in the file that mirrors the module come first: they are most likely to notice.
    """
    chosen: list[str] = []
    total = 0.0
    mirror = f"test_{path.stem.strip('_')}"
    executing = covering.tests(path, mutant.lines, defining=not mutant.function)
    for test in sorted(executing, key=lambda test: Path(test.partition("::")[0]).stem != mirror):
        total += covering.seconds[test]
        if chosen and total > budget_seconds:
            break
        chosen.append(test)
    seconds = sum(covering.seconds[test] for test in chosen)
    return Candidate(module, path, mutant, chosen, seconds, imported=covering.imports(path, mutant.lines))


Trial = Callable[[Candidate, Path], int]
"""Runs a candidate's tests in a forked process, with a directory for what they write; gives pytest's exit code."""


def try_all(candidates: Iterable[Candidate], trial: Trial, *, processes: int, patience: float) -> Iterator[Result]:
    """Try the candidates, several at a time; results come as they end.

    patience: how many times as long as without a fault the tests may take, before their mutant counts as stuck.

    What does not end in time is tried a second time, and so is what fails while everything here was halted for a
    moment (a laptop that sleeps, a container that is paused): the limits of time in the tests go on meanwhile, ours
    here do not.
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
                running[fork(partial(trial, following, scratch))] = _Running(following, deadline, scratch)
        unseen_seconds = time.monotonic() - looked
        halted = unseen_seconds > _HALT_SECONDS
        for child, run in list(running.items()):
            if halted:
                run.doubtful = True
                run.deadline += unseen_seconds
            ended, status = os.waitpid(child, os.WNOHANG)
            late = ended == 0 and time.monotonic() > run.deadline
            if late:
                end(child)
            if late or ended:
                del running[child]
                shutil.rmtree(run.scratch, ignore_errors=True)
                tried = run.candidate
                passed = not late and os.waitstatus_to_exitcode(status) == pytest.ExitCode.OK
                if not passed and not tried.repeated and (late or run.doubtful):
                    again.append(replace(tried, repeated=True))
                    continue
                verdict = Verdict.STUCK if late else Verdict.SURVIVED if passed else Verdict.KILLED
                yield Result(tried.module, tried.mutant, verdict, len(tried.tests))
        looked = time.monotonic()
        time.sleep(0.02)


def in_child(work: Callable[[], int]) -> int:
    """Do *work* in a forked process and give its exit code."""
    _, status = os.waitpid(fork(work), 0)
    return os.waitstatus_to_exitcode(status)


def fork(work: Callable[[], int]) -> int:
    """Begin *work* in a forked process, which leads a group of its own and ends with its result; gives its id."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setsid()
        code = work()
    finally:
        os._exit(code)  # the parent's way out is not the child's


def end(child: int) -> None:
    """Kill a forked process with its group, and wait for it; where all was halted it may not lead a group yet."""
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def silence(descriptor: int) -> None:
    """Have what this process writes there be read by nobody."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


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
