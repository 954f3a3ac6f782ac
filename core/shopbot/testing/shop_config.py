"""The configuration of a shop under test, changed section by section."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping

_KEY = re.compile(r"([A-Za-z_]+):")
_SECTION = re.compile(r"^(?=[A-Za-z_]+:)", re.MULTILINE)
_COMMENT = re.compile(r"^ *#.*$", re.MULTILINE)


def with_sections(config: str, changes: str) -> str:
    """Give *config* with the top-level sections of *changes* in the place of its own.

    Both are YAML as people write it: a section begins with its key at the start of a line. Sections that *config* does
    not have come last; *changes* may be indented as a whole, as texts inside Python are.

    Raises:
        ValueError: *changes* has something before its first section.
    """
    merged = {**_sections(config), **_sections(textwrap.dedent(changes))}
    if stray := merged.pop("", "").strip():
        raise ValueError(f"expected sections of shopbot.yaml such as `resolvers:`, got {stray.splitlines()[0]!r}")
    return "".join(merged.values())


def _sections(text: str) -> Mapping[str, str]:
    """Split YAML at its top-level keys; what stands before the first, other than comments, has the name ""."""
    parts: dict[str, str] = {}
    for part in _SECTION.split(text):
        key = _KEY.match(part)
        parts[key[1] if key else ""] = part if key else _COMMENT.sub("", part)
    return {name: part if part.endswith("\n") else f"{part}\n" for name, part in parts.items()}
