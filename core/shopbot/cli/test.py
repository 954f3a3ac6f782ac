"""`shopbot test`: the tests beside a configuration, on the real host."""

import json
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from shopbot.cli.arguments import JsonOption, configurations
from shopbot.cli.junit import junit
from shopbot.cli.sample_output import print_samples
from shopbot.cli.trial_output import TrialOutput, report_as_json
from shopbot.config.settings import LogSettings
from shopbot.host.logs import configure_logging
from shopbot.store.errors import StoreError
from shopbot.trials.reading import trial_file_of
from shopbot.trials.report import TrialReport
from shopbot.trials.runner import run_tests

_BEGIN_WITH = """\
tests:
  - name: A paid order is confirmed
    given: {cart: true}
    event: {sample: paid_order}
    expect:
      message: {contains: "#1234"}
"""


class LogLevel(StrEnum):
    """The least important line shown."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def try_configurations(
    configs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[CONFIG]...", help="Configuration files, or the test files beside them; shopbot.yaml unless given."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("-k", metavar="TEXT", help="Only tests with this in their names; may be repeated."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit XML report, too.")
    ] = None,
    as_json: JsonOption = False,
    samples: Annotated[bool, typer.Option("--samples", help="List the samples that tests can name, and exit.")] = False,
    log: Annotated[
        LogLevel | None, typer.Option("--log", help="Show the host's own log lines, from this level on.")
    ] = None,
) -> None:
    """Run the tests of a configuration: shopbot.test.yaml beside shopbot.yaml.

    Rules, plugins, limits, texts and the store are the real ones. Nothing is sent: the tests answer in the place of
    senders and of plugins that work elsewhere. Variables need not be set. Exits with 0 when all tests pass, 1 when one
    fails or a file has a problem, 2 when there is nothing to run.

    Example: shopbot test shopbot.yaml -k paid --junit report.xml
    """
    if samples:
        print_samples(as_json=as_json)
        return
    paths = configurations(configs)
    _refuse_without_tests(paths)
    configure_logging(LogSettings(level=log.value if log else "error"))
    wanted = [text.casefold() for text in only or ()]
    output = TrialOutput(Console(highlight=False), quiet=as_json)
    reports: list[TrialReport] = []
    try:
        for path in paths:
            output.begin(trial_file_of(path))
            reports.append(
                run_tests(
                    path,
                    os.environ,
                    wanted=lambda name: not wanted or any(text in name.casefold() for text in wanted),
                    watch=output.result,
                    log=log is not None,
                )
            )
            output.end(reports[-1])
    except StoreError as error:
        typer.echo(f"shopbot: {error}", err=True)
        raise typer.Exit(1) from error
    if report is not None:
        _write(report, junit(reports))
    if as_json:
        typer.echo(json.dumps([report_as_json(one) for one in reports], indent=2, ensure_ascii=False))
    if all(one.ok for one in reports) and not any(one.results for one in reports):
        typer.echo(f"no test has {' or '.join(map(repr, only or ()))} in its name", err=True)
        raise typer.Exit(2)
    raise typer.Exit(0 if all(one.ok for one in reports) else 1)


def _refuse_without_tests(paths: Sequence[Path]) -> None:
    """End with 2 where a configuration has no tests; one that is not there itself is a problem like any other."""
    for path in paths:
        tests = trial_file_of(path)
        if path.exists() and not tests.exists():
            typer.echo(f"{path} has no tests: there is no {tests}. Begin with:\n\n{_BEGIN_WITH}", err=True)
            raise typer.Exit(2)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        typer.echo(f"{path}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(2) from error
