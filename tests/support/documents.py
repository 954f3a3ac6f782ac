"""The manual, taken apart: code blocks with their places, commands, links."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
)


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    page: Path
    line: int
    """Of its first line of code."""
    language: str
    text: str
    after: str
    """What the page says below it."""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """Give all blocks of the manual in one of the languages."""
    return [block for page in PAGES for block in _blocks(page) if block.language in languages]


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"(?ms)^```(\w*)\n(.*?)^```$", text):
        line = text.count("\n", 0, found.start()) + 2
        yield Block(page, line, found[1], found[2], text[found.end() :])


def commands() -> list[tuple[str, str]]:
    """Give every `shopbot …` that the manual tells people to type, with its place."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        text = re.sub(r"(?ms)^```text\n.*?^```$", "", page.read_text(encoding="utf-8"))
        for command in re.finditer(r"(?m)^\$ (?:\S*/)?(shopbot .+)$|`(shopbot [^`]+)`", text):
            place = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, command.start()) + 1}"
            found.append((place, " ".join((command[1] or command[2]).split())))
    return found


def generator() -> ModuleType:
    """Import docs/generate.py, which is a script and no part of a package."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
