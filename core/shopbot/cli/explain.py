"""`shopbot explain`: one timeline of what happened to an order, and why."""

import asyncio
import json
import os
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console

from shopbot.cli.arguments import DEFAULT_CONFIG, ConfigOption, JsonOption
from shopbot.cli.store_access import client_of, store_url
from shopbot.cli.timeline import headline, moments, print_timeline
from shopbot.config.problem import ConfigError
from shopbot.host.blueprint import Blueprint, load_blueprint
from shopbot.host.explanation import Explainer, Explanation
from shopbot.model.psid import mask
from shopbot.store.errors import StoreError


def explain(
    what: Annotated[
        str,
        typer.Argument(metavar="ORDER", help="An order's id or number (#1234), or a webhook's or event's id."),
    ],
    psid: Annotated[bool, typer.Option("--psid", help="What is named is a shopper's PSID.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show what happened to an order: each arrival, each rule and why it did something or not, each send and its echo.

    Exits with 1 where nothing is known. Journals are kept for `ttl.journal`, orders for `ttl.order_reference`.

    Example: shopbot explain 1234
    """
    try:
        blueprint = load_blueprint(config, os.environ)
        with store_url(blueprint) as url:
            found = asyncio.run(_ask(blueprint, url, what, psid=psid))
    except (ConfigError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if found is None:
        kept = "whatever was known is older than `ttl.journal` and `ttl.order_reference`, or it never reached this shop"
        hint = "" if psid else "; for a shopper, add --psid"
        typer.echo(f"nothing is known of '{mask(what) if psid else what}': {kept}{hint}", err=True)
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=2, ensure_ascii=False))
    else:
        print_timeline(Console(soft_wrap=True), found)


async def _ask(blueprint: Blueprint, url: str, what: str, *, psid: bool) -> Explanation | None:
    async with client_of(url) as client:
        explainer = Explainer(blueprint, client)
        return await (explainer.shopper(what.strip()) if psid else explainer.about(what))


def _as_json(found: Explanation) -> Mapping[str, object]:
    reference = found.reference
    return {
        "summary": headline(found),
        # Text, because the ids pass 2^53.
        "order_id": None if found.order_id is None else str(found.order_id),
        "order_number": reference.number if reference else None,
        "psid": mask(found.psid) if found.psid else None,
        "financial_status": reference.financial_status if reference else None,
        "confirmed_at": reference.confirmed_at.isoformat() if reference and reference.confirmed_at else None,
        "opted_out": found.standing.opted_out,
        "last_active": found.standing.last_active.isoformat() if found.standing.last_active else None,
        "orders": [{"order_id": str(order.order_id), "order_number": order.number} for order in found.orders],
        "events": [
            {
                "event_id": story.event_id,
                "topic": story.record.topic,
                "status": story.record.status,
                "reason": story.record.reason,
                "attempts": story.record.attempts,
                "duplicates": story.record.duplicates,
                "waits_in": story.waits.place if story.waits else None,
                "waits_until": story.waits.until.isoformat() if story.waits and story.waits.until else None,
                "not_for_rules": list(story.elsewhere),
            }
            for story in found.stories
        ],
        "timeline": [
            {
                "at": moment.at.isoformat(timespec="milliseconds"),
                "what": moment.what,
                "text": moment.text,
                "event_id": moment.event_id,
                "level": moment.level,
            }
            for moment in moments(found)
        ],
    }
