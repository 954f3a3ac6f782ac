"""Loads a server for a while and says what came back."""

from __future__ import annotations

import json
import resource
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_HERE = Path(__file__).resolve().parent
_GRACE_SECONDS = 30.0

Client = Literal["wrk", "own"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a server did in one turn."""

    requests: int
    """Answered in the turn; every one was a 2xx when there are no failures."""
    seconds: float
    p50_ms: float
    p99_ms: float
    failures: int
    """Answers of 400 and above, and connections that broke."""
    client_cpu: float
    """The client's own use of one core, 0 to 1: near 1 it is the client that was measured."""

    @property
    def per_second(self) -> float:
        """Requests answered per second."""
        return self.requests / self.seconds


def find_client() -> Client:
    """Prefer wrk (https://github.com/wg/wrk), which needs less of the machine."""
    return "wrk" if shutil.which("wrk") else "own"


def load(client: Client, port: int, request_file: Path, *, seconds: float, connections: int) -> Sample:
    """Send the request in *request_file* over kept-alive connections, as fast as answers come.

    seconds: how long; wrk takes whole seconds.

    Raises:
        RuntimeError: the client failed; the message is what it said.
    """
    prefix = secrets.token_hex(6)
    if client == "wrk":
        command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{round(seconds)}s"]
        command += ["--script", str(_HERE / "wrk.lua"), f"http://127.0.0.1:{port}/", "--", str(request_file), prefix]
    else:
        command = [sys.executable, str(_HERE / "load_client.py"), str(port), str(request_file), prefix]
        command += [str(seconds), str(connections)]
    before = _children_cpu_seconds()
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and our own arguments
            command, capture_output=True, text=True, timeout=seconds + _GRACE_SECONDS, check=True
        )
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"the load client failed: {error.stdout}{error.stderr}") from error
    answer = json.loads(done.stdout.splitlines()[-1])
    cpu_seconds = _children_cpu_seconds() - before
    return Sample(**answer, client_cpu=cpu_seconds / answer["seconds"])


def _children_cpu_seconds() -> float:
    """Give the CPU time of all child processes that have ended and were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
