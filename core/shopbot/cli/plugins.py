"""`shopbot plugins`: what is installed, and what each accepts."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from shopbot.config.problem import suggest
from shopbot.discovery import PluginError, PluginType, discover
from shopbot.plugin import PluginConfig

_DEFAULT_DIRECTORY = Path("plugins.d")


def plugins(
    name: Annotated[str | None, typer.Argument(help="One plugin, with its manual and settings.")] = None,
    directory: Annotated[Path, typer.Option("--plugins-dir", help="Where drop-in plugins lie.")] = _DEFAULT_DIRECTORY,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for scripts.")] = False,
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


def _load(found: Any) -> PluginType | PluginError:  # noqa: ANN401 - either side of the plugin edge
    if isinstance(found, PluginError):
        return found
    try:
        plugin: PluginType = found.load()
    except PluginError as error:
        return error
    return plugin


def _list(loaded: dict[str, PluginType | PluginError]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("NAME", "KIND", "ORIGIN", "VERSION", "WHAT IT DOES"):
        table.add_column(column, overflow="fold")
    for name, plugin in loaded.items():
        if isinstance(plugin, PluginError):
            table.add_row(name, "broken", "", "", str(plugin), style="red")
        else:
            table.add_row(name, ", ".join(plugin.kinds), plugin.origin, plugin.version, plugin.summary)
    Console().print(table)


def _show(plugin: PluginType | PluginError) -> None:
    console = Console(highlight=False)
    if isinstance(plugin, PluginError):
        console.print(str(plugin), style="red", markup=False)
        return
    version = f" {plugin.version}" if plugin.version else ""
    console.print(f"{plugin.name} ({', '.join(plugin.kinds)}, from {plugin.origin}{version})\n", markup=False)
    console.print(plugin.manual, markup=False)
    table = Table(box=None, pad_edge=False)
    for column in ("SETTING", "TYPE", "DEFAULT", "MEANING"):
        table.add_column(column, overflow="fold")
    for setting in settings_of(plugin.config):
        table.add_row(setting["name"], setting["type"], setting["default"], setting["description"])
    console.print()
    console.print(table)


def settings_of(config: type[PluginConfig]) -> list[dict[str, str]]:
    """Describe a plugin's settings: name, type, default (`required` where there is none) and meaning."""
    schema = config.model_json_schema()
    required = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "type": _type(field, schema.get("$defs", {})),
            "default": "required" if name in required else json.dumps(field.get("default")),
            "description": field.get("description", ""),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _type(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in field:
        return _type(definitions[field["$ref"].rsplit("/", 1)[-1]], definitions)
    if "enum" in field:
        return " | ".join(str(value) for value in field["enum"])
    for union in ("anyOf", "allOf"):
        if union in field:
            return " | ".join(_type(option, definitions) for option in field[union])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), definitions)}"
    return str(field.get("type", "any"))


def _as_json(name: str, plugin: PluginType | PluginError) -> dict[str, object]:
    if isinstance(plugin, PluginError):
        return {"name": name, "error": str(plugin)}
    return {
        "name": plugin.name,
        "kinds": list(plugin.kinds),
        "origin": plugin.origin,
        "version": plugin.version,
        "summary": plugin.summary,
        "settings": settings_of(plugin.config),
    }
