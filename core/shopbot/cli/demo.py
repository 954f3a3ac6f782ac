"""`shopbot demo`: the main job, live, with no account anywhere."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from shopbot.cli.demo_scenes import DemoFailedError, Scenes
from shopbot.store.connection import connect
from shopbot.store.embedded import url_for
from shopbot.testing.messenger import MessengerSimulator

SHOP = "demo-shop.myshopify.com"
WEBHOOK_SECRET = "demo-webhook-secret"  # noqa: S105 - signs the demo's own webhooks and nothing else
PAGE_TOKEN = "demo-page-token"  # noqa: S105 - only the simulator takes it
_STOP_TIME_LIMIT_SECONDS = 20.0

_CONFIG = """\
shop: {{domain: {shop}, name: Demo Shop, locale: en, timezone: Europe/Berlin, delivery: {{business_days: 3}}}}
store: embedded
verify:
  - {{use: shopify_hmac, secrets: ["${{SHOPIFY_WEBHOOK_SECRET}}"]}}
resolvers:
  - {{use: note_attributes, key: psid, trust: known_shopper}}
  - {{use: token_lookup}}
carts:
  - {{use: redis_cart}}
senders:
  - use: messenger
    page_id: "{page_id}"
    access_token: ${{MESSENGER_PAGE_TOKEN}}
    api_url: {messenger}/v25.0
rules:
  - name: order_confirmation
    on: [orders/create, orders/paid, orders/updated]
    when: {{financial_status: [paid], cancelled: false, test: false}}
    once_per: order
    steps: [resolve_psid, clear_cart, save_order_reference, {{send_message: order_confirmation}}]
messages:
  order_confirmation: {{tag: order_update, text: order_confirmation.txt.j2, utility_template: none}}
log: {{format: json, level: info}}
"""


def demo(
    serve: Annotated[bool, typer.Option("--serve", help="Keep running, with a curl line to try.")] = False,
) -> None:
    """Show the main job: a signed order comes in, the shopper reads "Order confirmed!", the cart is empty.

    Runs the real host with its embedded store in a temporary directory; Messenger is played by a simulator that keeps
    Meta's rules. Exits with 0 when everything went as it must.

    Example: shopbot demo --serve
    """
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="shopbot-demo-") as directory:
        try:
            asyncio.run(_demo(console, Path(directory), serve=serve))
        except DemoFailedError as error:
            console.print(f"\n[bold red]The demo failed:[/] {error}")
            console.print((Path(directory) / "host.log").read_text(encoding="utf-8"), markup=False)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            console.print("\nstopped")


async def _demo(console: Console, directory: Path, *, serve: bool) -> None:
    simulator = MessengerSimulator(access_token=PAGE_TOKEN)
    async with contextlib.AsyncExitStack() as stack:
        messenger = await stack.enter_async_context(simulator.serve())
        config = directory / "shopbot.yaml"
        config.write_text(_CONFIG.format(shop=SHOP, page_id=simulator.page_id, messenger=messenger), encoding="utf-8")
        with console.status("starting the host and its embedded store …"):
            url = await stack.enter_async_context(_host(config))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=10.0))
        store = connect(url_for(directory / "data"))
        stack.push_async_callback(store.aclose)
        scenes = Scenes(
            console=console,
            simulator=simulator,
            http=client,
            store=store,
            shop=SHOP,
            secret=WEBHOOK_SECRET,
        )
        scenes.introduce(url, messenger)
        await scenes.play()
        if serve:
            scenes.invite(url, directory)
            await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def _host(config: Path) -> AsyncIterator[str]:
    """Run `shopbot run` beside this process until the block ends; gives its URL."""
    with (config.parent / "host.log").open("wb") as log, _process(config, log.fileno()) as process:
        yield await asyncio.to_thread(_wait_for_url, process)


@contextlib.contextmanager
def _process(config: Path, log_fd: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "SHOPIFY_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
        [sys.executable, "-m", "shopbot", "run", str(config), "--port", "0"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log_fd,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=_STOP_TIME_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _wait_for_url(process: subprocess.Popen[bytes]) -> str:
    """Read the host's own announcement; it ends with its URL."""
    if process.stdout is None:
        raise DemoFailedError("the host has no output to read")
    for line in process.stdout:
        text = line.decode().strip()
        if text.startswith("shopbot serves "):
            return text.rsplit(" ", 1)[-1]
    raise DemoFailedError("the host did not start")
