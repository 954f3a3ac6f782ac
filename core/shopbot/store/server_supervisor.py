"""Keeps the embedded server running."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog

from shopbot.store.errors import StoreError
from shopbot.store.server_process import LogCutShortError, ServerProcess

_STEADY_SECONDS = 2.0

ROOM_BYTES = 16 * 1024 * 1024
"""A server that syncs each write ends at the first that does not fit on the disk. It is not started anew with less."""

_LOOK_FOR_ROOM_SECONDS = 1.0


class Launch(Protocol):
    """Starts one run of the server."""

    def __call__(self, *, load_truncated: bool) -> ServerProcess:
        """Start it; the arguments and errors are those of `ServerProcess`."""


class ServerSupervisor:
    """Starts the server, and starts it again when it dies unasked. Serves for one start and one stop.

    One long-lived thread starts every run and waits for its end. It must be that thread, because on Linux
    the kernel ends the server with the *thread* that started it (see `server_launcher`). The thread is a
    daemon: an owner that ends without `stop` is not held up, and the server gets its SIGTERM from the
    kernel.

    restart_pauses_seconds: how long to wait before each restart. A run that does not come up, or dies within
        2 s, leads to the next pause, a steadier one back to the first; after the last pause it gives up.
        While the disk has less than `ROOM_BYTES` free, a restart waits, and no pause is used up.
    on_restart: called in that thread with the number of restarts so far, each time the server answers again.
    start_seconds: how long one start may take, which includes loading all the data.
    stop_seconds: how long the server may take to end before it is killed.
    """

    def __init__(
        self,
        launch: Launch,
        *,
        data_dir: Path,
        on_restart: Callable[[int], None] | None,
        restart_pauses_seconds: Sequence[float],
        start_seconds: float,
        stop_seconds: float,
    ) -> None:
        self._launch = launch
        self._data_dir = data_dir
        self._on_restart = on_restart
        self._restart_pauses_seconds = tuple(restart_pauses_seconds)
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._logger = structlog.get_logger("shopbot.store").bind(data_dir=str(data_dir))
        self._stopping = threading.Event()
        self._process_changes = threading.RLock()  # re-entrant: a signal handler may call `stop` within `stop`
        self._process: ServerProcess | None = None
        self._first_start: Future[None] = Future()
        self._thread = threading.Thread(target=self._keep_running, name="shopbot-store", daemon=True)
        self.failure: StoreError | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the latest run; None before the first."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> None:
        """Return when the server answers.

        Raises:
            StoreError: it did not come up, or `stop` was called meanwhile. `stop` is still to be called.
        """
        self._thread.start()
        self._first_start.result()  # each step of a start has its time limit

    def stop(self) -> None:
        """End the server and the thread; may be repeated."""
        self._stopping.set()
        with self._process_changes:  # from here on the thread starts no further run
            process = self._process
        if self._thread.ident is None:
            return
        if process is not None:
            process.terminate()
        self._thread.join(self._stop_seconds)
        if self._thread.is_alive() and process is not None:
            self._logger.error("store_killed", reason="it did not end", after_seconds=self._stop_seconds)
            process.kill()
            self._thread.join(self._stop_seconds)

    def _keep_running(self) -> None:
        try:
            process = self._bring_up()
        except Exception as error:  # noqa: BLE001 - `start` raises it, in the thread that can act on it
            self._first_start.set_exception(error)
            return
        if process is None:
            self._first_start.set_exception(StoreError("the store was stopped while it was starting"))
            return
        self._first_start.set_result(None)
        try:
            self._watch(process)
        except Exception as error:
            self.failure = StoreError(f"the store in {self._data_dir} is no longer looked after: {error!r}")
            self._logger.exception("store_given_up")

    def _watch(self, first: ServerProcess) -> None:
        process: ServerProcess | None = first
        restarts = 0
        failures = 0
        while process is not None:
            ready_since = time.monotonic()
            status = process.wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - ready_since >= _STEADY_SECONDS:
                failures = 0
            self._logger.error("store_died", exit_status=status, restarts=restarts)
            process, failures = self._bring_back(failures)
            if process is not None:
                restarts += 1
                self._logger.warning("store_restarted", restarts=restarts)
                self._tell(restarts)

    def _bring_back(self, failures: int) -> tuple[ServerProcess | None, int]:
        """Try until it runs: the run, None when stopped or given up, and the failures in a row so far."""
        why = StoreError(f"the store in {self._data_dir} kept dying just after it was started")
        for pause_seconds in self._restart_pauses_seconds[failures:]:
            failures += 1
            if self._stopping.wait(pause_seconds) or not self._has_room():
                return None, failures
            try:
                return self._bring_up(), failures
            except StoreError as error:
                why = error
                self._logger.warning("store_restart_failed", reason=str(error), failures=failures)
        self.failure = why
        self._logger.critical("store_given_up", reason=str(why), failures=failures)
        return None, failures

    def _has_room(self) -> bool:
        """Wait until the disk has room; False when stopped meanwhile."""
        told = False
        while (free_bytes := shutil.disk_usage(self._data_dir).free) < ROOM_BYTES:
            if not told:
                told = True
                self._logger.critical("store_waits_for_room", free_bytes=free_bytes, needed_bytes=ROOM_BYTES)
            if self._stopping.wait(_LOOK_FOR_ROOM_SECONDS):
                return False
        return True

    def _bring_up(self) -> ServerProcess | None:
        """Start a run and wait until it answers; None when `stop` was called."""
        try:
            return self._run(load_truncated=False)
        except LogCutShortError as error:
            # A write that a crash cut off looks the same as a damaged length in the middle, where cutting
            # off would lose what was acknowledged. So the server may cut only after there is a copy.
            copy = self._copy(error.file)
            self._logger.warning("store_log_cut_short", file=str(error.file), kept_copy=str(copy))
            return self._run(load_truncated=True)

    def _run(self, *, load_truncated: bool) -> ServerProcess | None:
        with self._process_changes:
            if self._stopping.is_set():
                return None
            process = self._process = self._launch(load_truncated=load_truncated)
        if process.wait_until_ready(self._start_seconds, self._stopping):
            return process
        process.wait()  # `stop` ends it
        return None

    def _copy(self, file: Path) -> Path:
        copy = self._data_dir / f"cut-short-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{file.name}"
        try:
            with file.open("rb") as source, open(copy, "xb", opener=_private) as target:
                shutil.copyfileobj(source, target)
                target.flush()
                os.fsync(target.fileno())
        except OSError as error:
            copy.unlink(missing_ok=True)
            raise StoreError(f"{file} is cut short, and no copy of it could be kept: {error}") from error
        return copy

    def _tell(self, restarts: int) -> None:
        if self._on_restart is None:
            return
        try:
            self._on_restart(restarts)
        except Exception:
            self._logger.exception("store_restart_callback_failed")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
