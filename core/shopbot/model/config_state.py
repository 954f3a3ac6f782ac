"""What became of the last changes of a shop's configuration, as the main process tells its worker processes."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, RootModel


class Refusal(BaseModel):
    """A version that was not taken: the one before it works on."""

    model_config = ConfigDict(frozen=True)

    version: str
    """Of what was refused; empty where it could not even be read."""
    at: datetime
    problems: tuple[str, ...]
    """Each in one line, with its place in a file where it has one. Nothing secret, no shopper."""


class ConfigState(BaseModel):
    """One shop's configuration in a running host."""

    model_config = ConfigDict(frozen=True)

    file: str = ""
    """As the operator named it."""
    version: str = ""
    """Of what works now."""
    since: datetime | None = None
    """When it was put in place."""
    reloaded: int = 0
    """How many changes were put in place since the host was started."""
    refused: int = 0
    """How many were not."""
    last_refused: datetime | None = None
    """When that was the last time; None if never."""
    refusal: Refusal | None = None
    """Set while what lies on disk is refused."""


class ConfigStates(RootModel[dict[str, ConfigState]]):
    """All shops of a host, by domain."""

    root: dict[str, ConfigState] = {}
