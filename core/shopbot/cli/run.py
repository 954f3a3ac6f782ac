"""`shopbot run`: the host."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from shopbot.cli.config_argument import ConfigsArgument, configurations
from shopbot.config.problem import ConfigError
from shopbot.host.blueprint import Blueprint
from shopbot.host.fleet import check_fleet
from shopbot.host.logs import configure_logging
from shopbot.host.shop_host import Role
from shopbot.host.supervisor import CannotStartError, Supervisor
from shopbot.store.embedded import EmbeddedServer
from shopbot.store.errors import StoreError


def run(
    configs: ConfigsArgument = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    role: Annotated[Role, typer.Option(help="What the processes do.")] = Role.ALL,
) -> None:
    """Run the host: take webhooks in, work them off, send the messages.

    Checks the configuration as `shopbot check` does and does not start with an error in it. Several configurations are
    several shops: webhooks go to the one whose domain, or Page, they name. Ends on SIGTERM or Ctrl-C, once what is
    under way is done.

    Example: shopbot run shops/*.yaml --port 8000
    """
    paths = configurations(configs)
    fleet = check_fleet(paths, os.environ)
    for problem in fleet.problems:
        typer.echo(str(problem), err=True)
    if not fleet.blueprints:
        raise typer.Exit(1)
    configure_logging(fleet.blueprints[0].settings.log)
    try:
        with contextlib.ExitStack() as stack:
            embedded = {one.data_dir.resolve() for one in fleet.blueprints if one.settings.store.embedded}
            stores = [stack.enter_context(EmbeddedServer(data_dir)) for data_dir in sorted(embedded)]
            _supervise(fleet.blueprints, paths, (host, port), workers, role, stores)
    except (StoreError, CannotStartError, ConfigError) as error:
        typer.echo(f"shopbot: {error}", err=True)
        raise typer.Exit(1) from error


def _supervise(
    blueprints: Sequence[Blueprint],
    configs: Sequence[Path],
    address: tuple[str, int],
    workers: int,
    role: Role,
    stores: Sequence[EmbeddedServer],
) -> None:
    def announce(url: str) -> None:
        for blueprint in blueprints:
            for place in blueprint.hooks.places:
                typer.echo(f"  {place}")
            typer.echo(f"shopbot serves {blueprint.shop.domain} on {url}")

    supervisor = Supervisor(
        configs=configs,
        address=address,
        processes=workers,
        role=role,
        on_ready=announce,
        failure=lambda: next((store.failure for store in stores if store.failure is not None), None),
    )
    supervisor.run()
