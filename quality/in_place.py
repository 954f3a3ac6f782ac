"""Tries mutants in place: in forks of one process that has imported shopbot and collected the tests.

In a fork the faulty codes take the place of those of the living functions, which spares the import and the collection.
What only another import could show is left to `by_import`: a fault outside of functions, such as the default of a
field, and one in a function that the import itself calls.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import Final, TextIO

import pytest
from quality import by_import
from quality.living import Replacement, living_functions, replacements
from quality.trial import PYTEST_OPTIONS, Candidate, Result, Verdict, fork, silence, steady_properties, try_all

_LEFT: Final = "left"
_END: Final = "end"


def try_in_place(candidates: Sequence[Candidate], *, processes: int, patience: float) -> Iterator[Result]:
    """Try the candidates as `try_all` does: in place where that can be, and then the others by the import.

    Raises `SystemExit` when the tests could not be collected.
    """
    reading, writing = os.pipe()

    def work() -> int:
        os.close(reading)
        silence(1)
        with os.fdopen(writing, "w", buffering=1) as report:
            desk = Desk(candidates, report, processes=processes, patience=patience)
            files = sorted({test.partition("::")[0] for one in candidates for test in one.tests})
            return int(pytest.main([*PYTEST_OPTIONS, "-x", "--capture=sys", *files], plugins=[desk]))

    child = fork(work)
    os.close(writing)
    left: list[Candidate] = []
    ended = False
    with os.fdopen(reading) as report:
        for line in report:
            number, word = line.split()
            tried = candidates[int(number)]
            if word == _END:
                ended = True
                break
            if word == _LEFT:
                left.append(tried)
            else:
                yield Result(tried.module, tried.mutant, Verdict(word), len(tried.tests))
    os.waitpid(child, 0)
    if not ended:
        raise SystemExit("the tests could not be collected: see above")
    if left:
        print(f"  {len(left)} of {len(candidates)} are decided by the import", flush=True)
    yield from try_all(left, by_import.trial, processes=processes, patience=patience)


class Desk:
    """A pytest plugin: where pytest would run the tests, it runs some of them for each candidate, in a fork."""

    def __init__(self, candidates: Sequence[Candidate], report: TextIO, *, processes: int, patience: float) -> None:
        """Write what becomes of each candidate to *report*: a line of its number and one word."""
        self._candidates = candidates
        self._report = report
        self._processes = processes
        self._patience = patience
        self._forked = False

    def pytest_configure(self) -> None:
        """Make property tests quick and repeatable."""
        steady_properties()

    def pytest_internalerror(self, excrepr: object) -> None:
        """Say what went wrong, which pytest would say where nobody listens."""
        print(excrepr, file=sys.__stderr__)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Try the candidates. In a fork, leave the chosen tests to pytest's own loop."""
        if self._forked:
            return None
        items = {item.nodeid: item for item in session.items}
        numbers = {id(one.mutant): number for number, one in enumerate(self._candidates)}
        replaced = self._replacements()

        def trial(tried: Candidate, scratch: Path) -> int:
            silence(2)
            os.environ["PYTEST_DEBUG_TEMPROOT"] = str(scratch)  # where pytest makes its `tmp_path`
            for function, code in replaced[id(tried.mutant)]:
                function.__code__ = code
            session.items = [items[test] for test in tried.tests]
            self._forked = True
            try:
                session.config.hook.pytest_runtestloop(session=session)
            except session.Failed:
                return pytest.ExitCode.TESTS_FAILED
            return pytest.ExitCode.TESTS_FAILED if session.testsfailed else pytest.ExitCode.OK

        here: list[Candidate] = []
        for one in self._candidates:
            if missing := [test for test in one.tests if test not in items]:
                raise LookupError(f"no such test any more: {missing[0]}")
            if id(one.mutant) in replaced:
                here.append(one)
            else:
                print(numbers[id(one.mutant)], _LEFT, file=self._report)
        for result in try_all(here, trial, processes=self._processes, patience=self._patience):
            print(numbers[id(result.mutant)], result.verdict, file=self._report)
        print(0, _END, file=self._report)
        return True

    def _replacements(self) -> Mapping[int, Sequence[Replacement]]:
        """Say what makes each mutant that can be tried here, by the identity of its object."""
        living = living_functions({str(one.path) for one in self._candidates})
        originals: dict[Path, CodeType] = {}
        found: dict[int, Sequence[Replacement]] = {}
        for one in self._candidates:
            if one.path not in originals:
                originals[one.path] = compile(one.path.read_bytes(), one.path, "exec", dont_inherit=True)
            replaced = replacements(originals[one.path], one.mutant.code, living)
            # The import has executed what a function decided when it was called by it.
            if replaced is not None and not (replaced and one.imported):
                found[id(one.mutant)] = replaced
        return found
