"""Finds out which tests execute which lines, and how long each test takes."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import coverage
import pytest


@dataclass(frozen=True, slots=True)
class Covering:
    """What one run of tests executed in this process."""

    seconds: dict[str, float]
    """Of each test that passed, by its node id."""
    lines: dict[str, dict[int, list[str]]]
    """By file and line: the tests that execute it. Empty for what only the import executes."""
    imported: dict[str, list[int]]
    """By file: the lines that the import executes, or the collection of the tests."""

    def tests(self, path: Path, lines: Iterable[int], *, defining: bool = False) -> list[str]:
        """List the tests of *lines*, the quickest first.

        defining: whether they are executed once and define what others use, as a module's constants do.

        Of such lines, and of others that only the import executes, it is not known who looks at what they define: then
        it is every test in a file with tests that execute anything else of *path*. Those that execute a part of the
        lines, such as a function in a mapping, come before them.
        """
        of_file = self.lines.get(str(path), {})
        executed = [line for line in lines if line in of_file]
        found = {test for line in executed for test in of_file[line]}
        others: set[str] = set()
        if executed and (defining or not found):
            files = {_file(test) for tests in of_file.values() for test in tests}
            others = {test for test in self.seconds if _file(test) in files}
        return sorted(
            (found | others) & self.seconds.keys(), key=lambda test: (test not in found, self.seconds[test], test)
        )

    def imports(self, path: Path, lines: Iterable[int]) -> bool:
        """Say whether one of *lines* is executed before the first test."""
        return not set(self.imported.get(str(path), ())).isdisjoint(lines)

    def write(self, path: Path) -> None:
        """Keep it in a file."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Covering:
        """Read what `write` has written."""
        kept = json.loads(path.read_text())
        lines = {file: {int(line): tests for line, tests in of.items()} for file, of in kept["lines"].items()}
        return cls(seconds=kept["seconds"], lines=lines, imported=kept["imported"])


def _file(test: str) -> str:
    return test.partition("::")[0]


class Recorder:
    """A pytest plugin that tells coverage which test is running."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.seconds: dict[str, float] = {}
        self.useless: set[str] = set()
        """Tests that fail or are skipped: they could not tell a mutant from the original."""
        self._measured = measured

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Measure one test, with its fixtures."""
        self._measured.switch_context(item.nodeid)
        started = time.perf_counter()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.perf_counter() - started
            self._measured.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """See which tests do not pass."""
        if report.outcome != "passed":
            self.useless.add(report.nodeid)


def record(tests: Sequence[str], options: Sequence[str], sources: Collection[str]) -> Covering:
    """Run *tests* in this process, which must not have imported the *sources* yet.

    Raises `SystemExit` when pytest could not run them at all, which would make every line look untested.
    """
    measured = coverage.Coverage(data_file=None, source=list(sources), config_file=False)
    recorder = Recorder(measured)
    measured.start()
    ended = pytest.main([*options, *tests], plugins=[recorder])
    measured.stop()
    if ended not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        raise SystemExit(f"pytest could not run {' '.join(tests)}")
    data = measured.get_data()
    lines: dict[str, dict[int, list[str]]] = defaultdict(dict)
    imported: dict[str, list[int]] = defaultdict(list)
    for file in data.measured_files():
        for line, contexts in data.contexts_by_lineno(file).items():
            lines[file][line] = sorted(context for context in contexts if context)
            if "" in contexts:
                imported[file].append(line)
    passed = {test: took for test, took in recorder.seconds.items() if test not in recorder.useless}
    return Covering(seconds=passed, lines=dict(lines), imported=dict(imported))
