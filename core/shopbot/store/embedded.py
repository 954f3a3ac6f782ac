"""The Valkey server of `store: embedded`, which the host's main process owns."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from shopbot.store.data_dir_lock import lock_data_dir
from shopbot.store.errors import StoreError
from shopbot.store.server_binary import find_server_binary
from shopbot.store.server_process import ServerProcess
from shopbot.store.server_socket import is_running, remove_socket_directory, socket_path, url_for
from shopbot.store.server_supervisor import ServerSupervisor

__all__ = ["EmbeddedServer", "is_running", "socket_path", "url_for"]

_RESTART_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0)
_KERNEL_ENDS_ORPHANS = sys.platform == "linux"


class EmbeddedServer:
    """A Valkey server on a unix socket in a directory of its own, kept running from `start` to `stop`.

    Every write is on the disk before it is answered, and the state survives restarts. When the server dies
    it is started again in the same place; clients need only connect again. It never outlives its owner,
    even one that is killed.

    Made for the main thread, before it runs an event loop: `start` and `stop` wait. `stop` may also be called by
    a signal handler or another thread, which ends a `start` that is still under way.

    data_dir: made if missing, for this user alone; what the server writes there is readable by this user
        alone.
    durable: False for a store that nobody needs after `stop`: nothing is written to the disk, which is faster.
    binary: the server's program; None means to look for it.
    on_restart: called in a thread of its own, with the number of restarts since `start`, each time the
        server answers again after it died. It must not block and must not call `stop`.
    restart_pauses_seconds: how long to wait before each restart. A run that does not come up, or dies within
        2 s, leads to the next pause, a steadier one back to the first; after the last pause see `failure`.
    start_seconds: how long one start may take, which includes loading all the data.
    stop_seconds: how long the server may take to end before it is killed.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        binary: Path | None = None,
        on_restart: Callable[[int], None] | None = None,
        restart_pauses_seconds: Sequence[float] = _RESTART_PAUSES_SECONDS,
        start_seconds: float = 60.0,
        stop_seconds: float = 10.0,
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._durable = durable
        self._binary = binary
        self._on_restart = on_restart
        self._restart_pauses_seconds = restart_pauses_seconds
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._stop_lock = threading.RLock()
        self._owner_pid: int | None = None
        self._fds: list[int] = []
        self._supervisor: ServerSupervisor | None = None

    @property
    def url(self) -> str:
        """The server's `unix://` URL, as redis-py reads it; it is the same for each run."""
        return url_for(self._data_dir)

    @property
    def pid(self) -> int | None:
        """The process id of the server's current run; None before `start` and after `stop`."""
        return None if self._supervisor is None else self._supervisor.pid

    @property
    def failure(self) -> StoreError | None:
        """Why the server is down for good, after too many failures in a row; None while it is kept up."""
        return None if self._supervisor is None else self._supervisor.failure

    def start(self) -> None:
        """Take the directory, start the server, and return when it answers.

        Raises:
            StoreError: no server program, the directory cannot be used or has another owner, or the server
                did not come up. The message says what to do; nothing is left running.
            RuntimeError: it is started already.
        """
        if self._owner_pid is not None:
            raise RuntimeError("this server is started already")
        binary = self._binary or find_server_binary()
        self._make_data_dir()
        lock_fd = lock_data_dir(self._data_dir)
        self._owner_pid = os.getpid()
        self._fds = [lock_fd]
        try:
            watch_fd = -1 if _KERNEL_ENDS_ORPHANS else self._open_watched_pipe()
            self._supervisor = ServerSupervisor(
                partial(
                    ServerProcess,
                    binary,
                    self._data_dir,
                    lock_fd=lock_fd,
                    watch_fd=watch_fd,
                    durable=self._durable,
                ),
                data_dir=self._data_dir,
                on_restart=self._on_restart,
                restart_pauses_seconds=self._restart_pauses_seconds,
                start_seconds=self._start_seconds,
                stop_seconds=self._stop_seconds,
            )
            self._supervisor.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server, after it has written everything out, and give the directory free; may be repeated.

        Does nothing in a process that was forked from the owner.
        """
        if self._owner_pid != os.getpid():
            return
        with self._stop_lock:
            if self._supervisor is not None:
                self._supervisor.stop()
                self._supervisor = None
            if self._fds:
                remove_socket_directory(self._data_dir)  # while the directory is still ours
            while self._fds:
                os.close(self._fds.pop())
            self._owner_pid = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _make_data_dir(self) -> None:
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = self._data_dir.stat().st_mode
        except OSError as error:
            raise StoreError(
                f"cannot use {self._data_dir} as data_dir: {error.strerror}; shopbot runs as user "
                f"{os.geteuid()}, which must be able to make it and write to it"
            ) from error
        if mode & stat.S_IWOTH:
            # Not refused: volumes of container systems often look like this, whoever can reach them.
            structlog.get_logger("shopbot.store").warning(
                "data_dir_open_to_others", data_dir=str(self._data_dir), fix=f"chmod 700 {self._data_dir}"
            )

    def _open_watched_pipe(self) -> int:
        """Give the read end; nobody but this process has the write end, which closes with it."""
        read_fd, write_fd = os.pipe()
        self._fds += [read_fd, write_fd]
        return read_fd
