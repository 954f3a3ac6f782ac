"""The systemd unit, as systemd's own tools read it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from support.deployment import SHOP, UNIT, longest_stop_seconds, unit, variables


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze; skips the test where there is none."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on the PATH")
    return subprocess.run(  # noqa: S603 - found on the PATH
        [program, *arguments], capture_output=True, text=True, check=False
    )


def test_systemd_understands_every_line_of_it(tmp_path: Path) -> None:
    """With the program of this environment, because it looks whether there is one."""
    program = Path(sysconfig.get_path("scripts")) / "shopbot"
    text = UNIT.read_text(encoding="utf-8").replace("/opt/shopbot/bin/shopbot", str(program))
    copy = tmp_path / UNIT.name
    copy.write_text(text, encoding="utf-8")

    done = analyze("verify", "--man=no", copy)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_it_is_locked_up_as_far_as_a_server_with_a_child_can_be() -> None:
    """By the marks of systemd, from 0 (nothing is exposed) to 10."""
    if "--offline" not in analyze("--help").stdout:
        pytest.skip("this systemd-analyze is older than 250 and looks at loaded units alone")

    done = analyze("security", "--offline=yes", "--no-pager", UNIT)

    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= 1.5


def test_it_is_given_the_time_that_it_needs_to_end_and_started_again_where_it_failed() -> None:
    service = unit()["Service"]

    assert int(service["TimeoutStopSec"]) > longest_stop_seconds()
    assert service["Restart"] == "on-failure"
    assert service["KillMode"] == "mixed"


def test_it_runs_where_its_configuration_is_and_keeps_its_data_where_systemd_lets_it_write() -> None:
    service = unit()["Service"]

    assert service["Environment"] == f"SHOPBOT_DATA_DIR=/var/lib/{service['StateDirectory']}"
    assert "SHOPBOT_DATA_DIR" in variables(SHOP.read_text(encoding="utf-8"))
    assert f" run {service['WorkingDirectory']}/{SHOP.name} " in service["ExecStart"]
    assert service["User"] != "root"
