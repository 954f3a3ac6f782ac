"""`shopbot schema`: the JSON schema of shopbot.yaml, for editors."""

import json
from pathlib import Path
from typing import Annotated

import typer

from shopbot.discovery import discover
from shopbot.host.schema import build_schema
from shopbot.trials.schema import build_trial_schema

_DEFAULT_DIRECTORY = Path("plugins.d")


def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    directory: Annotated[Path, typer.Option("--plugins-dir", help="Where drop-in plugins lie.")] = _DEFAULT_DIRECTORY,
    tests: Annotated[bool, typer.Option("--tests", help="The schema of test files, shopbot.test.yaml.")] = False,
) -> None:
    """Print the JSON schema of shopbot.yaml, with the settings of all installed plugins.

    Name it in the first line of shopbot.yaml (`# yaml-language-server: $schema=shopbot.schema.json`) and editors
    complete keys and mark mistakes.

    Example: shopbot schema --output config/shopbot.schema.json
    """
    described = build_trial_schema() if tests else build_schema(discover(directory))
    text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {output}")
