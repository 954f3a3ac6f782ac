"""`shopbot new-plugin`: a plugin that works, to begin with."""

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from shopbot.cli.arguments import JsonOption
from shopbot.discovery import discover
from shopbot.scaffold.draft import Draft, Kind, draft_drop_in, draft_package
from shopbot.scaffold.plugin_name import already_taken, wrong_form

_HERE = Path()
_PLUGINS_DIR = Path("plugins.d")


def _usable(name: str) -> str:
    complaint = wrong_form(name)
    if complaint is not None:
        raise typer.BadParameter(complaint)
    return name


def new_plugin(
    name: Annotated[str, typer.Argument(callback=_usable, help="What it is called in shopbot.yaml: customer_list.")],
    kind: Annotated[Kind, typer.Option("--kind", help="What it is for.")],
    drop_in: Annotated[
        bool, typer.Option("--drop-in", help="One file for this shop alone, in the place of a package.")
    ] = False,
    tests: Annotated[bool, typer.Option(help="With --drop-in: whether to write its tests, into tests/.")] = True,
    directory: Annotated[Path, typer.Option("--directory", help="Where to make it.")] = _HERE,
    plugins_dir: Annotated[Path, typer.Option("--plugins-dir", help="Where drop-in plugins lie.")] = _PLUGINS_DIR,
    as_json: JsonOption = False,
) -> None:
    """Write a new plugin: a package with settings, manual and tests, or one file with --drop-in.

    What is written works as it stands and passes its tests; change it into what you need. Nothing that exists is
    overwritten.

    Example: shopbot new-plugin customer_list --kind resolver --drop-in
    """
    complaint = already_taken(name, kind, discover(directory / plugins_dir))
    if complaint is not None:
        _give_up(f"{complaint}; choose another name")
    if drop_in:
        draft = draft_drop_in(name, kind, directory, plugins_dir, tests=tests)
    else:
        draft = draft_package(name, kind, directory)
    try:
        _write(draft.files)
    except OSError as error:
        _give_up(f"{error.filename}: {error.strerror}")
    if as_json:
        typer.echo(json.dumps(_as_json(name, kind, draft), indent=2))
    else:
        _tell(kind, draft)


def _write(files: Mapping[Path, str]) -> None:
    """Write all files, or none where one of them is there already."""
    for path in files:
        if path.exists() or path.is_symlink():
            _give_up(f"{path} exists; nothing was written")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)


def _give_up(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(1)


def _tell(kind: Kind, draft: Draft) -> None:
    typer.echo(f"made a plugin ({kind}):")
    for path in draft.files:
        typer.echo(f"  {path}")
    typer.echo("\nshopbot.yaml uses it so:\n")
    typer.echo(textwrap.indent(draft.entry, "  "))
    typer.echo("next:")
    for command in draft.next_commands:
        typer.echo(f"  $ {command}")


def _as_json(name: str, kind: Kind, draft: Draft) -> Mapping[str, object]:
    return {
        "name": name,
        "kind": kind,
        "files": [str(path) for path in draft.files],
        "entry": draft.entry,
        "next": list(draft.next_commands),
    }
