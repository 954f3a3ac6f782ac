"""One version of a configuration, kept where nobody changes it: what was checked is what runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

_FACTS = "version.json"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a configuration file, its templates and its drop-in plugins, as they lay on disk at one moment."""

    directory: Path
    """Where the copy is."""
    config: Path
    """The file that was copied, as the operator named it: problems and relative directories start there."""
    version: str
    """A short hash of the bytes: the same bytes are the same version."""

    @property
    def text(self) -> Path:
        """Where the configuration's own text is; there is no such file where there was none."""
        return self.directory / "config"

    @property
    def templates(self) -> Path:
        """Where the templates are."""
        return self.directory / "templates"

    @property
    def plugins(self) -> Path:
        """Where the code of the drop-in plugins is."""
        return self.directory / "plugins"

    def save(self) -> None:
        """Write down what `open` reads."""
        facts = {"config": str(self.config), "version": self.version}
        (self.directory / _FACTS).write_text(json.dumps(facts), encoding="utf-8")

    @classmethod
    def open(cls, directory: Path) -> Snapshot:
        """Find again what another process has kept. Raises OSError or ValueError where there is none."""
        facts = json.loads((directory / _FACTS).read_text(encoding="utf-8"))
        return cls(directory, Path(facts["config"]), str(facts["version"]))
