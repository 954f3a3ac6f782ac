from __future__ import annotations

import sys
from pathlib import Path

import pytest

from shopbot.messages.uptime import uptime_seconds


def test_it_never_goes_back() -> None:
    moments = [uptime_seconds() for _ in range(100)]

    assert moments == sorted(moments)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells its uptime there, suspended time included")
def test_it_is_the_time_since_the_machine_was_started() -> None:
    started = float(Path("/proc/uptime").read_text().split()[0])

    assert started - 1 < uptime_seconds() < started + 60
