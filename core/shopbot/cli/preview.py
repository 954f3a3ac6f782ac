"""`shopbot preview`: what a shopper would read, before anybody does."""

import json
import os
import webbrowser
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from shopbot.cli.arguments import DEFAULT_CONFIG, ConfigOption
from shopbot.cli.named_order import OrderNotFoundError, named_order
from shopbot.cli.preview_card import print_preview
from shopbot.cli.preview_choice import Choice
from shopbot.cli.preview_json import preview_json
from shopbot.cli.preview_page import preview_page
from shopbot.cli.stand_ins import load_with_stand_ins
from shopbot.config.problem import ConfigError, suggest
from shopbot.host.blueprint import Blueprint
from shopbot.host.given_order import GivenOrder
from shopbot.host.logs import configure_logging
from shopbot.host.preview import Previewer
from shopbot.messages.locales import locale_chain
from shopbot.messages.mode import Window
from shopbot.model.printable import printable
from shopbot.store.errors import StoreError


def _languages(tags: list[str] | None) -> list[str]:
    chains = {tag: locale_chain(tag, None) for tag in tags or ()}
    for tag, chain in chains.items():
        if not chain:
            raise typer.BadParameter(f"'{tag}' is no language: write de or pt-BR")
    return [chain[0] for chain in chains.values()]


class WindowOption(StrEnum):
    """How Messenger's window is to stand."""

    OPEN = "open"
    CLOSED = "closed"


def preview(
    messages: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MESSAGE]...", help="Messages, by their names in the configuration; all unless given."),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            "--order",
            help="About this order: a file with a webhook's body, - for standard input, or the number or id of an order"
            " in the store. A made-up one unless given.",
        ),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option("--topic", help="Whose body the file is: fulfillments/create. An order's unless given."),
    ] = None,
    sample: Annotated[
        str | None, typer.Option("--sample", help="About this made-up thing: everyday, long, bare, delivered …")
    ] = None,
    all_samples: Annotated[
        bool, typer.Option("--all-samples", help="About each made-up thing that the message may be about.")
    ] = False,
    locales: Annotated[
        list[str] | None,
        typer.Option(
            "--locale",
            callback=_languages,
            help="For a shopper of this language: de, pt-BR. May be given several times.",
        ),
    ] = None,
    all_locales: Annotated[
        bool, typer.Option("--all-locales", help="In each language that the message has words in.")
    ] = False,
    window: Annotated[
        WindowOption | None,
        typer.Option("--window", help="With Messenger's window open, or closed; both unless given."),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page that looks like Messenger.")] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open that page in the browser.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON for scripts, with the exact call that the sender would make.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show messages as the shopper would read them; nothing is sent.

    Says which file the words are from, how long they are, which rule sends them, and for a real order whether it would.
    Secrets need not be set. Exits with 1 where a message cannot be rendered, is too long, or would be refused.

    Example: shopbot preview order_confirmation --locale de --html page.html
    """
    if open_page and html is None:
        raise typer.BadParameter("goes with --html", param_hint="--open")
    if (order is not None) + (sample is not None) + all_samples > 1:
        raise typer.BadParameter("--order, --sample and --all-samples exclude each other")
    blueprint = _load(config)
    names = _names(blueprint, messages)
    choice = Choice(
        order=_order(blueprint, order, topic),
        sample=sample,
        all_samples=all_samples,
        locales=locales or (),
        all_locales=all_locales,
        windows=[Window(window)] if window else None,
    )
    previews, left_out = choice.previews(Previewer(blueprint), names)
    if as_json:
        typer.echo(json.dumps([preview_json(one) for one in previews], indent=2, ensure_ascii=False))
    elif html is None:
        for one in previews:
            print_preview(Console(), one, blueprint.shop.name)
    if html is not None:
        _write(html, preview_page(previews, blueprint.shop), open_page=open_page)
    # Of all messages, some are about other things; what was asked for by its name and cannot be shown is a problem.
    missed = left_out if messages or order is not None or not previews else {}
    for name, why in missed.items():
        typer.echo(f"{name}: {printable(why)}", err=True)
    sound = previews and all(one.sound for one in previews) and not (messages and missed)
    raise typer.Exit(0 if sound else 1)


def _load(config: Path) -> Blueprint:
    try:
        blueprint, unset = load_with_stand_ins(config, os.environ)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if unset:
        typer.echo(f"not set, which does not matter here: {', '.join(unset)}", err=True)
    configure_logging(blueprint.settings.log.model_copy(update={"level": "error"}))
    return blueprint


def _names(blueprint: Blueprint, wanted: Sequence[str] | None) -> Sequence[str]:
    for name in wanted or ():
        if name not in blueprint.messages:
            hint = suggest(name, blueprint.messages) or f"; there are: {', '.join(blueprint.messages)}"
            if name.endswith((".yaml", ".yml")):
                hint = f"; the configuration goes with --config {name}"
            raise typer.BadParameter(f"no message named '{name}'{hint}")
    return list(dict.fromkeys(wanted or blueprint.messages))


def _order(blueprint: Blueprint, wanted: str | None, topic: str | None) -> GivenOrder | None:
    if wanted is None:
        if topic is not None:
            raise typer.BadParameter("goes with --order", param_hint="--topic")
        return None
    try:
        given = named_order(blueprint, wanted, topic, datetime.now(UTC))
    except (OrderNotFoundError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    gaps = f": {given.gaps}" if given.gaps else ""
    typer.echo(printable(f"order {given.name} from {given.origin}{gaps}"), err=True)
    return given


def _write(path: Path, page: str, *, open_page: bool) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--html") from error
    typer.echo(f"wrote {path}", err=True)
    if open_page and not webbrowser.open(path.resolve().as_uri()):
        typer.echo("there is no browser to open it with", err=True)
