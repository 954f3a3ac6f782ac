"""What every test has: outputs that are kept in files."""

from __future__ import annotations

import pytest

from support.snapshot import Snapshots


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that accepts new outputs."""
    parser.addoption("--update-snapshots", action="store_true", help="Write the outputs that tests keep in files anew.")


@pytest.fixture
def snapshots(request: pytest.FixtureRequest) -> Snapshots:
    """Give what holds outputs against files."""
    return Snapshots(update=request.config.getoption("--update-snapshots"))
