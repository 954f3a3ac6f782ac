"""Plugins as `shopbot new-plugin` writes them, one of each kind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from shopbot.scaffold.draft import Kind
from support.command_line import shopbot

KINDS: Sequence[str] = get_args(Kind)


def write_packages(directory: Path, *, prefix: str = "our") -> Mapping[str, Path]:
    """Write a package of each kind; gives their directories by the names of the plugins."""
    names = [f"{prefix}_{kind}" for kind in KINDS]
    for name, kind in zip(names, KINDS, strict=True):
        ended = shopbot("new-plugin", name, "--kind", kind, directory=directory)
        assert (ended.exit_code, ended.errors) == (0, ""), ended.errors
    return {name: directory / f"shopbot-{name.replace('_', '-')}" for name in names}


def write_drop_ins(directory: Path, *, prefix: str = "our") -> Sequence[str]:
    """Write a drop-in plugin of each kind with its tests; gives their names."""
    names = [f"{prefix}_{kind}" for kind in KINDS]
    for name, kind in zip(names, KINDS, strict=True):
        ended = shopbot("new-plugin", name, "--kind", kind, "--drop-in", directory=directory)
        assert (ended.exit_code, ended.errors) == (0, ""), ended.errors
    return names


def install(packages: Sequence[Path], directory: Path) -> Mapping[str, str]:
    """Install packages into *directory* with pip; gives the environment in which Python finds them."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(directory)]
    done = subprocess.run(  # noqa: S603 - this Python
        [*command, *options, *map(str, packages)], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(directory), os.environ.get("PYTHONPATH")]))}
