"""Whole outputs, kept as plain text files beside the tests: `pytest --update-snapshots` writes them anew."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest


class Snapshots:
    """Holds outputs against files."""

    def __init__(self, *, update: bool) -> None:
        """Compare, or with *update* write."""
        self._update = update

    def check(self, path: Path, text: str) -> None:
        """Fail with the difference unless the file at *path* holds *text*."""
        known = path.read_text(encoding="utf-8") if path.exists() else ""
        if text == known:
            return
        if self._update:
            path.write_text(text, encoding="utf-8")
            return
        lines = difflib.unified_diff(
            known.splitlines(), text.splitlines(), f"kept in {path.name}", "printed now", lineterm="", n=1
        )
        difference = "\n".join(lines)
        pytest.fail(f"{path}\n{difference}\nif that is meant: pytest --update-snapshots", pytrace=False)
