"""Real embedded servers for tests, and bounded waiting for what they do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from shopbot.store.data_dir_lock import lock_data_dir


@contextmanager
def client_of(url: str) -> Iterator[Any]:
    """A client that does not repeat a command by itself, so that an answer is an acknowledgement."""
    client = redis.Redis.from_url(url, decode_responses=True, socket_timeout=30, retry=None)
    try:
        yield client
    finally:
        client.close()


def until(condition: Callable[[], bool], what: str, limit_seconds: float = 60.0) -> None:
    """Wait until *condition* holds; the test fails with *what* when it does not come true in time."""
    deadline = time.monotonic() + limit_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.01)


def nothing_holds(data_dir: Path) -> bool:
    """Say whether all processes of *data_dir* have ended: owner and server hold its lock to their end.

    Raises:
        StoreError: they have not.
    """
    os.close(lock_data_dir(data_dir))
    return True


@contextmanager
def python(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run *script* in a Python of its own, and kill that in the end."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(  # noqa: S603 - the tests' own scripts
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()
