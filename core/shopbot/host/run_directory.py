"""A directory for one run of a host, in the system's place for temporary files."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def run_directory(purpose: str) -> Iterator[Path]:
    """Make a directory for this user alone, and delete it at the end.

    It is locked meanwhile: systemd-tmpfiles deletes what is old below /tmp, though not in a directory with a lock.
    https://www.freedesktop.org/software/systemd/man/latest/tmpfiles.d.html#Age
    """
    with tempfile.TemporaryDirectory(prefix=f"shopbot-{purpose}-", ignore_cleanup_errors=True) as name:
        descriptor = os.open(name, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(descriptor)
