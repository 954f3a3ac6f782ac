"""What `deploy/` says: the image's instructions, the services of compose.yaml, the unit's settings."""

from __future__ import annotations

import configparser
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from shopbot.host import generation
from shopbot.store.embedded import EmbeddedServer
from support.documents import ROOT

DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"
COMPOSE = DEPLOY / "compose.yaml"
UNIT = DEPLOY / "shopbot.service"
SHOP = DEPLOY / "shop" / "shopbot.yaml"


@dataclass(frozen=True)
class Instruction:
    """One instruction of the Dockerfile: `COPY` and what stands behind it."""

    name: str
    text: str

    @property
    def words(self) -> Sequence[str]:
        """The words of its exec form, as in `CMD ["run"]`; fails where it is a shell form."""
        words: list[str] = json.loads(self.text)
        return words


def stages() -> Sequence[Sequence[Instruction]]:
    """Give the instructions of each stage of the image."""
    text = re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"))
    lines = [line for line in re.sub(r"\\\n", " ", text).splitlines() if line.strip()]
    found: list[list[Instruction]] = []
    for line in lines:
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append(Instruction(name, rest.strip()))
    return found


def last(name: str) -> Instruction:
    """Give the instruction of the final stage that has the last word."""
    return [instruction for instruction in stages()[-1] if instruction.name == name][-1]


def services() -> Mapping[str, Any]:
    """Give the services of compose.yaml."""
    found: Mapping[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    return found


def unit() -> configparser.RawConfigParser:
    """Read the unit; a setting that stands there twice counts with its last value."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as its own documentation does it
    parser.read(UNIT, encoding="utf-8")
    return parser


def longest_stop_seconds() -> float:
    """Say how long a host may take to end: its processes first, then its store."""
    store_seconds = inspect.signature(EmbeddedServer).parameters["stop_seconds"].default
    return generation._STOP_TIME_LIMIT_SECONDS + float(store_seconds)


def variables(text: str) -> set[str]:
    """Name the variables that a text refers to, those with a default included."""
    return set(re.findall(r"(?<!\$)\$\{(\w+)", text))
