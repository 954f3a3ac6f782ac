"""`shopbot check`: every problem of a configuration, before an order finds it."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from shopbot.cli.arguments import ConfigsArgument, configurations
from shopbot.cli.problem_output import problem_as_json
from shopbot.config.problem import Problem
from shopbot.host.fleet import check_fleet


def check(
    configs: ConfigsArgument = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per problem.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail, too.")] = False,
) -> None:
    """Check configuration files: keys, values, variables, plugins and their settings, templates, and what they mean.

    Prints every problem as file:line:column: message. An error keeps the host from starting, since the shop would
    certainly misbehave; a warning says what is probably not meant. Exits with 0 when there is no error, 1 when there
    is one.

    Example: shopbot check shopbot.yaml
    """
    paths = configurations(configs)
    problems = check_fleet(paths, os.environ).problems
    for problem in problems:
        typer.echo(json.dumps(problem_as_json(problem)) if as_json else str(problem))
    errors = sum(problem.severity == "error" for problem in problems)
    if not as_json:
        for path in paths:
            typer.echo(_summary(path, [problem for problem in problems if problem.file == str(path)]))
    raise typer.Exit(1 if errors or (strict and problems) else 0)


def _summary(path: Path, problems: list[Problem]) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    parts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((errors, "problem"), (warnings, "warning"))
        if count
    ]
    return f"{path}: {' and '.join(parts) or 'no problems'}"
