"""What every test has: async test functions on a fresh event loop, outputs that are kept in files."""

from __future__ import annotations

import asyncio
import inspect

import pytest
import uvloop

from support.snapshot import Snapshots


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that accepts new outputs."""
    parser.addoption("--update-snapshots", action="store_true", help="Write the outputs that tests keep in files anew.")


@pytest.fixture
def snapshots(request: pytest.FixtureRequest) -> Snapshots:
    """Give what holds outputs against files."""
    return Snapshots(update=request.config.getoption("--update-snapshots"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async def` test on a loop of its own, the kind of loop that the host runs on."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(pyfuncitem.obj(**arguments))
    return True
