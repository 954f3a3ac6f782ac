"""Ties the embedded server's life to its owner's, then becomes the server.

A script, not a module of the host: `python -I -S server_launcher.py OWNER_PID LOCK_FD WATCH_FD PROGRAM
ARGUMENT...`. It ends by `exec`, so the server has the process id that the owner started, and no Python
stays in memory on Linux. Being a fresh process it may do between fork and exec what a `preexec_fn` must not
do in a program with threads (https://docs.python.org/3/library/subprocess.html#subprocess.Popen).

WATCH_FD is -1 on Linux: the kernel then sends SIGTERM to the server when the thread that started it is gone
(PR_SET_PDEATHSIG, https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html; it outlives exec).
Elsewhere WATCH_FD is the read end of a pipe whose only write end the owner has: a small child of the server
waits there for the end of file and then sends the SIGTERM.
"""

from __future__ import annotations

import os
import select
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _end_with_parent_thread() -> None:
    import ctypes  # noqa: PLC0415 - only Linux needs it, and it is most of this script's start-up time

    libc = ctypes.CDLL(None, use_errno=True)
    unused = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGTERM), unused, unused, unused) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")


def _leave_watchdog(watch_fd: int, lock_fd: int) -> None:
    """Fork the watchdog; the caller goes on to become the server."""
    os.set_inheritable(watch_fd, False)  # noqa: FBT003 - the standard library's signature
    server_pid = os.getpid()
    server_gone_fd, held_by_server_fd = os.pipe()
    os.set_inheritable(held_by_server_fd, True)  # noqa: FBT003 - the standard library's signature
    if os.fork() != 0:
        return
    os.close(held_by_server_fd)
    os.close(lock_fd)  # it must be free as soon as the server has ended
    ended, _, _ = select.select([watch_fd, server_gone_fd], [], [])
    if server_gone_fd not in ended and os.getppid() == server_pid:
        os.kill(server_pid, signal.SIGTERM)
    os._exit(0)


def _main(owner_pid: int, lock_fd: int, watch_fd: int, command: list[str]) -> str:
    """Become the server; the answer is why that was not possible."""
    try:
        if watch_fd < 0:
            _end_with_parent_thread()
        else:
            _leave_watchdog(watch_fd, lock_fd)
        if os.getppid() != owner_pid:
            return "the process that wanted the server ended before it was started"
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted, and the owner found the program
    except OSError as error:
        return f"cannot run {command[0]}: {error.strerror or error}"


if __name__ == "__main__":
    sys.exit(_main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
