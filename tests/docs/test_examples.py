"""The example configurations under config/."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.command_line import shopbot
from support.documents import ROOT

EXAMPLES = sorted(path for path in (ROOT / "config").glob("*.yaml") if ".test" not in path.suffixes)


def variables(path: Path) -> set[str]:
    """Name the variables that must be set."""
    return set(re.findall(r"\$\{(\w+)\}", path.read_text(encoding="utf-8")))


def test_there_are_examples() -> None:
    assert {path.name for path in EXAMPLES} >= {"minimal.yaml", "redis.yaml"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_passes_the_check_where_its_variables_are_set(path: Path) -> None:
    values = {name: f"a-value-of-{name.lower()}" for name in variables(path)}

    ended = shopbot("check", path.name, directory=path.parent, environ=values)

    assert (ended.exit_code, ended.output) == (0, f"{path.name}: no problems\n")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_says_which_variables_are_missing(path: Path) -> None:
    ended = shopbot("check", path.name, directory=path.parent, environ=dict.fromkeys(variables(path)))

    assert ended.exit_code == 1
    for name in variables(path):
        assert f"the environment variable '{name}' is not set" in ended.output
