"""The distributions of this tree, each built once for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.distributions import Environment, build, install
from support.documents import ROOT


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def wheel(shared: Path) -> Path:
    return build(ROOT, "wheel", shared / "wheel")


@pytest.fixture(scope="session")
def sdist(shared: Path) -> Path:
    return build(ROOT, "sdist", shared / "sdist")


@pytest.fixture(scope="session")
def installed(wheel: Path, shared: Path) -> Environment:
    return install(wheel, shared / "installed")
