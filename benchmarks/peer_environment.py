"""The environment of the servers that shopbot is compared with: arq and shopbot need different clients of Redis."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"


def peer_python(directory: Path) -> Path:
    """Give the interpreter of the environment in *directory*, which is made, or made to fit, where needed.

    Raises:
        subprocess.CalledProcessError: the environment could not be made; pip has said why.
    """
    python = directory / "bin" / "python"
    installed = directory / "installed-requirements.txt"
    wanted = _REQUIREMENTS.read_text(encoding="utf-8")
    if installed.exists() and installed.read_text(encoding="utf-8") == wanted:
        return python
    print(f"Installing the servers to compare with into {directory} …", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)  # noqa: S603 - our own arguments
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(_REQUIREMENTS)], check=True)  # noqa: S603
    (directory / ".gitignore").write_text("*\n", encoding="utf-8")
    installed.write_text(wanted, encoding="utf-8")
    return python
