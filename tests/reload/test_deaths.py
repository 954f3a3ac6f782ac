"""Processes that are killed in the middle of a reload: it goes on or is given up, and no order suffers."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from shopbot.store.embedded import url_for
from shopbot.testing.orders import paid_order
from support.eventually import eventually
from support.host_process import HostProcess, books, children, host_running, is_alive, needs_proc, simulator
from support.reloading import logged, readiness, save, saying

pytestmark = needs_proc

TWO = ("--workers", "2")
FIRST = saying("First version")
GATED = """\
import asyncio, os
from pathlib import Path
from shopbot.plugin import hookimpl

class Plugin:
    def __init__(self, config):
        pass

    @hookimpl
    async def start(self):
        while not (Path(__file__).parent / "gate").exists():
            await asyncio.sleep(0.02)
"""
"""A plugin that starts when a file beside it is there."""


@pytest.fixture
def gated(tmp_path: Path) -> Path:
    """Drop the plugin in before the host starts: each change of a file is a version of its own."""
    plugins = tmp_path / "plugins.d"
    plugins.mkdir()
    (plugins / "gated.py").write_text(GATED)
    return plugins


def a_second_version(directory: Path) -> None:
    """Save a version whose processes cannot be prepared until the gate is open."""
    save(directory / "shopbot.yaml", saying("Second version", more="plugins: [{use: gated}]\n"))


async def newcomers(host: HostProcess, before: list[int], count: int = 2) -> list[int]:
    """Wait until there are more worker processes; gives those."""

    async def look() -> list[int]:
        found = [pid for pid in host.workers if pid not in before]
        return found if len(found) == count else []

    return await eventually(look, "new processes are there", limit_seconds=150.0)  # a reload may take as long


async def test_a_process_that_works_is_killed_and_the_reload_goes_on(tmp_path: Path, gated: Path) -> None:
    """Who takes its place until then has the version that works, whatever lies on disk."""
    async with (
        simulator() as (messenger, url),
        host_running(tmp_path, url, *TWO, config=FIRST) as host,
        books(url_for(tmp_path / "data")) as store,
    ):
        before = host.workers
        a_second_version(tmp_path)
        new = await newcomers(host, before)
        os.kill(before[0], signal.SIGKILL)
        await newcomers(host, [*before, *new], 1)
        first = await host.post("orders/paid", paid_order(order_id=1, psid="1"))
        assert (await store.ended(first)).status == "done"
        assert host.log("config_reloaded") == []

        (gated / "gate").touch()
        await logged(host, "config_reloaded")
        second = await host.post("orders/paid", paid_order(order_id=2, number=2, psid="2"))
        assert (await store.ended(second)).status == "done"

        async def only_the_new_ones() -> bool:
            return host.workers == new

        await eventually(only_the_new_ones, "the others have left")
        assert await host.stop() == 0

    assert [message.text for message in messenger.sent] == ["First version", "Second version"]


@pytest.mark.usefixtures("gated")
async def test_a_process_of_the_new_version_is_killed_and_the_one_before_stays(tmp_path: Path) -> None:
    async with simulator() as (messenger, url), host_running(tmp_path, url, *TWO, config=FIRST) as host:
        before = host.workers
        a_second_version(tmp_path)
        new = await newcomers(host, before)
        os.kill(new[1], signal.SIGKILL)
        (problem,) = (await logged(host, "config_refused"))["problems"]
        await host.post("orders/paid", paid_order(psid="1"))
        await messenger.wait_for_sent(1)

        async def only_the_old_ones() -> bool:
            return host.workers == before

        await eventually(only_the_old_ones, "the new ones are gone")
        status, shown = await readiness(host)
        assert await host.stop() == 0

    assert problem == "a process of the new version was ended by SIGKILL; what it said is in the log"
    assert (status, shown["refused"]["problems"]) == (200, [problem])
    assert messenger.sent[0].text == "First version"


async def test_the_check_is_killed_and_the_version_before_stays(tmp_path: Path) -> None:
    async with simulator() as (_, url), host_running(tmp_path, url, config=FIRST) as host:

        async def checking() -> list[int]:
            return [pid for pid, command in children(host.pid).items() if "rehearsal" in command]

        save(tmp_path / "shopbot.yaml", saying("Second version"))
        (pid,) = await eventually(checking, "the check has begun")
        os.kill(pid, signal.SIGKILL)
        (problem,) = (await logged(host, "config_refused"))["problems"]

        # Asked again, it is tried again.
        os.kill(host.pid, signal.SIGHUP)
        await logged(host, "config_reloaded")
        assert await host.stop() == 0

    assert problem == "the check was ended by signal 9; what it said is in the log"


async def test_killed_after_a_reload_a_process_comes_back_with_what_was_put_in_place(tmp_path: Path) -> None:
    """Although something else, which is refused, lies on disk by then."""
    async with simulator() as (messenger, url), host_running(tmp_path, url, config=FIRST) as host:
        before = host.workers
        save(tmp_path / "shopbot.yaml", saying("Second version"))
        await logged(host, "config_reloaded")
        save(tmp_path / "shopbot.yaml", "nonsense")
        await logged(host, "config_refused")
        (worker,) = await newcomers(host, before, 1)
        os.kill(worker, signal.SIGKILL)
        await newcomers(host, [*before, worker], 1)
        await host.post("orders/paid", paid_order(psid="1"))
        await messenger.wait_for_sent(1)
        assert await host.stop() == 0

    assert Counter(message.text for message in messenger.sent) == {"Second version": 1}


@pytest.mark.usefixtures("gated")
async def test_asked_to_end_in_the_middle_of_a_reload_it_leaves_no_process(tmp_path: Path) -> None:
    async with simulator() as (_, url), host_running(tmp_path, url, config=FIRST) as host:
        before = host.workers
        a_second_version(tmp_path)
        await newcomers(host, before, 1)
        family = list(children(host.pid))
        assert await host.stop() == 0
        assert not any(is_alive(pid) for pid in family)
