"""The files with exports, in `exports/` of the data directory, for the operator to collect."""

import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One export."""

    path: Path
    made_at: datetime
    until: datetime
    """When it is deleted."""
    size_bytes: int


class ExportFiles:
    """The exports of one shop on this machine. Blocks on the disk: call it from a thread where a loop is running."""

    def __init__(self, data_dir: Path, shop: str, *, ttl: timedelta) -> None:
        """Keep them below the data directory, which several shops may have in common.

        ttl: how long each is kept.
        """
        self.directory = data_dir / "exports"
        self._shop = shop.partition(".")[0]
        self._name = re.compile(rf"{re.escape(self._shop)}\.[a-z0-9-]+\.json")
        self._ttl = ttl

    def write(self, name: str, content: Mapping[str, Any]) -> Path:
        """Write an export whole or not at all, for this user alone; one of the same name is replaced.

        name: without a suffix, and without anything about a person.

        Raises:
            OSError: it could not be written.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / f"{self._shop}.{name}.json"
        draft = self.directory / f".{path.name}-{secrets.token_hex(4)}"
        text = json.dumps(content, indent=2, ensure_ascii=False).encode("utf-8", "replace")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        return path

    def list(self) -> Sequence[ExportFile]:
        """List the exports, oldest first."""
        if not self.directory.is_dir():
            return []
        found: list[ExportFile] = []
        for path in self.directory.iterdir():
            if self._name.fullmatch(path.name):
                about = path.stat()
                made_at = datetime.fromtimestamp(about.st_mtime, UTC)
                found.append(ExportFile(path, made_at, made_at + self._ttl, about.st_size))
        return sorted(found, key=lambda export: (export.made_at, export.path))

    def delete_about(self, ids: AbstractSet[str] | None, email: str | None = None) -> Sequence[Path]:
        """Delete the exports that mention any of some ids, or an address, and give which; None: all of them."""
        gone: list[Path] = []
        for export in self.list():
            text = export.path.read_text(encoding="utf-8")
            mentioned = ids is None or not ids.isdisjoint(_NUMBER.findall(text))
            if mentioned or (email is not None and email.lower() in text.lower()):
                export.path.unlink(missing_ok=True)
                gone.append(export.path)
        return gone

    def delete_old(self, now: datetime) -> Sequence[Path]:
        """Delete the exports whose time is over, and give which; another process may have been faster."""
        gone = [export.path for export in self.list() if export.until <= now]
        for path in gone:
            path.unlink(missing_ok=True)
        return gone
