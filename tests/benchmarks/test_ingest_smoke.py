"""The benchmark measures what it says; how fast anything is, is not looked at here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_INGEST = Path(__file__).resolve().parents[2] / "benchmarks" / "ingest.py"
_SHORT = (
    "--rounds",
    "1",
    "--turns",
    "2",
    "--seconds",
    "0.3",
    "--warm-up",
    "0.1",
    "--client",
    "own",
    "--connections",
    "4",
    "--json",
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(_INGEST), *_SHORT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)  # noqa: S603 - our own


def results(*arguments: str) -> dict[str, Any]:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_it_loads_bare_sanic_with_the_order_that_was_asked_for() -> None:
    answer = results("--only", "a", "--body-bytes", "12345")

    bare = answer["results"]["a"]
    assert answer["body_bytes"] == 12345
    assert bare["per_second"]["median"] > 0
    assert 0 < bare["p50_ms"]["median"] <= bare["p99_ms"]["median"]
    assert bare["ratio"] == {"median": 1.0, "lower": 1.0, "upper": 1.0}


def test_every_webhook_that_shopbot_answered_is_on_disk() -> None:
    shopbot = results("--only", "b")["results"]["b"]

    ((answered, found),) = shopbot["kept"]
    assert shopbot["ratio"] is None
    assert 0 < answered <= found


def test_an_order_that_cannot_be_made_is_refused_in_one_line() -> None:
    done = run("--only", "a", "--body-bytes", "100")

    assert done.returncode == 1
    assert done.stderr.startswith("ingest: an order has at least ")
    assert done.stderr.count("\n") == 1
