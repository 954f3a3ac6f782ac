"""`shopbot privacy`: show or erase what is kept about somebody who asks the merchant, and not Shopify."""

import asyncio
import json
import os
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Column, Table

from shopbot.cli.arguments import DEFAULT_CONFIG, ConfigOption, JsonOption
from shopbot.cli.started_plugins import started
from shopbot.cli.store_access import client_of, store_url
from shopbot.config.problem import ConfigError
from shopbot.discovery import PluginError
from shopbot.hooks import PluginFailedError
from shopbot.host.blueprint import Blueprint, load_blueprint
from shopbot.host.logs import configure_logging
from shopbot.host.privacy_parts import PrivacyParts
from shopbot.model.failures import Retry
from shopbot.model.payload import read_integer
from shopbot.model.psid import is_psid
from shopbot.privacy.files import ExportFiles
from shopbot.privacy.person import Person, Traces
from shopbot.privacy.search import Unfinished
from shopbot.privacy.sweep import Pace
from shopbot.store.conversations import Conversations
from shopbot.store.errors import StoreError
from shopbot.store.keys import Keys

Result = TypeVar("Result")

_LOOK_AGAIN_SECONDS = 0.5
_WHY = {
    Unfinished.IN_HAND: "waiting for attempts that are under way",
    Unfinished.ANOTHER_RUNS: "waiting for another search",
    Unfinished.TIME_IS_UP: "going on",
}

OrderOption = Annotated[
    list[str] | None,
    typer.Option("--order", help="An order of theirs, by its id: the number at the end of its address in the admin."),
]
PsidOption = Annotated[list[str] | None, typer.Option("--psid", help="Their PSID.")]
EmailOption = Annotated[
    str | None, typer.Option("--email", help="Their e-mail address: for events that have not ended, and dead letters.")
]


def build() -> typer.Typer:
    """Put the verb's own verbs together."""
    app = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        help="Personal data: show or erase what is kept about somebody.",
    )
    app.command("ls")(ls)
    app.command("export")(export)
    app.command("erase")(erase)
    return app


def ls(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List the files with customers' data that wait on this machine to be collected.

    Example: shopbot privacy ls
    """
    blueprint = _blueprint(config)
    files = ExportFiles(blueprint.data_dir, blueprint.shop.domain, ttl=blueprint.settings.ttl.export)
    exports = files.list()
    if as_json:
        shown = [
            {
                "file": str(export.path),
                "made_at": export.made_at.isoformat(timespec="seconds"),
                "deleted_at": export.until.isoformat(timespec="seconds"),
                "size_bytes": export.size_bytes,
            }
            for export in exports
        ]
        typer.echo(json.dumps(shown, indent=2))
    elif exports:
        table = Table(Column("FILE", overflow="fold"), "MADE (UTC)", "DELETED (UTC)", "BYTES", box=None, pad_edge=False)
        for export in exports:
            made, deleted = f"{export.made_at:%Y-%m-%d %H:%M}", f"{export.until:%Y-%m-%d %H:%M}"
            table.add_row(str(export.path), made, deleted, str(export.size_bytes))
        Console(soft_wrap=True).print(table)
    else:
        typer.echo(f"no exports in {files.directory}")


def export(
    order: OrderOption = None,
    psid: PsidOption = None,
    email: EmailOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write all that is kept about a person to a file that this user alone can read, and name the file.

    Whoever is meant by an order is meant with all orders of the same Messenger account. Changes nothing.

    Example: shopbot privacy export --order 830517264905318211
    """
    person = _person(order, psid, email)
    name = f"export-{datetime.now(UTC):%Y%m%dt%H%M%Sz}-{secrets.token_hex(4)}"

    async def work(parts: PrivacyParts, task_id: str, pace: Pace) -> Path | Unfinished:
        found = await parts.export.person(task_id, person, pace)
        return found if isinstance(found, Unfinished) else parts.files.write(name, found)

    path = _with_store(config, work)
    typer.echo(json.dumps({"file": str(path)}, indent=2) if as_json else str(path))


def erase(
    order: OrderOption = None,
    psid: PsidOption = None,
    email: EmailOption = None,
    shop: Annotated[
        str | None, typer.Option("--shop", help="Erase everything about this shop; its domain, to be sure.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much would be erased.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Erase all that is kept about a person, or the shop, for good. A running host goes on meanwhile.

    Whoever is meant by an order is meant with all orders of the same Messenger account. Late news of them is not kept
    again. A stop word goes on to be honoured.

    Example: shopbot privacy erase --order 830517264905318211 --dry-run
    """
    if shop is not None and (order or psid or email):
        raise typer.BadParameter("erases everything, and takes no person beside it", param_hint="--shop")
    person = None if shop is not None else _person(order, psid, email)
    blueprint = _blueprint(config)
    if shop is not None and shop != blueprint.shop.domain:
        raise typer.BadParameter(f"{config} is the configuration of {blueprint.shop.domain}", param_hint="--shop")

    async def count(parts: PrivacyParts, task_id: str, pace: Pace) -> Mapping[str, int] | Unfinished:
        if person is None:
            return await parts.erasure.size_of_shop(pace)
        found = await parts.export.find(task_id, person, pace)
        return found if isinstance(found, Unfinished) else Counter(key.name for key in found)

    async def work(parts: PrivacyParts, task_id: str, pace: Pace) -> str | Unfinished:
        if person is None:
            erased = await parts.erasure.shop(task_id, (), pace)
        else:
            erased = await parts.erasure.person(task_id, person, pace)
        if not isinstance(erased, Unfinished) and parts.log_rewrite is not None:
            while await parts.log_rewrite.go_on():  # noqa: ASYNC110 - the server has no event for its end
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return erased

    if dry_run:
        _print_counts(_with_store(config, count), as_json=as_json)
        return
    erased = _with_store(config, work)
    typer.echo(json.dumps({"erased": erased}, indent=2) if as_json else erased)


def _person(orders: list[str] | None, psids: list[str] | None, email: str | None) -> Person:
    if not orders and not psids and not email:
        raise typer.BadParameter("say who is meant: --order, --psid or --email")
    for psid in psids or ():
        if not is_psid(psid):
            raise typer.BadParameter("a PSID is 1 to 32 digits", param_hint="--psid")
    order_ids = [read_integer(order) for order in orders or ()]
    if None in order_ids:
        raise typer.BadParameter(
            "expected an order's id, the number at the end of its address in Shopify's admin, and not its name",
            param_hint="--order",
        )
    named = frozenset(order_id for order_id in order_ids if order_id is not None)
    return Person(named_orders=named, email=email, traces=Traces(psids=set(psids or ())))


def _blueprint(config: Path) -> Blueprint:
    try:
        return load_blueprint(config, os.environ)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _with_store(config: Path, work: Callable[[PrivacyParts, str, Pace], Awaitable[Result | Unfinished]]) -> Result:
    blueprint = _blueprint(config)
    configure_logging(blueprint.settings.log.model_copy(update={"level": "warning"}))
    try:
        with store_url(blueprint) as url:
            return asyncio.run(_run(blueprint, url, work))
    except (StoreError, PluginError, OSError) as error:
        typer.echo(str(error), err=True)
    except Retry as failure:
        typer.echo(f"{failure.reason}; try it again", err=True)
    except PluginFailedError as failure:
        typer.echo(f"{failure}; the rest is erased, try it again", err=True)
    raise typer.Exit(1)


async def _run(
    blueprint: Blueprint, url: str, work: Callable[[PrivacyParts, str, Pace], Awaitable[Result | Unfinished]]
) -> Result:
    erasers = [hook.instance for hook in blueprint.hooks.erasers]
    task_id, told = f"cli-{secrets.token_hex(8)}", ""
    async with client_of(url) as client, started(blueprint, client, erasers) as hooks:
        conversations = Conversations(client, Keys(blueprint.shop.domain))
        parts = PrivacyParts(blueprint.settings, hooks, client, conversations, lambda: datetime.now(UTC))
        while True:
            found = await work(parts, task_id, Pace(stretch_seconds=None))
            if not isinstance(found, Unfinished):
                return found
            if told != _WHY[found]:
                told = _WHY[found]
                typer.echo(f"{told} …", err=True)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _print_counts(counts: Mapping[str, int], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"would_erase": dict(sorted(counts.items()))}, indent=2))
        return
    if not counts:
        typer.echo("nothing is kept")
        return
    table = Table("KIND OF KEY", "KEYS", box=None, pad_edge=False)
    for name, number in sorted(counts.items()):
        table.add_row(name, str(number))
    Console(soft_wrap=True).print(table)
    typer.echo("docs/privacy.md says what each kind holds.")
