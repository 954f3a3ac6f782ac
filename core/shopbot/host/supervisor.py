"""The main process of a host: it owns the store and the socket, and keeps its worker processes alive."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from shopbot.host.config_record import ConfigRecord
from shopbot.host.generations import Generations
from shopbot.host.launcher import Launcher
from shopbot.host.reloads import LiveShop, Reloads
from shopbot.host.run_directory import run_directory
from shopbot.host.shop_host import Role
from shopbot.host.versions import Versions
from shopbot.host.watching import Watch

_BACKLOG = 1024
_LOOK_SECONDS = 0.2
_START_TIME_LIMIT_SECONDS = 90.0


class CannotStartError(Exception):
    """The host could not be started; the message is for the operator (its processes have logged the details)."""


def _has_terminal() -> bool:
    """Say whether this process has a terminal that controls it."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class ReloadPolicy:
    """How changes of configurations are brought into effect."""

    rehearsal: str
    """The module that tries a new version, as `python -m` names it: it knows more than a host does."""
    watch: bool = True
    """Whether files are watched; else only SIGHUP leads to a look at them."""
    limit_seconds: float = 300.0
    """How long one reload may take."""


@dataclass(slots=True)
class Supervisor:
    """Runs N processes on one socket until it is told to stop."""

    shops: Sequence[LiveShop]
    address: tuple[str, int]
    processes: int
    role: Role
    on_ready: Callable[[str], None]
    """Called once, with the host's URL, when every process answers requests."""
    versions: Versions
    """Has the snapshots of the shops, and keeps those that come."""
    reloading: ReloadPolicy
    failure: Callable[[], Exception | None] = lambda: None
    """Says why the host cannot go on, as when its store is down for good: then `run` ends, for the service manager to
    start it anew."""
    asked: bool = False
    """Whether a look at the files is asked for: by SIGHUP, which may have come before `run`."""
    _stopping: bool = False
    _in_terminal: bool = field(default_factory=_has_terminal)

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, reload on SIGHUP; ends when all processes have.

        Raises:
            CannotStartError: the address is taken, or a process cannot start.
        """
        with (
            self._listening() as sock,
            self._lifeline() as lifeline,
            self._signals(),
            # Where all processes count, until it is left: a new run begins at zero, a process that restarts does not.
            run_directory("metrics") as metrics,
        ):
            record = ConfigRecord(metrics / "configuration.json")
            launcher = Launcher(sock, lifeline, metrics, record.file, self.role)
            generations = Generations(launcher, self.processes, [shop.snapshot for shop in self.shops])
            reloads = Reloads(
                self.shops,
                versions=self.versions,
                generations=generations,
                record=record,
                rehearsal=self.reloading.rehearsal,
                lifeline=lifeline,
                watch=Watch() if self.reloading.watch else None,
                limit_seconds=self.reloading.limit_seconds,
            )
            try:
                generations.start()
                self._wait_until_ready(generations)
                if self._stopping:
                    return
                host, port = sock.getsockname()[:2]
                self.on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
                self._watch(reloads)
            finally:
                reloads.stop()
                generations.stop()

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
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        signal.signal(signal.SIGHUP, lambda *_: self._hang_up())
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hang_up(self) -> None:
        """Reload; or end, when it is the terminal that has gone: nobody would see the host any more."""
        if self._in_terminal and not _has_terminal():
            self.stop()
        else:
            self.asked = True

    def _wait_until_ready(self, generations: Generations) -> None:
        first, begun = generations.live, False
        deadline = time.monotonic() + _START_TIME_LIMIT_SECONDS
        while not first.ready and not self._stopping:
            time.sleep(_LOOK_SECONDS / 4)
            first.listen()
            if first.failure is not None:
                raise CannotStartError("a worker process could not start; what it said stands above")
            if first.prepared and not begun:
                first.go()
                begun = True
            if time.monotonic() > deadline:
                raise CannotStartError(f"not ready within {_START_TIME_LIMIT_SECONDS:g} s")

    def _watch(self, reloads: Reloads) -> None:
        """Keep everything going, until told to stop."""
        while not self._stopping:
            time.sleep(_LOOK_SECONDS)
            failure = self.failure()
            if failure is not None:
                raise CannotStartError(str(failure))
            if self.asked:
                self.asked = False
                reloads.ask()
            reloads.look()
