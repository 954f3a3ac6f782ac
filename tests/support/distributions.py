"""What people install: built from this tree, and installed where nothing of it is in reach."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from build import ProjectBuilder

from support.documents import ROOT

EXAMPLES = (
    "shopbot.yaml",
    *sorted(f"config/{path.name}" for path in (ROOT / "config").glob("*.yaml") if ".test" not in path.suffixes),
)
VARIABLES = {
    name: f"a-value-of-{name.lower()}"
    for example in EXAMPLES
    for name in re.findall(r"\$\{(\w+)\}", (ROOT / example).read_text(encoding="utf-8"))
}


def tree(*places: str) -> set[str]:
    """List the files of the tree that belong into a distribution."""
    found = (path for place in places for path in (ROOT / place).rglob("*"))
    return {str(path.relative_to(ROOT)) for path in found if path.is_file() and not _is_cache(path)}


def _is_cache(path: Path) -> bool:
    return any(part == "__pycache__" or part.startswith(".") for part in path.relative_to(ROOT).parts)


@contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Let one test process at a time build in *directory*."""
    directory.mkdir(exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(source: Path, kind: Literal["wheel", "sdist"], directory: Path) -> Path:
    """Build a distribution as pip does, without an environment of its own; at most once for each directory."""
    with only_one(directory):
        built = [path for path in directory.iterdir() if path.name.startswith("shopbot-")]
        if not built:
            builder = ProjectBuilder(source, runner=_quiet)
            built = [Path(builder.build(kind, str(directory)))]
        return built[0]


def _quiet(cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(  # noqa: S603 - this Python, with the build back end
        cmd, cwd=cwd, env={**os.environ, **(extra_environ or {})}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Environment:
    """A fresh environment with a wheel of shopbot, and the dependencies of this one."""

    directory: Path

    def run(self, program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, with nothing of this tree in reach."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return subprocess.run(  # noqa: S603 - what the test has just installed
            [self.directory / "bin" / program, *arguments],
            cwd=cwd,
            env={**variables, **VARIABLES},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )


def install(wheel: Path, directory: Path) -> Environment:
    """Install a wheel; what it depends on is this environment's, behind everything else."""
    with only_one(directory):
        environment = directory / "venv"
        if not environment.exists():
            venv.create(environment, symlinks=True)
            _quiet(
                [
                    *(sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "--quiet"),
                    *("install", "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)),
                ]
            )
            site = next(environment.glob("lib/python*/site-packages"))
            # A path in a .pth file comes last, and .pth files in it (our own editable one) are not read.
            (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return Environment(environment)
