"""docs/metrics.md lists exactly the metrics that there are, and the files that it names."""

from __future__ import annotations

import re
from pathlib import Path

from shopbot.metrics import FAMILIES
from shopbot.resources import bundled

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")


def expected_rows() -> list[str]:
    return [
        f"| `{family.name}` | {family.kind} | {', '.join(f'`{label}`' for label in family.labels)} | {family.meaning} |"
        for family in FAMILIES
    ]


def test_the_table_is_the_one_in_the_code() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| `shopbot_")]

    assert rows == expected_rows(), "docs/metrics.md needs these rows:\n" + "\n".join(expected_rows())


def test_queries_and_prose_name_metrics_that_exist() -> None:
    names = {family.name for family in FAMILIES}
    for name in re.findall(r"\bshopbot_[a-z_]+", TEXT):
        assert re.sub(r"_(bucket|sum|count)$", "", name) in names


def test_files_that_it_names_are_there() -> None:
    for name in re.findall(r"`config/([^`]+)`", TEXT):
        assert (bundled("config") / name).is_file()
