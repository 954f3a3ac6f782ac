"""A disk that is soon full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEBIBYTE = 1024 * 1024


@contextmanager
def small_disk(directory: Path, mebibytes: int) -> Iterator[Path]:
    """Mount a file system of that size; skips the test where this user may not."""
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(directory)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    except OSError as error:
        pytest.skip(f"no small disk can be made: {error}")
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be made: {mounted.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True, timeout=60)  # noqa: S603, S607 - what we mounted


def fill(disk: Path, *, left_bytes: int) -> Path:
    """Take all but so many bytes, and give the file that takes them."""
    ballast = disk / "ballast"
    found = os.statvfs(disk)
    ballast.write_bytes(b"\0" * max(0, found.f_bavail * found.f_bsize - left_bytes))
    return ballast
