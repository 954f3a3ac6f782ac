"""Tries a new version in a process of its own: whatever its plugins and tests do there, the host goes on."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from shopbot.config.snapshot import Snapshot


class RehearsalAnswer(BaseModel):
    """What trying a version gave."""

    problems: tuple[str, ...] = ()
    """Why it cannot take over, each in one line with its place; empty when it can."""
    warnings: tuple[str, ...] = ()
    """What is probably not meant."""
    tests: int = 0
    """How many tests it has passed."""


class Rehearsal:
    """One process that tries a version."""

    def __init__(self, module: str, lifeline: int, new: Snapshot, all_of: Sequence[Snapshot], live: Snapshot) -> None:
        """Start it.

        module: what to run, as `python -m` names it.
        lifeline: the end of a pipe that closes with this process.
        all_of: the snapshots of all shops, the new one included.
        live: of the same shop, as it runs now.
        """
        self._answer = tempfile.NamedTemporaryFile(prefix="shopbot-rehearsal-")  # noqa: SIM115 - closed by `close`
        command = [
            *(sys.executable, "-m", module, "--answer", self._answer.name, "--supervisor-fd", str(lifeline)),
            *("--new", str(new.directory), "--live", str(live.directory)),
            *(str(one.directory) for one in all_of),
        ]
        self._process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
            command, stdin=subprocess.DEVNULL, pass_fds=(lifeline,), start_new_session=True
        )

    def look(self) -> RehearsalAnswer | None:
        """Give the answer; None while there is none."""
        code = self._process.poll()
        if code is None:
            return None
        try:
            return RehearsalAnswer.model_validate_json(Path(self._answer.name).read_bytes())
        except ValidationError:
            what = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            return RehearsalAnswer(problems=(f"the check {what}; what it said is in the log",))

    def close(self) -> None:
        """End it, with all that it started, if it has not ended; may be repeated."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._answer.close()
