"""One owner per data directory."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from shopbot.store.errors import StoreError

_HAND_OVER_SECONDS = 10.0
_POLL_SECONDS = 0.02


def lock_data_dir(data_dir: Path, *, hand_over_seconds: float = _HAND_OVER_SECONDS) -> int:
    """Take *data_dir* for this process and give the file descriptor that holds the lock.

    It is a `flock` on `data_dir/lock`, whose text is the owner's process id. The lock belongs to the open
    file, so a child that inherits the descriptor holds it too, and it is free when the last of them has
    ended, however that came.

    hand_over_seconds: how long to wait for the server of an owner that is gone already. A living owner is
        not waited for.

    Raises:
        StoreError: somebody has it, or the file system cannot lock.
    """
    path = data_dir / "lock"
    try:
        # Opened without O_TRUNC: until the lock is ours the text is somebody else's.
        lock_fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error.strerror} (as user {os.geteuid()})") from error
    try:
        _lock(lock_fd, data_dir, time.monotonic() + hand_over_seconds)
        os.ftruncate(lock_fd, 0)
        os.pwrite(lock_fd, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        os.close(lock_fd)
        raise StoreError(f"cannot lock {path}: {error.strerror}; use a data_dir on a local disk") from error
    except BaseException:
        os.close(lock_fd)
        raise
    return lock_fd


def _lock(lock_fd: int, data_dir: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Read each time: another process may have taken over from the one that is gone.
            owner_pid = _recorded_owner(lock_fd)
        else:
            return
        if owner_pid is not None and _is_alive(owner_pid):
            raise StoreError(f"{data_dir} is in use by shopbot process {owner_pid}; stop it or use another data_dir")
        if time.monotonic() >= deadline:
            raise StoreError(
                f"{data_dir} is in use: shopbot process {owner_pid or '(unknown)'} is gone, but the server "
                "that it started has not ended; wait for it or stop it, or use another data_dir"
            )
        time.sleep(_POLL_SECONDS)


def _recorded_owner(lock_fd: int) -> int | None:
    text = os.pread(lock_fd, 32, 0).strip()
    return int(text) if text.isdigit() and 0 < len(text) < 10 else None  # noqa: PLR2004 - what fits a pid_t


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it belongs to somebody else
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True  # no such file except on Linux
    # "Z" after the name in brackets: killed, but its parent has not asked for its end yet.
    return status.rpartition(b")")[2].split()[0] != b"Z"
