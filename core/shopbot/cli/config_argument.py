"""The argument that every verb shares: which shopbot.yaml."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("shopbot.yaml")

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="[CONFIG]", help="The configuration file.", show_default="shopbot.yaml")
]
"""One configuration; `shopbot.yaml` in the current directory unless given."""

ConfigsArgument = Annotated[
    list[Path] | None, typer.Argument(metavar="[CONFIG]...", help="Configuration files; shopbot.yaml unless given.")
]
"""One configuration or several, each for a shop."""
