"""The real `shopbot run`, in processes of its own, for tests that kill some of them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from shopbot.store.connection import connect
from shopbot.store.keys import Keys
from shopbot.store.records import EventRecord, Records
from shopbot.store.server_binary import find_server_binary
from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, SHOP
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import order_bytes
from shopbot.testing.webhooks import shopify_headers
from support.eventually import eventually

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")

STEADY_CONFIG = CONFIG + "worker: {concurrency: 8}\n"
"""For hosts whose events must end well: a process that a busy machine holds up for seconds keeps its events."""

FAST_CONFIG = CONFIG + "worker: {concurrency: 8, lease: 1s}\nin_doubt: {deadline: 500ms}\n"
"""For hosts whose processes are killed or frozen: their events are taken over after a second, and nobody waits long for
an echo. So are those of a process that was merely slow, and what it was sending comes into doubt."""

_START_SECONDS = 150.0
_END_SECONDS = 150.0
"""Far more than it takes, for machines with much else to do."""


@dataclass
class HostProcess:
    """One `shopbot run` and what can be done to it from outside."""

    process: asyncio.subprocess.Process
    directory: Path
    log_file: Path
    http: httpx.AsyncClient
    output: str
    """What it has written to stdout by the time it serves."""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def workers(self) -> list[int]:
        """The worker processes' ids, in the order of their start."""
        return sorted(pid for pid, command in children(self.pid).items() if "shopbot.host.process" in command)

    @property
    def store(self) -> list[int]:
        """The embedded server's process id, where it runs."""
        return [pid for pid, command in children(self.pid).items() if "valkey-server" in command]

    def log(self, event: str) -> list[dict[str, Any]]:
        """Give the log's lines about an event.

        What comes after the last line break is being written: a reader may see half of a line that the host
        writes with one call.
        """
        whole, _, _ = self.log_file.read_bytes().rpartition(b"\n")
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]
        return [line for line in lines if line.get("event") == event]

    async def post(self, topic: str, body: Mapping[str, Any], *, webhook_id: str | None = None) -> str:
        """Deliver a signed webhook as Shopify does, again and again until it is answered 200; gives its event's id."""
        raw = order_bytes(body)
        headers = shopify_headers(topic, raw, SECRET, SHOP, webhook_id=webhook_id)

        async def delivered() -> bool:
            with suppress(httpx.TransportError):
                response = await self.http.post("/webhooks/shopify", content=raw, headers=headers)
                return response.status_code == httpx.codes.OK
            return False

        await eventually(delivered, f"{topic} is answered 200", limit_seconds=_START_SECONDS)
        return f"webhook:{headers['X-Shopify-Webhook-Id']}"

    async def ended(self) -> int:
        """Wait until it has ended, and give its exit code."""
        async with asyncio.timeout(_END_SECONDS):
            return await self.process.wait()

    async def stop(self) -> int:
        """Ask it to end, as a service manager does, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()


@asynccontextmanager
async def host_running(
    directory: Path, messenger_url: str, *options: str, config: str = STEADY_CONFIG, name: str = "host"
) -> AsyncIterator[HostProcess]:
    """Run a host until the block ends; it serves when the block begins.

    name: of its log file, where several run in one directory.
    """
    log_file = directory / f"{name}.log"
    async with AsyncExitStack() as stack:
        process = await _start(directory, messenger_url, options, config, log_file)
        stack.push_async_callback(_end, process)
        output = ""
        async with asyncio.timeout(_START_SECONDS):
            while " on http://" not in output:
                line = (await _stdout(process).readline()).decode()
                assert line, f"it did not start: {log_file.read_text()}"
                output += line
        url = output.rsplit(" on ", 1)[1].strip()
        # Without keep-alive: a connection belongs to one worker process, and tests kill those.
        limits = httpx.Limits(max_keepalive_connections=0)
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30.0, limits=limits))
        yield HostProcess(process, directory, log_file, http, output)


async def host_refusing(directory: Path, *options: str, config: str = STEADY_CONFIG) -> tuple[int, str]:
    """Run a host that does not start; gives its exit code and all that it has written."""
    log_file = directory / "refusing.log"
    process = await _start(directory, "http://127.0.0.1:9", options, config, log_file)
    try:
        async with asyncio.timeout(_START_SECONDS):
            stdout, _ = await process.communicate()
        return process.returncode or 0, stdout.decode() + log_file.read_text()
    finally:
        await _end(process)


@asynccontextmanager
async def simulator(**options: Any) -> AsyncIterator[tuple[MessengerSimulator, str]]:  # noqa: ANN401 - its own options
    """Run a Messenger that takes the host's token."""
    messenger = MessengerSimulator(access_token=PAGE_TOKEN, **options)
    async with messenger.serve() as url:
        yield messenger, url


class Books:
    """What a host's store knows, read past the host."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.keys = Keys(SHOP)
        self._records = Records(client, self.keys)

    async def ended(self, event_id: str) -> EventRecord:
        """Wait until an event has ended."""

        async def look() -> EventRecord | None:
            record = await self._records.event(event_id)
            return record if record is not None and record.status in ("done", "skipped", "failed") else None

        record = await eventually(look, f"{event_id} has ended", limit_seconds=_END_SECONDS)
        assert record is not None
        return record


@asynccontextmanager
async def books(url: str) -> AsyncIterator[Books]:
    client = connect(url)
    try:
        yield Books(client)
    finally:
        await client.aclose()


@asynccontextmanager
async def tcp_store(directory: Path) -> AsyncIterator[str]:
    """Run a server on a TCP port of this machine, as somebody else would; gives its URL."""
    port = free_port()
    settings = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""]
    settings += ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
    process = await asyncio.create_subprocess_exec(
        str(find_server_binary()), *settings, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        client = connect(f"redis://127.0.0.1:{port}/0")

        async def answers() -> bool:
            with suppress(ConnectionError, OSError):
                return bool(await client.ping())
            return False

        await eventually(answers, "the store answers")
        await client.aclose()
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        await _end(process)


def free_port() -> int:
    """Give a port that nobody uses, and that nobody is given by chance until the test binds it.

    Those that the system gives out, to connections and to whoever asks for any port, are no good for that.
    """
    while True:
        port = random.randint(10_000, 30_000)  # noqa: S311 - guards nothing; below what systems give out
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def children(parent: int) -> dict[int, str]:
    """Give the processes that a process has started, with their command lines; zombies are gone."""
    found: dict[int, str] = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            state, ppid = (directory / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                found[int(directory.name)] = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def all_gone(*pids: int) -> None:
    """Wait until none of these processes is there any more."""

    async def look() -> bool:
        return not any(is_alive(pid) for pid in pids)

    await eventually(look, f"processes {pids} are gone")


async def _start(
    directory: Path, messenger_url: str, options: tuple[str, ...], config: str, log_file: Path
) -> asyncio.subprocess.Process:
    path = directory / "shopbot.yaml"
    path.write_text(config, encoding="utf-8")
    environ = {
        **os.environ,
        "SHOPIFY_WEBHOOK_SECRET": SECRET,
        "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
        "MESSENGER_URL": messenger_url,
    }
    ports = () if "--port" in options else ("--port", "0")
    with log_file.open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shopbot", "run", str(path), *ports, *options),
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave nothing behind, whatever the test has done."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
    if process.stdout is not None:
        await process.stdout.read()


def _stdout(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    assert process.stdout is not None
    return process.stdout
