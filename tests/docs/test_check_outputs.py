"""What the manual says that `shopbot check` prints is what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.command_line import shopbot
from support.documents import Block, blocks

SHOWN = [block for block in blocks("yaml") if re.match(r"```text\n\$ shopbot check ", block.after.lstrip())]
"""Configurations, each with the output of the check below it."""


def test_there_are_some() -> None:
    assert len(SHOWN) >= 2


@pytest.mark.parametrize("block", SHOWN, ids=str)
def test_the_output_below_a_configuration_is_that_of_the_check(block: Block, tmp_path: Path) -> None:
    command, _, output = block.after.lstrip().removeprefix("```text\n").partition("```")[0].partition("\n")
    *_, name = command.split()
    assert block.text.startswith(f"# {name}\n")
    (tmp_path / name).write_text(block.text, encoding="utf-8")
    variables = re.findall(r"\$\{(\w+)\}", block.text)

    ended = shopbot("check", name, directory=tmp_path, environ=dict.fromkeys(variables, "not-a-real-secret"))

    assert ended.output == output
