"""What every test has: outputs that are kept in files, and property tests that look at no clock on the wall."""

from __future__ import annotations

import os

import coverage
import pytest
from hypothesis import HealthCheck, settings

from support.snapshot import Snapshots

settings.register_profile("shopbot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shopbot")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that accepts new outputs."""
    parser.addoption("--update-snapshots", action="store_true", help="Write the outputs that tests keep in files anew.")


@pytest.hookimpl(optionalhook=True)  # `make mutation` runs pytest without xdist
def pytest_xdist_auto_num_workers() -> int:
    """Say what `-n auto` is: more than there are cores, since many tests wait for processes that they start."""
    return (os.cpu_count() or 1) + 3


def pytest_sessionfinish() -> None:
    """Keep what `make coverage` has measured here: xdist waits 10 s for its processes to end, and then kills them."""
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.save()


@pytest.fixture
def snapshots(request: pytest.FixtureRequest) -> Snapshots:
    """Give what holds outputs against files."""
    return Snapshots(update=request.config.getoption("--update-snapshots"))
