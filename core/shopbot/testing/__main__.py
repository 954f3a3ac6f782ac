"""`python -m shopbot.testing`: run a simulator by itself, and watch what arrives."""

import asyncio
import re
import signal
import sys
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from shopbot.testing.messenger import MessengerSimulator, ReceivedRequest, SentMessage
from shopbot.testing.messenger_callbacks import EchoMode
from shopbot.testing.messenger_state import WindowPolicy

cli = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich")

_TOKEN = "test-page-token"  # noqa: S105 - accepted by the simulator alone
_APP_SECRET = "test-app-secret"  # noqa: S105 - signs the simulator's webhooks alone
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)?")


@cli.callback()
def simulators() -> None:
    """Simulators of the platforms that shopbot talks to."""


@cli.command()
def messenger(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 9000,
    page_id: Annotated[str, typer.Option(help="The Page's id.")] = "102290129340398",
    token: Annotated[str, typer.Option(help="The access token that is accepted.")] = _TOKEN,
    app_secret: Annotated[str, typer.Option(help="Signs the webhooks.")] = _APP_SECRET,
    window: Annotated[WindowPolicy, typer.Option(help="For shoppers who never wrote.")] = "open",
    latency: Annotated[str, typer.Option(help="Before each answer, such as 150ms or 2s.")] = "0ms",
    webhook_url: Annotated[str | None, typer.Option(help="Where the bot takes webhooks.")] = None,
    echoes: Annotated[EchoMode, typer.Option(help="How often each sent message comes back.")] = "once",
    keep: Annotated[int, typer.Option(help="How many messages and requests are remembered.")] = 100_000,
    template: Annotated[
        list[str] | None,
        typer.Option(help="An approved utility template, as NAME/LANGUAGE/NUMBER of body parameters."),
    ] = None,
) -> None:
    """Behave like Meta's Send API, and print each message that a shopper would get.

    Example: python -m shopbot.testing messenger --window closed --template order_confirmation/en_US/2
    """
    console = Console()
    simulator = MessengerSimulator(
        page_id=page_id,
        access_token=token,
        app_secret=app_secret,
        window=window,
        latency_seconds=_seconds(latency),
        webhook_url=webhook_url,
        echoes=echoes,
        keep=keep,
        observer=lambda request, sent: _show(console, request, sent),
    )
    for text in template or []:
        _add_template(simulator, text)
    try:
        uvloop.run(_serve(simulator, port, token, console))
    except OSError as error:
        console.print(f"[red]cannot listen on port {port}:[/] {escape(str(error))}")
        sys.exit(1)


async def _serve(simulator: MessengerSimulator, port: int, token: str, console: Console) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with simulator.serve(port=port) as address:
        console.print("[dim]# Messenger simulator: put this into shopbot.yaml, and set the token[/]")
        console.print(
            "senders:\n"
            "  - use: messenger\n"
            f'    page_id: "{simulator.page_id}"\n'
            "    access_token: ${MESSENGER_PAGE_TOKEN}\n"
            f"    api_url: {address}/v25.0"
        )
        console.print(f"[dim]# export MESSENGER_PAGE_TOKEN={escape(token)}[/]")
        console.print(f"[dim]# all messages: {address}/_simulator/sent · Ctrl-C ends it[/]")
        await stopped.wait()


def _show(console: Console, request: ReceivedRequest, sent: SentMessage | None) -> None:
    if sent is not None:
        text = sent.text or "(no text: see /_simulator/sent)"
        title = f"{sent.messaging_type} to {escape(sent.psid)}"
        if request.fault is not None:
            title += f" [yellow]· {request.fault}[/]"
        console.print(Panel(escape(text), title=title, subtitle=escape(sent.message_id), expand=False))
    elif request.outcome == "accepted":
        console.print(f"[dim]{escape(str(request.raw.get('sender_action')))} to {request.psid}[/]")
    else:
        code = "" if request.code is None else f" {request.code}/{request.subcode or '-'}"
        console.print(f"[red]{request.outcome}{code}[/] {request.fault or ''} to {request.psid}")


def _add_template(simulator: MessengerSimulator, text: str) -> None:
    name, _, rest = text.partition("/")
    language, _, number = rest.partition("/")
    if not (name and language and number.isdigit()):
        raise typer.BadParameter(f"{text!r} is not NAME/LANGUAGE/NUMBER", param_hint="--template")
    places = ", ".join(f"{{{{{position + 1}}}}}" for position in range(int(number)))
    body = f"{name}: {places} (simulated template)" if places else f"{name} (simulated template)"
    simulator.templates.add(name, body, language=language)


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a duration such as 150ms or 2s", param_hint="--latency")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


if __name__ == "__main__":
    cli(prog_name="python -m shopbot.testing")
