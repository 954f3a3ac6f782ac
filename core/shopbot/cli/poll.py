"""`shopbot poll`: look for orders whose webhook was lost, now."""

import asyncio
import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Self

import typer
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table

from shopbot.cli.arguments import DEFAULT_CONFIG, ConfigArgument, JsonOption
from shopbot.cli.moment import past_moment
from shopbot.cli.started_plugins import started
from shopbot.cli.store_access import client_of, store_url
from shopbot.config.problem import ConfigError
from shopbot.discovery import PluginError
from shopbot.hooks import PluginFailedError
from shopbot.host.blueprint import Blueprint, load_blueprint
from shopbot.host.logs import configure_logging
from shopbot.host.pollers import PollerParts, poller_parts
from shopbot.model.failures import ChannelDown, Retry
from shopbot.model.polled import PolledOrder
from shopbot.polling import PollReport, end
from shopbot.store.embedded import is_running
from shopbot.store.errors import StoreError
from shopbot.store.inbox import Inbox
from shopbot.store.keys import Keys
from shopbot.store.lease import LeaseLostError
from shopbot.store.pollers import Tally


@dataclass(frozen=True, slots=True)
class _Result:
    poller: str
    report: PollReport | None
    """None where the poll broke off."""
    error: str
    moved: bool
    """Whether the next poll begins where this one got to."""


def poll(
    config: ConfigArgument = DEFAULT_CONFIG,
    once: Annotated[bool, typer.Option("--once", help="One poll of each poller; needed.")] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="Back-fill: take in what was changed since 2h, 3d, PT2H or 2026-11-20T10:00Z, up to now."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look for changed orders now, and put those that the host does not know into its inbox.

    A running host polls by itself, and this may run beside it. Without --since the poll begins where the last one got
    to. What was confirmed before is not confirmed again. Exits with 1 when a poll fails; what it had found stays.

    Example: shopbot poll --once --since 6h
    """
    if not once:
        typer.echo("a running host polls by itself; to poll now: shopbot poll --once", err=True)
        raise typer.Exit(2)
    begin = None if since is None else past_moment(since, _now(), option="--since")
    try:
        blueprint = load_blueprint(config, os.environ)
        if not blueprint.hooks.pollers:
            typer.echo(f"{config}: there is nothing under `pollers:`", err=True)
            raise typer.Exit(1)
        configure_logging(blueprint.settings.log.model_copy(update={"level": "warning"}))
        embedded = blueprint.settings.store.embedded
        alone = embedded and not is_running(blueprint.data_dir)
        with store_url(blueprint) as url, _Bars(quiet=as_json) as bars:
            results = asyncio.run(_poll_all(blueprint, url, begin, bars))
    except (ConfigError, StoreError, PluginError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if as_json:
        host_runs = not alone if embedded else None
        typer.echo(json.dumps({"pollers": [_as_json(result) for result in results], "host_runs": host_runs}, indent=2))
    else:
        _print(results, alone=alone)
    raise typer.Exit(1 if any(result.error for result in results) else 0)


class _Bars:
    """Shows how far each poll has got, in the time of the changes."""

    def __init__(self, *, quiet: bool) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[orders]} orders, {task.fields[new]} new"),
            console=Console(stderr=True),
            transient=True,
            disable=quiet,
        )
        self._now = _now()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, name: str) -> TaskID:
        return self._progress.add_task(name, total=None, orders=0, new=0)

    def advance(self, bar: TaskID, first: PolledOrder, order: PolledOrder, seen: int, taken: Tally) -> None:
        self._progress.update(
            bar,
            total=max(1.0, (self._now - first.updated_at).total_seconds()),
            completed=(order.updated_at - first.updated_at).total_seconds(),
            orders=seen,
            new=taken.new,
        )


async def _poll_all(blueprint: Blueprint, url: str, begin: datetime | None, bars: _Bars) -> Sequence[_Result]:
    pollers = [hook.instance for hook in blueprint.hooks.pollers]
    seen_ttl_seconds = blueprint.settings.ttl.webhook_id.total_seconds()
    async with client_of(url) as client, started(blueprint, client, pollers):
        inbox = Inbox(client, Keys(blueprint.shop.domain), seen_ttl_seconds=seen_ttl_seconds)
        inbox.start()
        try:
            return [await _poll(parts, begin, bars) for parts in poller_parts(blueprint, client, inbox, _now)]
        finally:
            await inbox.stop()


async def _poll(parts: PollerParts, begin: datetime | None, bars: _Bars) -> _Result:
    bar = bars.begin(parts.state.name)
    first: PolledOrder | None = None
    seen = 0

    def watch(order: PolledOrder, taken: Tally) -> None:
        nonlocal first, seen
        first = first or order
        seen += 1
        bars.advance(bar, first, order, seen, taken)

    report, error, leads = None, "", False
    keeping: asyncio.Task[None] | None = None
    try:
        # Where no host leads, this is a poll like the host's own, and the next one goes on from it.
        leads = begin is None and await parts.lease.take()
        keeping = asyncio.create_task(parts.lease.keep()) if leads else None
        report = await parts.poll.run(parts.lease.token if leads else None, since=begin, watch=watch)
    except (Retry, ChannelDown) as problem:
        error = problem.reason
    except PluginFailedError as problem:
        error = problem.what
    except LeaseLostError:
        error = "another process has taken over"
    except (StoreError, RedisError, OSError) as problem:
        error = f"the store: {problem}"
    finally:
        if keeping is not None:
            await end([keeping])
            with contextlib.suppress(RedisError, OSError):  # then it runs out by itself
                await parts.lease.give_back()
    if error:
        error += f" (after {seen} orders)"
    return _Result(parts.state.name, report, error, moved=leads and report is not None)


def _print(results: Sequence[_Result], *, alone: bool) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("POLLER")
    table.add_column("SINCE (UTC)")
    for heading in ("PAGES", "ORDERS", "NEW", "FIRST SEEN"):
        table.add_column(heading, justify="right")
    for result in results:
        if result.report is not None:
            report, tally = result.report, result.report.tally
            counts = (report.pages, tally.orders, tally.new, tally.first_seen)
            table.add_row(result.poller, f"{report.since:%Y-%m-%d %H:%M:%S}", *map(str, counts))
    if table.row_count:
        Console().print(table)
    for result in results:
        if result.error:
            typer.echo(f"{result.poller}: {result.error}", err=True)
    if alone and any(result.report is not None and result.report.tally.new for result in results):
        typer.echo("No host is running: what was found waits in the inbox until `shopbot run` sends it.")


def _as_json(result: _Result) -> dict[str, object]:
    report = result.report
    return {
        "poller": result.poller,
        "since": report.since.isoformat() if report else None,
        "pages": report.pages if report else None,
        "orders": report.tally.orders if report else None,
        "new": report.tally.new if report else None,
        "first_seen": report.tally.first_seen if report else None,
        "window_moved": result.moved,
        "error": result.error or None,
    }


def _now() -> datetime:
    return datetime.now(UTC)
