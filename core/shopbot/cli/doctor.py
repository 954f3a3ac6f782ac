"""`shopbot doctor`: everything that must be right around the host, looked at from outside."""

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from shopbot.cli.arguments import DEFAULT_CONFIG, ConfigArgument, JsonOption
from shopbot.cli.doctor_page import print_report
from shopbot.cli.store_access import store_url
from shopbot.config.settings import LogSettings
from shopbot.doctor.examine import OpenStore, examine
from shopbot.doctor.public_url import read_public_url
from shopbot.doctor.report import Report
from shopbot.host.blueprint import Checked, check_config
from shopbot.host.logs import configure_logging
from shopbot.model.finding import Level
from shopbot.store.embedded import is_running
from shopbot.store.errors import StoreError


def doctor(
    config: ConfigArgument = DEFAULT_CONFIG,
    url: Annotated[
        str | None,
        typer.Option("--url", help="The host's public address, for signed probes through it: https://bot.example."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look whether everything is as the shop needs it: environment, store, clock, public address, Shopify, Messenger.

    Run it where the host runs, with the same environment; the host may run or not. Nothing is changed and nothing sent
    to a shopper: a probe is a signed webhook that is about nothing. Each line says what is so, what it means and what
    to do. Exits with 1 when there is a problem; warnings are none.

    Example: shopbot doctor --url https://bot.example
    """
    address = None if url is None else _address(url)
    checked = check_config(config, os.environ)
    configure_logging(LogSettings(level="error"))
    console = Console(stderr=True)
    quiet = as_json or not console.is_terminal
    with contextlib.nullcontext() if quiet else console.status("looking at everything…"):
        report = _report(checked, address)
    if as_json:
        typer.echo(json.dumps(_as_json(report), indent=2, ensure_ascii=False))
    else:
        print_report(report, Console(), title=_title(config, checked))
    raise typer.Exit(0 if report.healthy else 1)


def _address(url: str) -> str:
    try:
        return read_public_url(url)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from error


def _report(checked: Checked, address: str | None) -> Report:
    """Open the store, and look; what cannot be opened is a finding like any other."""
    blueprint = checked.blueprint
    if blueprint is None:
        return asyncio.run(examine(checked))
    embedded = blueprint.settings.store.embedded
    try:
        host_runs = is_running(blueprint.data_dir) if embedded else None
        with store_url(blueprint) as url:
            return asyncio.run(examine(checked, OpenStore(url, host_runs), address=address))
    except StoreError as error:
        return asyncio.run(examine(checked, OpenStore(None, problem=str(error)), address=address))


def _title(config: Path, checked: Checked) -> str:
    return f"{checked.blueprint.shop.domain}  {config}" if checked.blueprint else str(config)


def _as_json(report: Report) -> Mapping[str, object]:
    return {
        "healthy": report.healthy,
        "counts": {level.value: report.count(level) for level in Level},
        "findings": [
            {"area": entry.area, **entry.finding.model_dump(mode="json", exclude={"area"})} for entry in report.entries
        ],
    }
