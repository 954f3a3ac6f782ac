"""`shopbot plugins`: what is installed, and what each accepts."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from shopbot.cli.arguments import JsonOption
from shopbot.cli.plugin_settings import settings_of
from shopbot.config.problem import suggest
from shopbot.discovery import Found, PluginError, PluginType, discover

_DEFAULT_DIRECTORY = Path("plugins.d")
_AS_IT_STANDS = re.compile(r"^(\s|[-*|]\s|\d+\.\s)", re.MULTILINE)
"""What has a line like this is no prose: an example, a list, a table."""


def plugins(
    name: Annotated[str | None, typer.Argument(help="One plugin, with its manual and settings.")] = None,
    directory: Annotated[Path, typer.Option("--plugins-dir", help="Where drop-in plugins lie.")] = _DEFAULT_DIRECTORY,
    as_json: JsonOption = False,
) -> None:
    """List the plugins that shopbot.yaml can use, or show one of them.

    A plugin that does not import is listed with its error; the others work all the same.

    Example: shopbot plugins redis_cart
    """
    catalogue = discover(directory)
    if name is not None and name not in catalogue:
        hint = suggest(name, catalogue)
        typer.echo(f"no plugin named '{name}'; installed: {', '.join(catalogue) or 'none'}{hint}", err=True)
        raise typer.Exit(1)
    loaded = {found: _load(catalogue[found]) for found in ([name] if name else catalogue)}
    if as_json:
        typer.echo(json.dumps([_as_json(key, value) for key, value in loaded.items()], indent=2))
    elif name is not None:
        _show(loaded[name])
    else:
        _list(loaded)
    if any(isinstance(value, PluginError) for value in loaded.values()):
        raise typer.Exit(1)


def _load(found: Found | PluginError) -> PluginType | PluginError:
    if isinstance(found, PluginError):
        return found
    try:
        return found.load()
    except PluginError as error:
        return error


def _list(loaded: dict[str, PluginType | PluginError]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("NAME", "KIND", "ORIGIN", "VERSION", "WHAT IT DOES"):
        table.add_column(column, overflow="fold")
    for name, plugin in loaded.items():
        if isinstance(plugin, PluginError):
            table.add_row(name, "broken", "", "", str(plugin), style="red")
        else:
            table.add_row(name, ", ".join(plugin.kinds), plugin.origin, plugin.version, plugin.summary)
    _console().print(table)


def _show(plugin: PluginType | PluginError) -> None:
    console = _console()
    if isinstance(plugin, PluginError):
        console.print(str(plugin), style="red")
        return
    version = f" {plugin.version}" if plugin.version else ""
    kinds = ", ".join(plugin.kinds) or "no hooks"
    console.print(f"{plugin.name} ({kinds}, from {plugin.origin}{version})\n\n{_reflowed(plugin.manual)}")
    table = Table(box=None, pad_edge=False)
    for column in ("SETTING", "TYPE", "DEFAULT", "MEANING"):
        table.add_column(column, overflow="fold")
    settings = settings_of(plugin.config)
    for setting in settings:
        table.add_row(setting.name, setting.type, setting.default_text, setting.description)
    console.print()
    console.print(table if settings else "It has no settings.")


def _reflowed(manual: str) -> str:
    """Let the terminal break the lines of prose: they are as long as the source file's. Examples and lists stay."""
    paragraphs = manual.split("\n\n")
    return "\n\n".join(
        paragraph if _AS_IT_STANDS.search(paragraph) else paragraph.replace("\n", " ") for paragraph in paragraphs
    )


def _console() -> Console:
    """Print texts as they are: brackets and colons in a plugin's manual are no markup."""
    return Console(highlight=False, markup=False, emoji=False)


def _as_json(name: str, plugin: PluginType | PluginError) -> dict[str, object]:
    if isinstance(plugin, PluginError):
        return {"name": name, "error": str(plugin)}
    return {
        "name": plugin.name,
        "kinds": list(plugin.kinds),
        "origin": plugin.origin,
        "version": plugin.version,
        "summary": plugin.summary,
        "settings": [asdict(setting) for setting in settings_of(plugin.config)],
    }
