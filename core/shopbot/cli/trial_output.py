"""Test results, for people and for scripts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from shopbot.cli.problem_output import problem_as_json
from shopbot.model.outcome import JournalEntry
from shopbot.trials.report import TrialReport, TrialResult

_STYLES: Mapping[str, str] = {"+": "green", "-": "red", "@": "cyan"}
"""Of a diff's lines, by their first character."""


class TrialOutput:
    """Tells of tests as they end, and then of everything that is wrong."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        """Print to this console.

        quiet: print nothing, because a script reads what there is.
        """
        self._console = console
        self._quiet = quiet
        self._tests: Path | None = None

    def begin(self, tests: Path) -> None:
        """Say which tests are run."""
        self._line(Text(str(tests), style="bold"))

    def result(self, result: TrialResult) -> None:
        """Tell of a test that has ended."""
        mark = Text("  ✓ ", style="green") if result.passed else Text("  ✗ ", style="bold red")
        self._line(mark + Text(result.name))

    def end(self, report: TrialReport) -> None:
        """Tell what is wrong, and sum up."""
        for problem in report.problems:
            self._line(Text(str(problem)))
        for result in report.failed:
            self._failed(result)
        for what, places in (("the tests answer for", report.stand_ins), ("not started", report.absent)):
            if places and report.results:
                self._line(Text(f"{what}: {', '.join(places)}", style="dim"))
        self._line(Text(summary(report), style="bold green" if report.ok else "bold red"))

    def _failed(self, result: TrialResult) -> None:
        self._line(Text())
        for failure in result.failures:
            place = Text(f"{result.file}:{failure.line}:{failure.column}: ", style="bold")
            self._line(place + Text(f"{result.name}: {failure.message}", style="red"))
            for line in failure.diff:
                self._line(Text(f"    {line}", style=_STYLES.get(line[:1], "")))
        if result.journal:
            self._line(Text("  what happened:", style="dim"))
            for line in _journal(result.journal):
                self._line(Text(f"    {line}", style="dim"))
        for note in result.notes:
            self._line(Text(f"  {note}", style="yellow"))

    def _line(self, text: Text) -> None:
        if not self._quiet:
            self._console.print(text, soft_wrap=True)


def summary(report: TrialReport) -> str:
    """Sum up in one line: how many tests passed, or that they were not run."""
    if report.errors:
        count = len(report.errors)
        return f"{report.tests}: {count} problem{'s' if count > 1 else ''}, and no test was run"
    passed = len(report.results) - len(report.failed)
    parts = [f"{passed} passed"]
    parts += [f"{len(report.failed)} failed"] if report.failed else []
    parts += [f"{report.skipped} not asked for"] if report.skipped else []
    return f"{report.tests}: {', '.join(parts)} in {report.seconds:.1f} s"


def report_as_json(report: TrialReport) -> Mapping[str, object]:
    """Give everything that a report has, for `--json`."""
    return {
        "config": str(report.config),
        "tests": str(report.tests),
        "ok": report.ok,
        "seconds": round(report.seconds, 3),
        "problems": [problem_as_json(problem) for problem in report.problems],
        "results": [_result_as_json(result) for result in report.results],
        "skipped": report.skipped,
        "stand_ins": list(report.stand_ins),
        "absent": list(report.absent),
    }


def _result_as_json(result: TrialResult) -> Mapping[str, object]:
    return {
        "name": result.name,
        "file": result.file,
        "line": result.line,
        "column": result.column,
        "passed": result.passed,
        "seconds": round(result.seconds, 3),
        "failures": [
            {
                "line": failure.line,
                "column": failure.column,
                "message": failure.message,
                "diff": list(failure.diff),
            }
            for failure in result.failures
        ],
        "journal": [entry.model_dump(mode="json", exclude_defaults=True) for entry in result.journal],
        "notes": list(result.notes),
    }


def _journal(journal: Sequence[JournalEntry]) -> Iterator[str]:
    """Give the lines of a journal in columns: rule and step, how it ended, why, and what else is known."""
    seen: set[str] = set()
    rows: list[tuple[str, str, str, str]] = []
    for entry in journal:
        # Steps say again in full what the one before them has said.
        detail = "" if entry.detail in seen else entry.detail
        seen.add(entry.detail)
        step = f"{entry.rule or 'the event'} {entry.step}".strip()
        more = ": ".join(part for part in (entry.plugin, detail) if part)
        rows.append((step, entry.status.value, entry.reason or "", more))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
