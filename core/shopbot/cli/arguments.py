"""The arguments and options that verbs share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from shopbot.trials.reading import config_of

DEFAULT_CONFIG = Path("shopbot.yaml")

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="[CONFIG]", help="The configuration file.", show_default="shopbot.yaml")
]
"""One configuration; `shopbot.yaml` in the current directory unless given."""

ConfigOption = Annotated[Path, typer.Option("--config", help="The configuration file.")]
"""The same, where a verb's arguments are about something else."""

JsonOption = Annotated[bool, typer.Option("--json", help="JSON for scripts.")]

ConfigsArgument = Annotated[
    list[Path] | None, typer.Argument(metavar="[CONFIG]...", help="Configuration files; shopbot.yaml unless given.")
]
"""One configuration or several, each for a shop."""


def configurations(given: Sequence[Path] | None) -> list[Path]:
    """Give the configurations that are meant, each once; a test file, as in `shops/*.yaml`, stands for its own."""
    return list(dict.fromkeys(config_of(path) or path for path in given or [DEFAULT_CONFIG]))
