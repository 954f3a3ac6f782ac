"""What the tests of a configuration gave."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shopbot.config.problem import Problem
from shopbot.model.outcome import JournalEntry


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that is not as a test expects it."""

    line: int
    """In the test file, from 1: the key that expects it."""
    column: int
    message: str
    """One line of plain words."""
    diff: tuple[str, ...] = ()
    """Lines of a unified diff from the expected text to the one that was sent, or of a text to look at."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What one test gave."""

    name: str
    file: str
    """The test file, as the user named it."""
    line: int
    column: int
    failures: tuple[Failure, ...]
    """Empty when the test has passed."""
    seconds: float
    """How long it took."""
    journal: tuple[JournalEntry, ...] = ()
    """What happened to the event under test, step by step."""
    notes: tuple[str, ...] = ()
    """What else whoever looks into a failure wants to know."""

    @property
    def passed(self) -> bool:
        """Whether everything is as the test expects it."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What all tests of one configuration gave."""

    config: Path
    tests: Path
    """The test file, whether it is there or not."""
    results: tuple[TrialResult, ...] = ()
    """Of the tests that were run, in the order of the file; empty when there are errors among the problems."""
    problems: tuple[Problem, ...] = ()
    """Of the configuration and of the test file: errors, and warnings that stop nothing."""
    stand_ins: tuple[str, ...] = ()
    """Plugins by their places in shopbot.yaml in whose place a test answered: nothing was sent or asked for real."""
    absent: tuple[str, ...] = ()
    """Plugins that were not started, because no rule asks them."""
    skipped: int = 0
    """How many tests were not asked for."""
    seconds: float = field(default=0.0, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the configuration may be used: no errors, and no test has failed."""
        return not self.errors and all(result.passed for result in self.results)

    @property
    def errors(self) -> Sequence[Problem]:
        """Give the problems that keep the tests from being run."""
        return [problem for problem in self.problems if problem.severity == "error"]

    @property
    def failed(self) -> Sequence[TrialResult]:
        """Give the tests that have not passed."""
        return [result for result in self.results if not result.passed]
