"""`shopbot run` as an operator runs it, kept up as an init system keeps it up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

_LOOK_SECONDS = 0.05
_START_SECONDS = 60.0


def free_port() -> int:
    """Find a port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class HostProcess:
    """One host: a supervisor and its worker processes.

    log: the file that gets everything it prints.
    """

    def __init__(self, config: Path, environ: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.starts = 0
        self._config = config
        self.environ = {**os.environ, **environ}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._past: list[subprocess.Popen[bytes]] = []

    @property
    def ended(self) -> bool:
        """Tell whether the supervisor has ended, or was never started."""
        return self._process is None or self._process.poll() is not None

    def start(self, workers: int) -> None:
        """Start it; it needs a second or two to answer."""
        self.starts += 1
        command = [sys.executable, "-m", "shopbot", "run", str(self._config)]
        command += ["--port", str(self.port), "--workers", str(workers)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - shopbot itself
                command, env=self.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._past.append(self._process)

    async def ready(self) -> None:
        """Wait until it answers. Raises TimeoutError, and RuntimeError when it ends instead."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client, asyncio.timeout(_START_SECONDS):
            while True:
                if self.ended:
                    raise RuntimeError(f"the host ended; see {self._log}")
                with contextlib.suppress(httpx.TransportError, AttributeError):
                    if (await client.get("/healthz")).status_code == httpx.codes.OK:
                        return
                await asyncio.sleep(_LOOK_SECONDS)

    def workers(self) -> Sequence[int]:
        """Give the pids of its worker processes that live."""
        if self._process is None or self._process.poll() is not None:
            return []
        return [child for child in _children(self._process.pid) if b"host.process" in _command_line(child)]

    def store_pid(self) -> int | None:
        """Give the pid of its embedded store; None when that is down."""
        if self._process is None or self._process.poll() is not None:
            return None
        found = [child for child in _children(self._process.pid) if b"valkey-server" in _command_line(child)]
        return found[0] if found else None

    def kill(self) -> bool:
        """`kill -9` the supervisor and its processes at once; False when it had ended."""
        workers = self.workers()
        process = self._process
        if process is None or process.poll() is not None:
            return False
        process.kill()
        for worker in workers:
            kill(worker)
        process.wait()
        return True

    async def stop(self) -> None:
        """Ask it to end, and wait for that."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_START_SECONDS):
                    while self._process.poll() is None:  # noqa: ASYNC110 - a process has no event
                        await asyncio.sleep(_LOOK_SECONDS)
            self.kill()


def kill(pid: int) -> bool:
    """`kill -9` a process; False when it is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _children(pid: int) -> list[int]:
    """Give the pids of the children of all threads of a process; its store is a child of a thread of its own."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
