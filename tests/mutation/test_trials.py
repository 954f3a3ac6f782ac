"""The two ways to try a mutant, on a small module with tests of its own: they must come to the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULE = """
import time
from dataclasses import dataclass


def _with_tax(percent):
    return 100 + percent


TAX = _with_tax(19)


@dataclass
class Order:
    paid: bool = False
    cents: int = 0

    def total(self):
        return self.cents * TAX // 100


def greeting(order):
    if order.paid and order.cents > 100:
        return "thanks"
    return "hello"


WAYS = {
    "express": lambda order: order.cents + 500,
    "mail": greeting,
}


def unseen(order):
    return not order.paid
"""
TESTS = """
from shop import WAYS, Order, greeting


def test_a_paid_order_is_thanked_for(tmp_path, capfd):
    (tmp_path / "file").write_text("x")
    print("said")
    assert capfd.readouterr().out.strip() == "said"
    assert [greeting(Order(True, cents)) for cents in (100, 101)] == ["hello", "thanks"]
    assert greeting(Order(False, 200)) == "hello"
    assert Order().paid is False


def test_tax_is_added():
    assert Order(True, 200).total() == 238


def test_a_parcel_can_go_by_express():
    assert WAYS["express"](Order(True, 5)) == 505


def test_a_parcel_can_go_by_mail():
    assert WAYS["mail"](Order(True, 5)) == "hello"
"""
SCRIPT = """
import json, sys
from pathlib import Path
from quality import by_import
from quality.covering import Covering, record
from quality.in_place import try_in_place
from quality.mutants import mutants
from quality.trial import PYTEST_OPTIONS, choose, in_child, try_all

def cover():
    record(["test_shop.py"], PYTEST_OPTIONS, [str(Path.cwd())]).write(Path("covering.json"))
    return 0

assert in_child(cover) == 0
covering = Covering.read(Path("covering.json"))
path = Path.cwd() / "shop.py"
candidates = [choose("shop", path, one, covering, 60.0) for one in mutants(path.read_text(), str(path))]
limits = {"processes": 2, "patience": 1e6}
ways = [try_all(candidates, by_import.trial, **limits), try_in_place(candidates, **limits)]
found = [{f"{one.mutant.function}: {one.mutant.change}": one.verdict for one in way} for way in ways]
assert "shop" not in sys.modules
Path("found.json").write_text(json.dumps(found))
"""


def run(script: str, directory: Path) -> str:
    """Run a script that forks, in a process without threads; gives what it prints."""
    (directory / "try.py").write_text(script)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTEST_"))}
    tried = subprocess.run(
        [sys.executable, "try.py"],
        cwd=directory,
        env={**environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{directory}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert tried.returncode == 0, tried.stderr
    return tried.stdout


def test_a_mutant_fares_the_same_in_place_as_by_the_import(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(MODULE)
    (tmp_path / "test_shop.py").write_text(TESTS)
    printed = run(SCRIPT, tmp_path)

    by_import, in_place = json.loads((tmp_path / "found.json").read_text())
    assert in_place == by_import
    assert {name: verdict for name, verdict in by_import.items() if verdict != "killed"} == {
        "Order: 0 → 1": "survived",
        "unseen: return not order.paid → return None": "untested",
        "unseen: not order.paid → order.paid": "untested",
    }
    assert "  10 of 23 are decided by the import" in printed.splitlines()


HALTED = """
import os, time
from quality.trial import end, fork

os.setsid = lambda: time.sleep(20)
child = fork(lambda: 0)
end(child)
try:
    os.kill(child, 0)
except ProcessLookupError:
    print("ended")
"""


def test_a_trial_can_be_ended_before_it_leads_a_group_of_its_own(tmp_path: Path) -> None:
    """As one whose machine is halted between the two: by the time it goes on, its time is over."""
    assert run(HALTED, tmp_path) == "ended\n"


HALTED_AGAIN_AND_AGAIN = """
import time
from pathlib import Path
from types import SimpleNamespace

from quality import trial
from quality.mutants import original

started = Path("started")


def monotonic():
    return time.monotonic() + 1000 * (started.stat().st_size if started.exists() else 0)


def passing(_candidate, _scratch):
    with started.open("a") as file:
        file.write("x")
    time.sleep(0.3)
    return 0


trial.time = SimpleNamespace(monotonic=monotonic, sleep=time.sleep)
tried = trial.Candidate("shop", Path("shop.py"), original("", "shop.py"), ["a test"], seconds=1.0)
print(*(result.verdict for result in trial.try_all([tried], passing, processes=1, patience=1.0)))
"""


def test_while_all_is_halted_no_time_goes_by_for_a_trial(tmp_path: Path) -> None:
    """Or what is halted in each of its two trials would count as stuck, which is to say as noticed."""
    assert run(HALTED_AGAIN_AND_AGAIN, tmp_path) == "survived\n"
