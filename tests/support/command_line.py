"""The command line, called in this process with a directory and an environment of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from shopbot.cli import build


@dataclass(frozen=True)
class Ended:
    """What a call left behind."""

    exit_code: int
    output: str
    """Standard output."""
    errors: str
    """Standard error."""


def shopbot(
    *arguments: str, directory: Path, environ: Mapping[str, str | None] | None = None, columns: int = 80
) -> Ended:
    """Call `shopbot` in *directory*.

    environ: variables to set, or with None to unset, besides those that the test runs with.
    columns: the terminal's width.

    Raises whatever the command line did not catch.
    """
    variables = {"COLUMNS": str(columns), "TERM": "dumb", **(environ or {})}
    with contextlib.chdir(directory):
        result = CliRunner().invoke(build(), arguments, env=variables, catch_exceptions=False)
    return Ended(result.exit_code, result.stdout, result.stderr)
