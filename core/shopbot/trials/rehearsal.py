"""`python -m shopbot.trials.rehearsal`: says whether a new version may take over in a running host.

It is checked as at a start, together with the other shops' versions, held against what cannot change while the host
runs, and its tests are run. Started by the supervisor and by nobody else.
"""

import argparse
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from shopbot.config.loader import read
from shopbot.config.settings import LogSettings
from shopbot.config.snapshot import Snapshot
from shopbot.host.fixed_settings import needs_restart
from shopbot.host.fleet import check_fleet
from shopbot.host.log_masks import masked
from shopbot.host.logs import configure_logging
from shopbot.host.process import die_with
from shopbot.host.rehearsal import RehearsalAnswer
from shopbot.store.errors import StoreError
from shopbot.trials.report import TrialReport, TrialResult
from shopbot.trials.runner import run_tests

_NICENESS = 10
"""Orders come first: the host goes on beside it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try a version and write what that gave."""
    parser = argparse.ArgumentParser(prog="shopbot.trials.rehearsal")
    parser.add_argument("--answer", type=Path, required=True, help="the file to write the answer to")
    parser.add_argument("--supervisor-fd", type=int, required=True, help="ends when the supervisor does")
    parser.add_argument("--new", type=Path, required=True, help="the version to try")
    parser.add_argument("--live", type=Path, required=True, help="the version of the same shop that runs")
    parser.add_argument("snapshots", type=Path, nargs="+", help="the versions of all shops, the new one included")
    options = parser.parse_args(arguments)
    threading.Thread(target=die_with, args=(options.supervisor_fd,), daemon=True, name="supervisor").start()
    os.nice(_NICENESS)
    configure_logging(LogSettings(level="error"))
    snapshots = [Snapshot.open(directory) for directory in options.snapshots]
    answer = rehearse(Snapshot.open(options.new), Snapshot.open(options.live), snapshots, os.environ)
    options.answer.write_text(answer.model_dump_json(), encoding="utf-8")
    return 0


def rehearse(
    new: Snapshot, live: Snapshot, snapshots: Sequence[Snapshot], environ: Mapping[str, str]
) -> RehearsalAnswer:
    """Say whether a version may take over from the one that runs.

    snapshots: of all shops, the new one included.
    """
    found = check_fleet([one.config for one in snapshots], environ, snapshots).problems
    # Errors wherever they are: what two shops have in common is said of the other one's file, too.
    errors = [str(problem) for problem in found if problem.severity == "error"]
    warnings = [str(one) for one in found if one.severity == "warning" and one.file == str(new.config)]
    running = read(live.config, environ, snapshot=live).settings
    if running is not None:
        errors += map(str, needs_restart(running, read(new.config, environ, snapshot=new)))
    passed = 0
    if not errors:
        # Also when the check has found nothing: the tests' own file may have problems.
        try:
            report = run_tests(new.config, environ, snapshot=new)
        except StoreError as error:
            errors.append(f"the tests could not be run: {error}")
        else:
            errors += _failures(report)
            passed = len(report.results) - len(report.failed)
    return RehearsalAnswer(problems=tuple(errors), warnings=tuple(warnings), tests=passed)


def _failures(report: TrialReport) -> Iterator[str]:
    yield from map(str, report.errors)
    for result in report.failed:
        yield from _failures_of(result)


def _failures_of(result: TrialResult) -> Iterator[str]:
    for failure in result.failures:
        place = f"{result.file}:{failure.line}:{failure.column}"
        yield f"{place}: the test {result.name!r} fails: {masked(failure.message)}"


if __name__ == "__main__":
    sys.exit(main())
