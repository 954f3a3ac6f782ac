"""`shopbot templates`: utility templates, which Messenger must approve before it takes them."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shopbot.cli.arguments import DEFAULT_CONFIG, ConfigArgument, JsonOption
from shopbot.cli.started_plugins import started
from shopbot.cli.store_access import client_of, store_url
from shopbot.config.problem import ConfigError
from shopbot.discovery import PluginError
from shopbot.host.blueprint import Blueprint, load_blueprint
from shopbot.host.logs import configure_logging
from shopbot.host.utility_templates import template_definitions, template_state
from shopbot.model.template import TemplateDefinition, TemplateState, TemplateStatus
from shopbot.store.errors import StoreError

_COLOURS = {TemplateStatus.APPROVED: "green", TemplateStatus.PENDING: "yellow"}


@dataclass(frozen=True, slots=True)
class _Row:
    message: str
    template: TemplateDefinition
    sender: str
    state: TemplateState


def build() -> typer.Typer:
    """Put the verbs together."""
    app = typer.Typer(
        no_args_is_help=True,
        help="Show and submit utility templates: what goes out where Messenger's window is closed.",
    )
    app.command("status")(status)
    app.command("push")(push)
    return app


def status(config: ConfigArgument = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show how the templates stand whose words are in the configuration (`utility_template: {body: …}`).

    Exits with 1 unless all are approved.

    Example: shopbot templates status
    """
    _go_through(config, submit=False, as_json=as_json)


def push(config: ConfigArgument = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Submit the templates that Messenger does not have yet, in every language.

    Safe to repeat: what is there already stays as it is. A template that was approved cannot be changed; give the one
    with the new words a new name. Exits with 1 unless all are approved.

    Example: shopbot templates push
    """
    _go_through(config, submit=True, as_json=as_json)


def _go_through(config: ConfigArgument, *, submit: bool, as_json: bool) -> None:
    try:
        blueprint = load_blueprint(config, os.environ)
        managers = blueprint.hooks.template_managers
        if not managers:
            typer.echo(f"{config}: no entry of `senders:` knows of templates", err=True)
            raise typer.Exit(1)
        definitions = list(template_definitions(blueprint))
        if not definitions:
            typer.echo(f"{config}: no `utility_template:` has a `body:`, so there is nothing to look at", err=True)
            raise typer.Exit(1)
        configure_logging(blueprint.settings.log.model_copy(update={"level": "error"}))
        with store_url(blueprint) as url:
            rows = asyncio.run(_ask(blueprint, url, definitions, submit=submit))
    except (ConfigError, StoreError, PluginError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps([_as_json(row) for row in rows], indent=2, ensure_ascii=False))
    else:
        _print(rows)
    raise typer.Exit(0 if all(row.state.status is TemplateStatus.APPROVED for row in rows) else 1)


async def _ask(
    blueprint: Blueprint, url: str, definitions: Sequence[tuple[str, TemplateDefinition]], *, submit: bool
) -> Sequence[_Row]:
    managers = [hook.instance for hook in blueprint.hooks.template_managers]
    async with client_of(url) as client, started(blueprint, client, managers) as hooks:
        return [
            _Row(message, template, manager.place, state)
            for message, template in definitions
            for manager in hooks.template_managers
            if (state := await template_state(manager, template, submit=submit)) is not None
        ]


def _print(rows: Sequence[_Row]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("message", "template", "language", "status", "reason"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        state = row.state
        table.add_row(
            row.message,
            Text(row.template.name),
            Text(row.template.language),
            Text(state.status, style=_COLOURS.get(state.status, "red")),
            Text(state.reason),
        )
    Console().print(table)


def _as_json(row: _Row) -> Mapping[str, object]:
    return {
        "message": row.message,
        "sender": row.sender,
        "name": row.template.name,
        "language": row.template.language,
        "status": row.state.status.value,
        "reason": row.state.reason,
        "body": row.template.body,
        "examples": list(row.template.examples),
    }
