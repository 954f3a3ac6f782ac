"""`shopbot run`: the host."""

import os
from pathlib import Path
from typing import Annotated

import typer

from shopbot.cli.config_argument import DEFAULT_CONFIG, ConfigArgument
from shopbot.config.problem import ConfigError
from shopbot.host.blueprint import Blueprint, check_config
from shopbot.host.logs import configure_logging
from shopbot.host.shop_host import Role
from shopbot.host.supervisor import CannotStartError, Supervisor
from shopbot.store.embedded import EmbeddedServer
from shopbot.store.errors import StoreError


def run(
    config: ConfigArgument = DEFAULT_CONFIG,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    role: Annotated[Role, typer.Option(help="What the processes do.")] = Role.ALL,
) -> None:
    """Run the host: take webhooks in, work them off, send the messages.

    Checks the configuration as `shopbot check` does and does not start with an error in it. Ends on SIGTERM or Ctrl-C,
    once what is under way is done.

    Example: shopbot run shopbot.yaml --port 8000
    """
    checked = check_config(config, os.environ)
    for problem in checked.problems:
        typer.echo(str(problem), err=True)
    blueprint = checked.blueprint
    if blueprint is None:
        raise typer.Exit(1)
    configure_logging(blueprint.settings.log)
    try:
        _serve(blueprint, config, (host, port), workers, role)
    except (StoreError, CannotStartError, ConfigError) as error:
        typer.echo(f"shopbot: {error}", err=True)
        raise typer.Exit(1) from error


def _serve(blueprint: Blueprint, config: Path, address: tuple[str, int], workers: int, role: Role) -> None:
    if blueprint.settings.store.embedded:
        with EmbeddedServer(blueprint.data_dir):
            _supervise(blueprint, config, address, workers, role)
    else:
        _supervise(blueprint, config, address, workers, role)


def _supervise(blueprint: Blueprint, config: Path, address: tuple[str, int], workers: int, role: Role) -> None:
    def announce(url: str) -> None:
        for place in blueprint.hooks.places:
            typer.echo(f"  {place}")
        typer.echo(f"shopbot serves {blueprint.shop.domain} on {url}")

    supervisor = Supervisor(
        config=config,
        address=address,
        processes=workers,
        role=role,
        on_ready=announce,
    )
    supervisor.run()
