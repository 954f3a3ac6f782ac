"""Finds the templates and example configurations that come with shopbot, in a checkout and in a wheel alike."""

from importlib import resources
from pathlib import Path


def bundled(name: str) -> Path:
    """Give the path of `config`, `templates` or `shopbot.yaml` as they come with shopbot.

    An installed wheel carries them as package data; a checkout (also one installed with `pip install -e`) has them
    at its root.

    Raises:
        FileNotFoundError: neither place has it: the installation is broken.
    """
    package = Path(str(resources.files("shopbot")))
    for candidate in (package / "data" / name, package.parent.parent / name):
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"'{name}' is missing from this installation of shopbot; install it again")
