"""The argument that every verb shares: which shopbot.yaml."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("shopbot.yaml")

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="[CONFIG]", help="The configuration file.", show_default="shopbot.yaml")
]
"""One configuration; `shopbot.yaml` in the current directory unless given."""
