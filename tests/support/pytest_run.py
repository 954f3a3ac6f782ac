"""pytest as an integrator runs it: in a process and a directory of its own, with what is installed here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LIMIT_SECONDS = 500
"""Far more than it takes, for machines with much else to do; a test that hangs inside has pytest-timeout's limit."""


@dataclass(frozen=True)
class PytestRun:
    """What a run printed, and how it ended."""

    exit_code: int
    output: str

    def count(self, outcome: str) -> int:
        """Say how many tests `passed`, `failed` or had another outcome."""
        found = re.search(rf"(\d+) {outcome}", self.output.strip().rpartition("\n")[2])
        return int(found[1]) if found else 0


def run_pytest(directory: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> PytestRun:
    """Run pytest in *directory*, with warnings as errors and without pytest-asyncio (but see `-p asyncio`)."""
    without = [word for plugin in ("asyncio", "cacheprovider") for word in ("-p", f"no:{plugin}")]
    command = [sys.executable, "-m", "pytest", "-q", *without, "-W", "error", *arguments]
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    done = subprocess.run(  # noqa: S603 - this Python
        command,
        cwd=directory,
        env={**variables, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=_LIMIT_SECONDS,
    )
    return PytestRun(done.returncode, done.stdout + done.stderr)
