"""Starts worker processes, hears how far they are, and tells them when to begin and when to leave."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shopbot.config.snapshot import Snapshot
from shopbot.host.process import EXIT_CANNOT_START, FAILED, GO, LEAVE, LEFT, PREPARED, READY
from shopbot.host.process_name import host_name
from shopbot.host.shop_host import Role
from shopbot.metrics import DIRECTORY_VARIABLE

_READ_BYTES = 65_536


class WorkerProcess:
    """One process of a host, as its supervisor sees it."""

    def __init__(self, process: subprocess.Popen[bytes], place: int, ready_fd: int, control_fd: int) -> None:
        os.set_blocking(ready_fd, False)
        self.place = place
        """Its number among all that run."""
        self.started = time.monotonic()
        self.prepared = False
        """Whether it waits for the word to begin, or has had it."""
        self.ready = False
        """Whether it answers requests."""
        self.left = False
        """Whether it begins nothing new any more."""
        self.reason = ""
        """Why it cannot start, in its own words."""
        self._process = process
        self._ready_fd = ready_fd
        self._control_fd = control_fd
        self._heard = b""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit code, below zero for a signal; None while it runs."""
        code = self._process.poll()
        if code is not None:
            self.listen()
        return code

    @property
    def cannot_start(self) -> bool:
        """Whether it ended because it cannot start, so that starting it again would not help."""
        return self.exit_code == EXIT_CANNOT_START

    def listen(self) -> None:
        """Take in what it has said by now."""
        with contextlib.suppress(BlockingIOError):
            while said := os.read(self._ready_fd, _READ_BYTES):
                self._heard += said
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            self.prepared |= line == PREPARED
            self.ready |= line == READY
            self.left |= line == LEFT
            if line.startswith(FAILED):
                self.reason = line.removeprefix(FAILED).decode(errors="replace")

    def go(self) -> None:
        """Tell it to begin."""
        self._tell(GO)

    def leave(self) -> None:
        """Tell it to take nothing new, finish what it has, and end."""
        self._tell(LEAVE)

    def terminate(self) -> None:
        """Ask it to end as soon as what is under way is done."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self, deadline: float) -> bool:
        """Wait for its end, and kill it when the deadline (of the monotonic clock) is over; True when it was killed."""
        killed = False
        try:
            self._process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            killed = True
            self._process.kill()
            self._process.wait()
        self.forget()
        return killed

    def forget(self) -> None:
        """Close what connects it with the supervisor; may be repeated."""
        for descriptor in (self._ready_fd, self._control_fd):
            if descriptor >= 0:
                os.close(descriptor)
        self._ready_fd = self._control_fd = -1

    def _tell(self, order: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has just died, which `exit_code` says
            os.write(self._control_fd, order)


@dataclass(slots=True)
class Launcher:
    """Starts the processes of one host."""

    sock: socket.socket
    lifeline: int
    """The end of a pipe that closes with the supervisor, however it ends."""
    metrics: Path
    """The directory in which all processes count."""
    record: Path
    """The file about changes of the configuration."""
    role: Role
    name: str = field(default_factory=host_name)
    _runs: Iterator[int] = field(default_factory=itertools.count)
    _places: set[int] = field(default_factory=set)

    def start(self, snapshots: Sequence[Snapshot], *, place: int | None = None, joins: bool = False) -> WorkerProcess:
        """Start a process; it prepares itself, and waits for the word to begin.

        place: of a process that has ended, which this one replaces; None takes one that is free.
        joins: whether it takes over from processes that serve now.
        """
        place = self._free_place() if place is None else place
        ready_read, ready_write = os.pipe()
        control_read, control_write = os.pipe()
        command = [
            *(sys.executable, "-m", "shopbot.host.process", *(str(one.directory) for one in snapshots)),
            *("--listen-fd", str(self.sock.fileno()), "--supervisor-fd", str(self.lifeline)),
            *("--ready-fd", str(ready_write), "--control-fd", str(control_read)),
            *("--record", str(self.record), "--role", self.role.value),
            *("--host-name", self.name, "--place", str(place), "--run", str(next(self._runs))),
            *(("--joins",) if joins else ()),
        ]
        try:
            # A session of its own: Ctrl-C reaches the supervisor alone, which then stops the others in order.
            process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
                command,
                env={**os.environ, DIRECTORY_VARIABLE: str(self.metrics)},
                stdin=subprocess.DEVNULL,
                pass_fds=(self.sock.fileno(), self.lifeline, ready_write, control_read),
                start_new_session=True,
            )
        finally:
            os.close(ready_write)
            os.close(control_read)
        self._places.add(place)
        return WorkerProcess(process, place, ready_read, control_write)

    def ended(self, process: WorkerProcess) -> None:
        """Note that a process has ended and is not replaced: the next one may have its place."""
        process.forget()
        self._places.discard(process.place)

    def _free_place(self) -> int:
        """Give the lowest place that nobody has: whoever had it before has ended, as `ProcessName` relies on."""
        return next(place for place in itertools.count() if place not in self._places)
