"""The four servers that are measured, each in one process that answers requests."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.order_webhook import SECRET, SHOP
from benchmarks.peer_environment import peer_python
from benchmarks.placement import Placement
from redis import Redis

from shopbot.store.embedded import EmbeddedServer, socket_path
from shopbot.store.keys import Keys

_ROOT = Path(__file__).resolve().parents[1]
_PEERS = _ROOT / "benchmarks" / "peers"
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.05
_CONFIG = """\
shop: {domain: bench.myshopify.com, name: Bench}
store: embedded
data_dir: %s
verify:
  - use: shopify_hmac
    secrets: ["${SHOPIFY_WEBHOOK_SECRET}"]
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers requests."""

    port: int
    count_kept: Callable[[], int] | None = None
    """Kills the server, as a power cut would, and counts the events that its store gives back from disk; None where
    nothing is kept, or another format than ours."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server by its letter on the command line."""

    letter: str
    title: str
    serve: Callable[[], AbstractContextManager[Running]]


def contestants(placement: Placement | None = None) -> Mapping[str, Contestant]:
    """Give all, in the order of a round; what one of them needs is installed when it is first served.

    placement: where servers and stores run; None leaves it to the kernel.
    """
    return {
        letter: Contestant(letter, title, partial(serve, placement))
        for letter, title, serve in (
            ("a", "Sanic, verifies, keeps nothing", _bare_sanic),
            ("b", "shopbot, every event on disk", _shopbot),
            ("c", "FastAPI, background tasks, keeps nothing", _fastapi_background),
            ("d", "FastAPI, arq queue, every job on disk", _fastapi_arq),
        )
    }


@contextmanager
def _bare_sanic(placement: Placement | None) -> Iterator[Running]:
    command = [sys.executable, str(_PEERS / "bare_sanic.py")]
    with _temporary() as directory, _peer(command, directory, placement) as running:
        yield running


@contextmanager
def _fastapi_background(placement: Placement | None) -> Iterator[Running]:
    command = [str(peer_python(_ROOT / ".venv-bench")), str(_PEERS / "fastapi_background.py")]
    with _temporary() as directory, _peer(command, directory, placement) as running:
        yield running


@contextmanager
def _fastapi_arq(placement: Placement | None) -> Iterator[Running]:
    python = peer_python(_ROOT / ".venv-bench")
    command = [str(python), str(_PEERS / "fastapi_arq.py")]
    # The store of (b), with its settings, but without its events.
    with (
        _temporary() as directory,
        EmbeddedServer(directory / "data"),
        _peer(command, directory, placement, STORE_SOCKET=str(socket_path(directory / "data"))) as running,
    ):
        yield running


@contextmanager
def _shopbot(placement: Placement | None) -> Iterator[Running]:
    with _temporary() as directory:
        data_dir = directory / "data"
        config = directory / "shopbot.yaml"
        config.write_text(_CONFIG % data_dir, encoding="utf-8")
        port = _free_port()
        command = [sys.executable, "-m", "shopbot", "run", str(config), "--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", "1", "--role", "web"]
        with _process(command, directory, placement, {}) as process:
            _wait_until_ready(process, port, "/readyz", directory)
            if placement is not None:
                with Redis(unix_socket_path=str(socket_path(data_dir))) as client:
                    placement.move_store(client.info("server")["process_id"])

            def count_kept() -> int:
                process.kill()
                process.wait()
                with EmbeddedServer(data_dir) as store, Redis.from_url(store.url) as client:
                    return int(client.xlen(Keys(SHOP).inbox))

            yield Running(port, count_kept)


@contextmanager
def _peer(command: Sequence[str], directory: Path, placement: Placement | None, **environ: str) -> Iterator[Running]:
    port = _free_port()
    with _process([*command, str(port)], directory, placement, environ) as process:
        _wait_until_ready(process, port, "/", directory)
        yield Running(port)


@contextmanager
def _process(
    command: Sequence[str], directory: Path, placement: Placement | None, environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with (directory / "log").open("wb") as log:
        with nullcontext() if placement is None else placement.starting_server():
            process = subprocess.Popen(  # noqa: S603 - no shell, and our own arguments
                command,
                cwd=directory,
                env={**os.environ, "SHOPIFY_WEBHOOK_SECRET": SECRET, **environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, path: str, directory: Path) -> None:
    """Wait for any answer below 500."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            with contextlib.closing(connection):
                connection.request("GET", path)
                if connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                    return
        time.sleep(_LOOK_SECONDS)
    said = (directory / "log").read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"the server on port {port} did not come up:\n{said}")


@contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="shopbot-bench-") as name:
        yield Path(name)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
