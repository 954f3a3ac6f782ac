"""`shopbot backup`: a copy of the embedded store that is known to load."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from shopbot.cli.arguments import DEFAULT_CONFIG, ConfigOption, JsonOption
from shopbot.config.problem import ConfigError
from shopbot.host.blueprint import Blueprint, load_blueprint
from shopbot.host.logs import configure_logging
from shopbot.store.backup import back_up
from shopbot.store.errors import StoreError


def backup(
    target: Annotated[
        Path, typer.Argument(metavar="DIRECTORY", help="Where to; it must not exist, and appears once it is whole.")
    ],
    prove: Annotated[
        bool, typer.Option(help="Load the copy to see that it is whole, which takes the store's memory once more.")
    ] = True,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Copy the embedded store, beside a running host, to a directory that can take the place of data_dir.

    Exits with 1 where the copy could not be made, or not be loaded; then there is none. A server of your own
    (`store: redis://…`) has its own ways to be backed up. What plugins and exports have written into data_dir is not
    in it.

    Example: shopbot backup /var/backups/shopbot/2026-11-26
    """
    try:
        blueprint = load_blueprint(config, os.environ)
        configure_logging(blueprint.settings.log)  # the server of the proof may have something to say
        made = back_up(_data_dir(blueprint), target, prove=prove)
    except (ConfigError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps({"directory": str(made.directory), "bytes": made.size_bytes, "keys": made.keys}))
        return
    loaded = "not tried" if made.keys is None else f"loads, with {made.keys} keys"
    typer.echo(f"{made.directory}: {made.size_bytes / 1e6:.1f} MB, {loaded}")


def _data_dir(blueprint: Blueprint) -> Path:
    store = blueprint.settings.store
    if not store.embedded:
        raise StoreError(f"the store is a server of your own ({store}): back it up there, by its append-only file")
    return blueprint.data_dir
