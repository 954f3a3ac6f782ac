"""A package of the npm registry for tests, outside of the tree: installed once, in the user's cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

_INSTALL_SECONDS = 90
"""Mostly a few; a registry that does not answer by then counts as out of reach."""


def node_package(name: str, version: str) -> Path:
    """Give the directory of an installed package; skips the test where there is no npm, or no registry in reach.

    Nothing of the package runs while it is installed.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed here")
    cache = _cache()
    place = cache / f"{name}-{version}" / "node_modules"  # where node looks for what the package needs
    with (cache / f"{name}-{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=cache) as directory:
                _install(npm, f"{name}@{version}", Path(directory))
                place.parent.mkdir(exist_ok=True)
                Path(directory, "node_modules").rename(place)
    return place / name


def _install(npm: str, package: str, directory: Path) -> None:
    options = ("--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--fetch-retries=0")
    try:
        ended = subprocess.run(  # noqa: S603 - the user's own npm
            [npm, "install", *options, "--prefix", str(directory), package],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install {package} within {_INSTALL_SECONDS} s: the registry may be out of reach")
    if ended.returncode != 0:
        reason = next(iter(ended.stderr.strip().splitlines()), "no reason given")
        pytest.skip(f"npm cannot install {package} here: {reason}")


def _cache() -> Path:
    """Give a directory that outlives the test run, or one of the machine's temporary ones where there is none."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shopbot-tests"
        cache.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        cache = Path(tempfile.gettempdir()) / f"shopbot-tests-{os.getuid()}"
        cache.mkdir(exist_ok=True)
    return cache
