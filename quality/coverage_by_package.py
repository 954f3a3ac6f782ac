"""Shows how much of each package the tests execute: `make coverage`, or `python -m quality.coverage_by_package`.

Reads the `.coverage` that `coverage combine` has left. A share counts statements and branches alike, as coverage.py
does. Exits 1 when a package is below the limit.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import coverage

LIMIT_PERCENT: Final = 95.0


@dataclass(frozen=True, slots=True)
class Share:
    """How much of some code was executed."""

    statements: int = 0
    missed: int = 0
    branches: int = 0
    missed_branches: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(
            self.statements + other.statements,
            self.missed + other.missed,
            self.branches + other.branches,
            self.missed_branches + other.missed_branches,
        )

    @property
    def percent(self) -> float:
        """Of statements and branches together; 100 where there are none."""
        whole = self.statements + self.branches
        return 100 * (1 - (self.missed + self.missed_branches) / whole) if whole else 100.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m quality.coverage_by_package", description=__doc__)
    parser.add_argument("--data", default=".coverage", metavar="FILE", help="what `coverage combine` has left")
    parser.add_argument("--limit", type=float, default=LIMIT_PERCENT, metavar="PERCENT", help="of each package")
    options = parser.parse_args(arguments)
    packages: dict[str, Share] = defaultdict(Share)
    for path, share in _shares(options.data).items():
        packages[_package(Path(path))] += share
    print(f"| {'package':30} | {'statements':>10} | {'missed':>6} | {'branches':>8} | {'missed':>6} | {'covered':>7} |")
    print(f"| {'-' * 30} | {'-' * 9}: | {'-' * 5}: | {'-' * 7}: | {'-' * 5}: | {'-' * 6}: |")
    for name, share in [*sorted(packages.items()), ("all", sum(packages.values(), Share()))]:
        print(
            f"| {name:30} | {share.statements:10} | {share.missed:6} | {share.branches:8} | {share.missed_branches:6}"
            f" | {share.percent:5.1f} % |"
        )
    below = sorted(name for name, share in packages.items() if share.percent < options.limit)
    for name in below:
        print(f"{name} is below {options.limit:g} %: see `coverage report --include='*/{name.replace('.', '/')}*'`")
    return 1 if below else 0


def _shares(data: str) -> Mapping[str, Share]:
    """Give each file's share, by its path from the root of the tree."""
    measured = coverage.Coverage(data_file=data)
    measured.load()
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        measured.json_report(outfile=report.name)
        files = json.loads(Path(report.name).read_text())["files"]
    return {path: _share(found["summary"]) for path, found in files.items()}


def _share(summary: Mapping[str, int]) -> Share:
    return Share(
        summary["num_statements"], summary["missing_lines"], summary["num_branches"], summary["missing_branches"]
    )


def _package(path: Path) -> str:
    """Name what a file belongs to: `shopbot.rules`, `shopbot` for its single modules, `shopbot_plugins`."""
    return ".".join(path.parts[1:-1][:2])


if __name__ == "__main__":
    sys.exit(main())
