"""The file by which the main process tells its worker processes what became of changes of the configuration."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from shopbot.model.config_state import ConfigState, ConfigStates


class ConfigRecord:
    """Written by the main process, read by whichever process answers `/readyz` or `/metrics`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        """Where it is."""

    def write(self, states: Mapping[str, ConfigState]) -> None:
        """Replace what is recorded, by domain, in one step. Raises OSError where the file cannot be written."""
        draft = self.file.with_suffix(".draft")
        draft.write_text(ConfigStates(dict(states)).model_dump_json(), encoding="utf-8")
        draft.replace(self.file)

    def state(self, domain: str) -> ConfigState:
        """Give what is recorded of a shop; what says nothing where that is nothing."""
        try:
            states = ConfigStates.model_validate_json(self.file.read_bytes()).root
        except (OSError, ValidationError):
            return ConfigState()
        return states.get(domain, ConfigState())
