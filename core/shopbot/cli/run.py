"""`shopbot run`: the host."""

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

import typer

from shopbot.cli.arguments import ConfigsArgument, configurations
from shopbot.config.problem import ConfigError
from shopbot.host.blueprint import Blueprint
from shopbot.host.fleet import check_fleet
from shopbot.host.logs import configure_logging
from shopbot.host.reloads import LiveShop
from shopbot.host.run_directory import run_directory
from shopbot.host.shop_host import Role
from shopbot.host.supervisor import CannotStartError, ReloadPolicy, Supervisor
from shopbot.host.versions import Versions
from shopbot.store.embedded import EmbeddedServer
from shopbot.store.errors import StoreError
from shopbot.trials.reading import trial_file_of

_REHEARSAL = "shopbot.trials.rehearsal"
"""Runs the tests beside a configuration, too."""


def run(
    configs: ConfigsArgument = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    role: Annotated[Role, typer.Option(help="What the processes do.")] = Role.ALL,
    watch: Annotated[bool, typer.Option(help="Reload when a file of a configuration changes; else on SIGHUP.")] = True,
    reload_limit: Annotated[
        int, typer.Option(metavar="SECONDS", min=1, help="How long a reload may take; then it is given up.")
    ] = 300,
) -> None:
    """Run the host: take webhooks in, work them off, send the messages.

    Checks the configuration as `shopbot check` does and does not start with an error in it. Several configurations are
    several shops: webhooks go to the one whose domain, or Page, they name. A change of a configuration is checked,
    tested and put in place without a pause; one with a problem is refused, and the version before works on. Ends on
    SIGTERM or Ctrl-C, once what is under way is done.

    Example: shopbot run shops/*.yaml --port 8000
    """
    paths = configurations(configs)
    with _hang_ups() as hang_ups, contextlib.ExitStack() as stack:
        directory = stack.enter_context(run_directory("versions"))
        versions = Versions(directory, os.environ, beside=lambda path: [trial_file_of(path)])
        try:
            sources = [versions.look(path) for path in paths]
            snapshots = [versions.keep(one) for one in sources]
        except (ConfigError, OSError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
        fleet = check_fleet(paths, os.environ, snapshots)
        for problem in fleet.problems:
            typer.echo(str(problem), err=True)
        if not fleet.blueprints:
            raise typer.Exit(1)
        configure_logging(fleet.blueprints[0].settings.log)
        shops = [
            LiveShop(blueprint.shop.domain, snapshot, one)
            for blueprint, snapshot, one in zip(fleet.blueprints, snapshots, sources, strict=True)
        ]
        try:
            embedded = {one.data_dir.resolve() for one in fleet.blueprints if one.settings.store.embedded}
            stores = [stack.enter_context(EmbeddedServer(data_dir)) for data_dir in sorted(embedded)]
            supervisor = Supervisor(
                shops=shops,
                address=(host, port),
                processes=workers,
                role=role,
                on_ready=partial(_announce, fleet.blueprints),
                versions=versions,
                reloading=ReloadPolicy(_REHEARSAL, watch=watch, limit_seconds=reload_limit),
                failure=lambda: next((store.failure for store in stores if store.failure is not None), None),
                asked=bool(hang_ups),
            )
            supervisor.run()
        except (StoreError, CannotStartError) as error:
            typer.echo(f"shopbot: {error}", err=True)
            raise typer.Exit(1) from error


@contextlib.contextmanager
def _hang_ups() -> Iterator[Sequence[int]]:
    """Collect the SIGHUPs that come before the supervisor takes them: a reload must not end a host that starts."""
    found: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _: found.append(number))
    try:
        yield found
    finally:
        signal.signal(signal.SIGHUP, before)


def _announce(blueprints: Sequence[Blueprint], url: str) -> None:
    for blueprint in blueprints:
        for place in blueprint.hooks.places:
            typer.echo(f"  {place}")
        typer.echo(f"shopbot serves {blueprint.shop.domain} on {url}")
