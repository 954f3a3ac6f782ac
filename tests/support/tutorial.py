"""A page of the manual that is worked through from top to bottom, as a reader does."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.command_line import shopbot

_LIMIT_SECONDS = 200
"""Far more than it takes, for machines with much else to do."""


class Reader:
    """Types the commands of a page, and holds what they print against it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ: dict[str, str] = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTEST")
        }
        self.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), self.environ.get("PATH", "")])
        # What only our own environment has besides shopbot is not there for the reader.
        self.environ.update({"COLUMNS": "120", "TERM": "dumb", "PYTEST_ADDOPTS": "-p no:asyncio"})

    def session(self, block: str) -> None:
        """Type each `$ ` line of a block; below it stands what is printed, where `…` is anything."""
        for typed in re.split(r"(?m)^\$ ", block)[1:]:
            line, _, shown = typed.partition("\n")
            printed = "".join(self.type(command) for command in line.split(" && "))
            assert _pattern(shown).fullmatch(printed), f"$ {line}\n{printed}"

    def type(self, command: str) -> str:
        """Type one command and give what it prints; it must not end with a fault other than problems found (1)."""
        word, _, rest = command.partition(" ")
        if word == "cd":
            self.directory = (self.directory / rest).resolve()
            return ""
        if word == "export":
            name, _, value = rest.partition("=")
            self.environ[name] = value
            return ""
        if word == "pip":
            return ""  # it is installed, and this environment stays as it is
        if word == "shopbot":
            ended = shopbot(*shlex.split(rest), directory=self.directory, environ=self.environ, columns=120)
            assert ended.exit_code in {0, 1}, f"$ {command}\n{ended.output}{ended.errors}"
            return ended.output + ended.errors
        done = subprocess.run(  # noqa: S603 - a command of our own manual
            ["/bin/sh", "-c", command],
            cwd=self.directory,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_SECONDS,
        )
        assert done.returncode in {0, 1}, f"$ {command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def write(self, name: str, text: str) -> None:
        """Save a file."""
        (self.directory / name).write_text(text, encoding="utf-8")

    @contextmanager
    def leaving_it_running(self, command: str, until: str) -> Iterator[Running]:
        """Type a command in a terminal of its own, and end it with Ctrl-C when the block ends.

        until: what it prints when it is ready.
        """
        process = subprocess.Popen(  # noqa: S603 - likewise
            ["/bin/sh", "-c", f"exec {command}"],
            cwd=self.directory,
            env={**self.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running = Running(process)
        try:
            running.read_until(until)
            yield running
        finally:
            process.send_signal(signal.SIGINT)
            running.rest = process.communicate(timeout=_LIMIT_SECONDS)[0]


class Running:
    """A command that runs on."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.printed = ""
        self.rest = ""
        """What it printed after that, once it has ended."""

    def read_until(self, text: str) -> None:
        """Wait for a text; a test that waits for ever is ended by pytest-timeout."""
        assert self._process.stdout is not None
        while text not in self.printed:
            line = self._process.stdout.readline()
            assert line, f"it ended: {self.printed}"
            self.printed += line


def _pattern(shown: str) -> re.Pattern[str]:
    """Turn what a page shows into a pattern: a line `…` is any number of lines, `…` in a line any text."""
    lines = shown.splitlines(keepends=True)
    return re.compile("".join(r"(?:.*\n)*" if line == "…\n" else re.escape(line).replace("…", ".*") for line in lines))
