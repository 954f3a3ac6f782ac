"""The worker processes that run the same version of the configuration: they begin together and leave together."""

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from shopbot.config.snapshot import Snapshot
from shopbot.host.launcher import Launcher, WorkerProcess

_STOP_TIME_LIMIT_SECONDS = 90.0
"""Longer than any call that a worker may have under way (a send: 60 seconds)."""
_GIVE_UP_TIME_LIMIT_SECONDS = 10.0
"""Those that have begun nothing have no more than plugins to stop."""
_LEAVE_TIME_LIMIT_SECONDS = 300.0
"""How long one that leaves may take: far longer than a connection or an event can."""
_RESTART_PAUSES_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_SECONDS = 30.0
"""A process that has run this long was not failing from the start."""


@dataclass(slots=True)
class Generation:
    """N processes of one version."""

    launcher: Launcher
    snapshots: Sequence[Snapshot]
    """Of all shops: what the processes run, also those that replace others."""
    processes: list[WorkerProcess] = field(default_factory=list)
    begun: bool = False
    """Whether the processes were let begin, so that they may have something in hand."""
    _failures: int = 0
    _restarts: dict[int, float] = field(default_factory=dict)
    """When to start a process again, by its place."""
    _last_moment: float = 0.0
    """Until when those that leave or end may take, by the monotonic clock."""
    _terminated: bool = False

    def start(self, count: int, *, joins: bool = False) -> None:
        """Start the processes; they prepare themselves and wait for `go`."""
        for _ in range(count):
            self.processes.append(self.launcher.start(self.snapshots, joins=joins))

    def listen(self) -> None:
        """Take in how far the processes are."""
        for process in self.processes:
            process.listen()

    @property
    def prepared(self) -> bool:
        """Whether all processes could begin."""
        return all(process.prepared for process in self.processes)

    @property
    def ready(self) -> bool:
        """Whether all processes answer requests."""
        return all(process.ready for process in self.processes)

    @property
    def left(self) -> bool:
        """Whether none of the processes, as far as they still run, begins anything new."""
        return all(process.left or process.exit_code is not None for process in self.processes)

    @property
    def failure(self) -> str | None:
        """Say which process has ended, and why as far as is known; None while all run."""
        for process in self.processes:
            code = process.exit_code
            if code is not None:
                return process.reason or f"a process of the new version {_ended(code)}; what it said is in the log"
        return None

    def go(self) -> None:
        """Let the processes begin."""
        self.begun = True
        for process in self.processes:
            process.go()

    def keep(self) -> None:
        """Start processes that died again, sooner or later; their successors begin as soon as they are prepared."""
        now = time.monotonic()
        for index, process in enumerate(self.processes):
            code = process.exit_code
            if code is None:
                process.listen()
                continue
            if process.place not in self._restarts:
                self._restarts[process.place] = now + self._pause_after(process, code)
            if now >= self._restarts[process.place]:
                del self._restarts[process.place]
                process.forget()
                self.processes[index] = self.launcher.start(self.snapshots, place=process.place)
                self.processes[index].go()

    def leave(self) -> None:
        """Let the processes finish what they have and end."""
        self._last_moment = time.monotonic() + _LEAVE_TIME_LIMIT_SECONDS
        for process in self.processes:
            process.leave()

    def terminate(self) -> None:
        """Ask the processes to end as soon as what is under way is done; asked again, they get no more time."""
        limit_seconds = _STOP_TIME_LIMIT_SECONDS if self.begun else _GIVE_UP_TIME_LIMIT_SECONDS
        moment = time.monotonic() + limit_seconds
        self._last_moment = min(self._last_moment, moment) if self._terminated else moment
        self._terminated = True
        for process in self.processes:
            process.terminate()

    def gone(self) -> bool:
        """Say whether all of those that leave or end have ended; sees to it when they take too long."""
        for process in list(self.processes):
            if process.exit_code is not None:
                self._removed(process)
        if self.processes and time.monotonic() > self._last_moment:
            if self._terminated:
                self.end()
            else:
                self.terminate()
        return not self.processes

    def end(self) -> None:
        """Wait until all have ended; those that take too long are killed."""
        for process in list(self.processes):
            if process.end(self._last_moment):
                structlog.get_logger("shopbot.host").error("worker_process_killed", pid=process.pid)
            self._removed(process)

    def _removed(self, process: WorkerProcess) -> None:
        self.processes.remove(process)
        self.launcher.ended(process)

    def _pause_after(self, process: WorkerProcess, code: int) -> float:
        """Say how long to wait before a process is replaced, in seconds, and log that it died."""
        steady = time.monotonic() - process.started > _STEADY_SECONDS
        self._failures = 0 if steady else min(self._failures + 1, len(_RESTART_PAUSES_SECONDS) - 1)
        pause_seconds = _RESTART_PAUSES_SECONDS[self._failures - 1 if self._failures else 0]
        structlog.get_logger("shopbot.host").error(
            "worker_process_died",
            pid=process.pid,
            exit_code=code,
            cannot_start=process.cannot_start,
            restart_in_seconds=pause_seconds,
        )
        return pause_seconds


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
