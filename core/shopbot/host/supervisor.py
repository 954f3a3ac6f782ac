"""The main process of a host: it owns the store and the socket, and keeps its worker processes alive."""

import contextlib
import itertools
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog

from shopbot.host.process import EXIT_CANNOT_START, READY
from shopbot.host.process_name import host_name
from shopbot.host.shop_host import Role
from shopbot.metrics import DIRECTORY_VARIABLE

_BACKLOG = 1024
_LOOK_SECONDS = 0.2
_START_TIME_LIMIT_SECONDS = 90.0
_STOP_TIME_LIMIT_SECONDS = 90.0
"""Longer than any call that a worker may have under way (a send: 60 seconds)."""
_RESTART_PAUSES_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_SECONDS = 30.0
"""A process that has run this long was not failing from the start."""


class CannotStartError(Exception):
    """The host could not be started; the message is for the operator (its processes have logged the details)."""


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    ready_fd: int
    started: float = field(default_factory=time.monotonic)
    ready: bool = False


def _metrics_directory() -> tempfile.TemporaryDirectory[str]:
    """Make where all processes count, until it is left: a new run begins at zero, a process that restarts does not."""
    return tempfile.TemporaryDirectory(prefix="shopbot-metrics-", ignore_cleanup_errors=True)


@dataclass(slots=True)
class Supervisor:
    """Runs N processes on one socket until it is told to stop."""

    configs: Sequence[Path]
    address: tuple[str, int]
    processes: int
    role: Role
    on_ready: Callable[[str], None]
    """Called once, with the host's URL, when every process answers requests."""
    failure: Callable[[], Exception | None] = lambda: None
    """Says why the host cannot go on, as when its store is down for good: then `run` ends, for the service manager to
    start it anew."""
    _name: str = field(default_factory=host_name)
    _runs: Iterator[int] = field(default_factory=itertools.count)
    _children: list[_Child] = field(default_factory=list)
    _stopping: bool = False

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; ends when all processes have.

        Raises:
            CannotStartError: the address is taken, or a process cannot start.
        """
        with self._listening() as sock, self._lifeline() as lifeline, self._signals(), _metrics_directory() as metrics:
            start = partial(self._start, sock, lifeline, metrics)
            try:
                self._children = [start(place) for place in range(self.processes)]
                self._wait_until_ready()
                if self._stopping:
                    return
                host, port = sock.getsockname()[:2]
                self.on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
                self._watch(start)
            finally:
                self._stop_children()

    def stop(self) -> None:
        """Ask `run` to end; safe in a signal handler."""
        self._stopping = True

    @contextlib.contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        host, port = self.address
        try:
            info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            sock = socket.socket(info[0], socket.SOCK_STREAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(info[4])
            sock.listen(_BACKLOG)
        except OSError as error:
            raise CannotStartError(
                f"cannot listen on {host}:{port}: {error.strerror or error}; choose another --port"
            ) from error
        with sock:
            yield sock

    @contextlib.contextmanager
    def _lifeline(self) -> Iterator[int]:
        """Make the pipe whose other end closes with this process, however it ends."""
        read_end, write_end = os.pipe()
        try:
            yield read_end
        finally:
            os.close(read_end)
            os.close(write_end)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        for number in before:
            signal.signal(number, lambda *_: self.stop())
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start(self, sock: socket.socket, lifeline: int, metrics: str, place: int) -> _Child:
        ready_read, ready_write = os.pipe()
        command = [
            *(sys.executable, "-m", "shopbot.host.process", *map(str, self.configs)),
            *("--listen-fd", str(sock.fileno()), "--supervisor-fd", str(lifeline)),
            *("--ready-fd", str(ready_write), "--role", self.role.value),
            *("--host-name", self._name, "--place", str(place), "--run", str(next(self._runs))),
        ]
        try:
            # A session of its own: Ctrl-C reaches the supervisor alone, which then stops the others in order.
            process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
                command,
                env={**os.environ, DIRECTORY_VARIABLE: metrics},
                stdin=subprocess.DEVNULL,
                pass_fds=(sock.fileno(), lifeline, ready_write),
                start_new_session=True,
            )
        finally:
            os.close(ready_write)
        return _Child(process, ready_read)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_TIME_LIMIT_SECONDS
        while not all(child.ready for child in self._children) and not self._stopping:
            for child in self._children:
                self._look_for_ready(child)
                if child.process.poll() is not None:
                    raise CannotStartError("a worker process could not start; what it said stands above")
            if time.monotonic() > deadline:
                raise CannotStartError(f"not ready within {_START_TIME_LIMIT_SECONDS:g} s")

    def _look_for_ready(self, child: _Child) -> None:
        if child.ready:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(child.ready_fd, selectors.EVENT_READ)
            if selector.select(timeout=_LOOK_SECONDS / 4):
                child.ready = os.read(child.ready_fd, len(READY)) == READY

    def _watch(self, start: Callable[[int], _Child]) -> None:
        """Start processes that died again, until told to stop."""
        log = structlog.get_logger("shopbot.host")
        failures = 0
        while not self._stopping:
            time.sleep(_LOOK_SECONDS)
            failure = self.failure()
            if failure is not None:
                raise CannotStartError(str(failure))
            for place, child in enumerate(self._children):
                code = child.process.poll()
                if code is None or self._stopping:
                    continue
                steady = time.monotonic() - child.started > _STEADY_SECONDS
                failures = 0 if steady else min(failures + 1, len(_RESTART_PAUSES_SECONDS) - 1)
                pause_seconds = _RESTART_PAUSES_SECONDS[failures - 1 if failures else 0]
                log.error(
                    "worker_process_died",
                    pid=child.process.pid,
                    exit_code=code,
                    cannot_start=code == EXIT_CANNOT_START,
                    restart_in_seconds=pause_seconds,
                )
                os.close(child.ready_fd)
                self._pause(pause_seconds)
                self._children[place] = start(place)

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < deadline:
            time.sleep(min(_LOOK_SECONDS, max(0.0, deadline - time.monotonic())))

    def _stop_children(self) -> None:
        for child in self._children:
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIME_LIMIT_SECONDS
        for child in self._children:
            try:
                child.process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                structlog.get_logger("shopbot.host").error("worker_process_killed", pid=child.process.pid)
                child.process.kill()
                child.process.wait()
            os.close(child.ready_fd)
        self._children = []
