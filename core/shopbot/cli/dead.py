"""`shopbot dead`: look at dead letters, send them through the rules again, or give them up."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from redis.asyncio import Redis
from rich.console import Console

from shopbot.cli.arguments import DEFAULT_CONFIG, ConfigOption, JsonOption
from shopbot.cli.store_access import client_of, store_url
from shopbot.cli.timeline import print_journal
from shopbot.config.duration import format_duration, parse_duration
from shopbot.config.problem import ConfigError, suggest
from shopbot.host.blueprint import Blueprint, load_blueprint
from shopbot.model.psid import mask_digits
from shopbot.model.reason import Reason
from shopbot.rules.unsent import free_doubt
from shopbot.store.claims import Claims
from shopbot.store.dead_letters import DeadLetter, DeadLetters, Selection
from shopbot.store.errors import StoreError
from shopbot.store.keys import Keys
from shopbot.store.records import EventRecord, Records

Result = TypeVar("Result")

EventsArgument = Annotated[list[str] | None, typer.Argument(metavar="[EVENT]...", help="Event ids.")]
CodeOption = Annotated[str | None, typer.Option("--code", help="Only with this reason code, as IN_DOUBT.")]
RuleOption = Annotated[str | None, typer.Option("--rule", help="Only where this rule failed.")]
OlderOption = Annotated[str | None, typer.Option("--older-than", help="Only older ones: 2h, 3d.")]
NewerOption = Annotated[str | None, typer.Option("--newer-than", help="Only newer ones: 2h, 3d.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say which ones are meant.")]
AllOption = Annotated[bool, typer.Option("--all", help="All dead letters; needed where nothing else selects.")]


def build() -> typer.Typer:
    """Put the verb's own verbs together."""
    app = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        help="Dead letters: events that were given up, kept until a person decides.",
    )
    app.command("ls")(ls)
    app.command("show")(show)
    app.command("replay")(replay)
    app.command("purge")(purge)
    return app


def ls(
    code: CodeOption = None,
    rule: RuleOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List dead letters, oldest first.

    Example: shopbot dead ls --code IN_DOUBT --newer-than 1d
    """
    selection = _selection(None, code, rule, older_than, newer_than)
    letters = _with_store(config, lambda shop: shop.letters.select(selection, _now()))
    if as_json:
        typer.echo(json.dumps([_as_json(letter) for letter in letters], indent=2))
    else:
        _print(letters)


def show(
    event: Annotated[str, typer.Argument(help="The event's id, as `shopbot dead ls` shows it.")],
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show one dead letter with its whole journal.

    Example: shopbot dead show webhook:b54557e4-bdd9-4b37-8a5f-bf7d70bcd043
    """
    letters, record = _with_store(config, lambda shop: shop.one(event))
    if not letters or record is None:
        typer.echo(f"no dead letter '{event}'", err=True)
        raise typer.Exit(1)
    journal = [entry.model_dump(mode="json") for entry in record.journal]
    if as_json:
        typer.echo(json.dumps({**_as_json(letters[0]), "journal": journal}, indent=2))
        return
    _print(letters)
    print_journal(Console(soft_wrap=True), event, record.journal)


def replay(
    events: EventsArgument = None,
    code: CodeOption = None,
    rule: RuleOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    everything: AllOption = False,
    only_rule: Annotated[
        str, typer.Option("--only-rule", help="Run this rule alone, whatever else the event matches.")
    ] = "",
    not_received: Annotated[
        bool,
        typer.Option(
            "--not-received",
            help="You have looked into the conversation: a message in doubt did not arrive. It is sent again.",
        ),
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Send dead letters through the rules again, with the same claims: what was sent is not sent twice.

    Example: shopbot dead replay --code MESSAGE_SEND_FAILED --newer-than 2h --dry-run
    """
    selection = _required(_selection(events, code, rule, older_than, newer_than), everything=everything)

    async def act(shop: "_Shop") -> Sequence[DeadLetter]:
        if only_rule and only_rule not in {known.name for known in shop.blueprint.rules}:
            raise typer.BadParameter(f"no rule named '{only_rule}'", param_hint="--only-rule")
        meant = await shop.letters.select(selection, _now())
        if dry_run:
            return meant
        done = []
        for letter in meant:
            if not_received:
                await free_doubt(shop.blueprint.rules, shop.claims, letter, _now())
            if await shop.letters.replay(letter.event_id, only_rule=only_rule):
                done.append(letter)
        return done

    _report(_with_store(config, act), events, "replayed", dry_run=dry_run, as_json=as_json)


def purge(
    events: EventsArgument = None,
    code: CodeOption = None,
    rule: RuleOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    everything: AllOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Give dead letters up for good. Their bodies are erased, their journals stay for `ttl.journal`.

    Example: shopbot dead purge --older-than 30d
    """
    selection = _required(_selection(events, code, rule, older_than, newer_than), everything=everything)

    async def act(shop: "_Shop") -> Sequence[DeadLetter]:
        meant = await shop.letters.select(selection, _now())
        return meant if dry_run else [letter for letter in meant if await shop.letters.purge(letter.event_id)]

    _report(_with_store(config, act), events, "purged", dry_run=dry_run, as_json=as_json)


class _Shop:
    """One shop's dead letters, claims and records, on an open store."""

    def __init__(self, blueprint: Blueprint, client: Redis) -> None:
        keys = Keys(blueprint.shop.domain)
        journal_ttl_seconds = blueprint.settings.ttl.journal.total_seconds()
        self.blueprint = blueprint
        self.letters = DeadLetters(client, keys, journal_ttl_seconds=journal_ttl_seconds)
        self.claims = Claims(client, keys, line_ttl_seconds=journal_ttl_seconds)
        self.records = Records(client, keys)

    async def one(self, event_id: str) -> tuple[Sequence[DeadLetter], EventRecord | None]:
        """Read one dead letter and its record."""
        letters = await self.letters.select(Selection(event_ids=frozenset({event_id})), _now())
        return letters, await self.records.event(event_id)


def _with_store(config: Path, work: Callable[[_Shop], Awaitable[Result]]) -> Result:
    try:
        blueprint = load_blueprint(config, os.environ)
        with store_url(blueprint) as url:
            return asyncio.run(_run(blueprint, url, work))
    except (ConfigError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


async def _run(blueprint: Blueprint, url: str, work: Callable[[_Shop], Awaitable[Result]]) -> Result:
    async with client_of(url) as client:
        return await work(_Shop(blueprint, client))


def _selection(
    events: list[str] | None,
    code: str | None,
    rule: str | None,
    older_than: str | None,
    newer_than: str | None,
) -> Selection:
    if code is not None and code not in set(Reason):
        raise typer.BadParameter(
            f"no reason code '{code}'{suggest(code, (known.value for known in Reason))}", param_hint="--code"
        )
    return Selection(
        event_ids=frozenset(events) if events else None,
        code=code,
        rule=rule,
        older_than=_age(older_than, "--older-than"),
        newer_than=_age(newer_than, "--newer-than"),
    )


def _age(text: str | None, option: str) -> timedelta | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter("expected a duration such as 30m, 2h or 3d", param_hint=option) from error


def _required(selection: Selection, *, everything: bool) -> Selection:
    if selection == Selection() and not everything:
        raise typer.BadParameter("say which dead letters: event ids, --code, --rule, an age, or --all")
    return selection


def _report(
    letters: Sequence[DeadLetter], named: Sequence[str] | None, verb: str, *, dry_run: bool, as_json: bool
) -> None:
    if as_json:
        typer.echo(json.dumps([_as_json(letter) for letter in letters], indent=2))
    else:
        if dry_run:
            _print(letters)
        count = f"{len(letters)} dead letter{'' if len(letters) == 1 else 's'}"
        typer.echo(f"{count} would be {verb}" if dry_run else f"{count} {verb}")
    missing = set(named or ()) - {letter.event_id for letter in letters}
    for event_id in sorted(missing):
        typer.echo(f"no dead letter '{event_id}'", err=True)
    if missing:
        raise typer.Exit(1)


def _print(letters: Sequence[DeadLetter]) -> None:
    if not letters:
        typer.echo("no dead letters")
        return
    now = _now()
    for letter in letters:
        age = timedelta(seconds=max(0, round((now - letter.dead_at).total_seconds())))
        where = f" in {letter.rule}" if letter.rule else ""
        tries = "1 try" if letter.attempts == 1 else f"{letter.attempts} tries"
        # Lines and no table: an id that is cut is of no use to the other verbs.
        typer.echo(f"{letter.event_id}  {letter.topic}")
        typer.echo(f"  {letter.code}{where}, after {tries}, {format_duration(age)} ago")
        if letter.detail:
            typer.echo(f"  {mask_digits(letter.detail)}")


def _as_json(letter: DeadLetter) -> dict[str, object]:
    return {
        "event_id": letter.event_id,
        "topic": letter.topic,
        "code": letter.code,
        "rule": letter.rule,
        "step": letter.step,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "dead_at": letter.dead_at.isoformat(),
        "body_bytes": len(letter.body),
    }


def _now() -> datetime:
    return datetime.now(UTC)
