"""The crash matrix in short: `make crash` runs the long one, and docs/reliability.md shows its table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.host_process import needs_proc

ROOT = Path(__file__).parents[2]
KILLS = 30


@needs_proc
@pytest.mark.timeout(600)
def test_over_thirty_kills_nothing_is_lost_and_nothing_comes_twice() -> None:
    """Of worker processes, whole hosts and stores, at random moments and at points of the send path."""
    ran = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-m", "benchmarks.crash_matrix", "--kills", str(KILLS), "--shops", "2", "--json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    figures = json.loads(ran.stdout.splitlines()[-1])
    assert figures["kills"] >= KILLS
    assert min(figures["worker_kills"], figures["host_kills"], figures["store_kills"]) > 0
    assert figures["points"] >= 5
    assert figures["orders"] > KILLS
    assert (figures["lost"], figures["duplicated"], figures["other_dead"]) == (0, 0, 0)
    assert figures["messages"] + figures["doubt_unsent"] >= figures["orders"]
