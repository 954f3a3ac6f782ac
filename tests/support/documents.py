"""The manual, taken apart: code blocks with their places, commands, links."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
GUIDES = [page for page in PAGES if page.parent.name == "how-to"]


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


def file_of(block: Block) -> str | None:
    """Give the file that a block is: the one that the line before it ends with."""
    before = block.page.read_text(encoding="utf-8").splitlines()[: block.line - 2]
    found = re.search(r"`([\w./-]+)`:$", next(line for line in reversed(before) if line))
    return found[1] if found else None


def put_into(whole: dict[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """Put a fragment into a configuration: keys take the place of the same keys, verifiers come beside the others."""
    made = dict(whole)
    for key, value in shown.items():
        if isinstance(value, dict) and isinstance(made.get(key), dict):
            made[key] = put_into(made[key], value)
        elif key == "verify":
            names = {entry["use"] for entry in value}
            made[key] = [*(entry for entry in whole[key] if entry["use"] not in names), *value]
        else:
            made[key] = value
    return made


def write_config(config: Mapping[str, Any]) -> str:
    """Write a configuration that PyYAML has read."""
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    return text.replace("  true:", "  on:")  # as YAML 1.1 reads that key


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
