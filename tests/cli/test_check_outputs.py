"""What `shopbot check` prints for each family of mistakes, word for word.

Each directory under `check/` is a shop with mistakes of one kind: `shopbot.yaml` has them, `output.txt` is what people
read of them and `output.jsonl` what scripts do. `pytest tests/cli/test_check_outputs.py --update-snapshots` writes
both anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.command_line import shopbot
from support.snapshot import Snapshots

FAMILIES = sorted(path.parent for path in (Path(__file__).parent / "check").glob("*/shopbot.yaml"))
UNSET = {"MESSENGER_PAGE_TOKEN": None}
SET = {"WORDS_FROM_THE_ENVIRONMENT": "a-secret-word"}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda path: path.name)
def test_people_read(family: Path, snapshots: Snapshots) -> None:
    ended = shopbot("check", directory=family, environ={**SET, **UNSET})

    snapshots.check(family / "output.txt", ended.output)
    errors = [line for line in ended.output.splitlines()[:-1] if ": warning: " not in line]
    assert (ended.exit_code, ended.errors) == (1 if errors else 0, "")
    assert SET["WORDS_FROM_THE_ENVIRONMENT"] not in ended.output


@pytest.mark.parametrize("family", FAMILIES, ids=lambda path: path.name)
def test_scripts_read(family: Path, snapshots: Snapshots) -> None:
    ended = shopbot("check", "--json", directory=family, environ={**SET, **UNSET})

    snapshots.check(family / "output.jsonl", ended.output)
    problems = [json.loads(line) for line in ended.output.splitlines()]
    assert all(problem.keys() == {"file", "line", "column", "severity", "message"} for problem in problems)
    assert ended.exit_code == (1 if any(problem["severity"] == "error" for problem in problems) else 0)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda path: path.name)
def test_warnings_fail_where_that_is_asked_for(family: Path) -> None:
    assert shopbot("check", "--strict", directory=family, environ={**SET, **UNSET}).exit_code == 1


def test_no_output_is_kept_of_a_shop_that_is_gone() -> None:
    kept = {path.parent for path in (Path(__file__).parent / "check").glob("*/output.*")}

    assert kept == set(FAMILIES)
