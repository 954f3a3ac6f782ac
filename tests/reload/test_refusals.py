"""A change with a problem: the version before works on, and the problem is shown wherever somebody looks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from shopbot.testing.orders import paid_order
from support.eventually import eventually
from support.host_process import host_running, needs_proc, simulator
from support.reloading import logged, readiness, save, saying
from support.scrape import scrape

pytestmark = needs_proc

FIRST = saying("First version")
TESTS = """\
tests:
  - name: A paid order is confirmed
    event: {sample: paid_order}
    expect: {message: {contains: First}}
"""

PLUGIN = """\
import asyncio, os, time
from shopbot.plugin import hookimpl

class Plugin:
    def __init__(self, config):
        pass

    @hookimpl
    async def start(self):
        STARTING
"""


async def test_what_has_a_problem_is_refused_and_shown_until_it_is_put_right(tmp_path: Path) -> None:
    path = tmp_path / "shopbot.yaml"
    async with simulator() as (messenger, url), host_running(tmp_path, url, config=FIRST) as host:
        loaded = await logged(host, "config_loaded")

        # A slip in the YAML.
        save(path, FIRST.replace("redis_cart", "reddis_cart"))
        refused = await logged(host, "config_refused")
        (problem,) = refused["problems"]
        assert problem.startswith(f"{path}:9:11: no plugin named 'reddis_cart'; ")
        assert problem.endswith("did you mean 'redis_cart'?")
        assert refused["version_that_works"] == loaded["version"] != refused["version"]
        status, shown = await readiness(host)
        assert (status, shown["version"], shown["file"]) == (200, loaded["version"], str(path))
        assert (shown["refused"]["version"], shown["refused"]["problems"]) == (refused["version"], refused["problems"])
        page = await scrape(host.http)
        assert page.value("shopbot_config_info", version=loaded["version"]) == 1
        assert page.value("shopbot_config_refused") == 1
        assert page.value("shopbot_config_reloads_total", result="refused") == 1
        assert (
            page.value("shopbot_config_last_refusal_timestamp_seconds")
            >= page.value("shopbot_config_last_reload_timestamp_seconds")
            > 0
        )
        await host.post("orders/paid", paid_order(order_id=1, psid="1"))
        await messenger.wait_for_sent(1)

        # A test that fails: of the new text.
        tests = tmp_path / "shopbot.test.yaml"
        save(tests, TESTS)
        save(path, saying("Second version"))

        async def refused_for_the_test() -> str:
            # Not for what the YAML still said in between, if the host looked between the two files.
            found = [problem for line in host.log("config_refused") for problem in line["problems"]]
            return next((problem for problem in found if problem.startswith(f"{tests}:4:")), "")

        problem = await eventually(refused_for_the_test, "it is refused for the test that fails", limit_seconds=150.0)
        assert "the test 'A paid order is confirmed' fails: " in problem

        # The test is put right, which is tried by itself.
        save(tests, TESTS.replace("First", "Second"))
        reloaded = await logged(host, "config_reloaded")
        assert (reloaded["version_before"], reloaded["tests_passed"]) == (loaded["version"], 1)
        status, shown = await readiness(host)
        assert (status, shown["version"], shown["refused"]) == (200, reloaded["version"], None)
        assert (await scrape(host.http)).value("shopbot_config_refused") == 0
        await host.post("orders/paid", paid_order(order_id=2, number=2, psid="2"))
        await messenger.wait_for_sent(2)
        assert await host.stop() == 0

    assert [message.text for message in messenger.sent] == ["First version", "Second version"]


async def test_what_only_a_restart_can_change_is_named(tmp_path: Path) -> None:
    path = tmp_path / "shopbot.yaml"
    async with simulator() as (_, url), host_running(tmp_path, url, "--no-watch", config=FIRST) as host:
        changed = FIRST.replace("acme.myshopify.com", "umbrella.myshopify.com") + "data_dir: elsewhere\n"
        save(path, changed + "store: redis://:hunter2-hunter2@127.0.0.1:1/0\n")
        os.kill(host.pid, signal.SIGHUP)
        problems = (await logged(host, "config_refused"))["problems"]

        # What works lies on disk again: there is nothing to show any more.
        save(path, FIRST)
        os.kill(host.pid, signal.SIGHUP)
        await logged(host, "config_restored")
        status, shown = await readiness(host)
        os.kill(host.pid, signal.SIGHUP)
        await logged(host, "config_unchanged")
        assert len(host.workers) == 1
        assert await host.stop() == 0

    lines = len(FIRST.splitlines()) + 2
    assert [problem.partition("change while")[0] for problem in problems] == [
        f"{path}:1:16: shop.domain cannot ",
        f"{path}:{lines}:8: store cannot ",
        f"{path}:{lines - 1}:11: data_dir cannot ",
    ]
    assert all("restart it, or put the old value back" in problem for problem in problems)
    assert "hunter2" not in host.log_file.read_text()
    assert (status, shown["refused"]) == (200, None)


@pytest.mark.parametrize(
    ("starting", "options", "reason"),
    [
        ("raise RuntimeError('the coffee machine is off')", (), "plugins[0]:stubborn: RuntimeError"),
        ("await asyncio.sleep(3600)", (), "plugins[0]:stubborn"),
        ("time.sleep(3600)", ("--reload-limit", "8"), "given up after 8 s: "),
        ("os.kill(os.getpid(), 9)", (), "was ended by SIGKILL"),
    ],
    ids=["raises", "waits for ever", "blocks for ever", "is killed"],
)
async def test_a_plugin_that_does_not_start_keeps_the_version_before(
    tmp_path: Path, starting: str, options: tuple[str, ...], reason: str
) -> None:
    plugins = tmp_path / "plugins.d"
    plugins.mkdir()
    (plugins / "stubborn.py").write_text(PLUGIN.replace("STARTING", starting))
    async with simulator() as (messenger, url), host_running(tmp_path, url, *options, config=FIRST) as host:
        before = host.workers
        more = "plugins: [{use: stubborn, time_limit: 1s}]\n"
        save(tmp_path / "shopbot.yaml", saying("Second version", more=more))
        (problem,) = (await logged(host, "config_refused"))["problems"]
        await host.post("orders/paid", paid_order(psid="1"))
        await messenger.wait_for_sent(1)
        status, shown = await readiness(host)
        assert host.workers[0] == before[0]
        assert await host.stop() == 0

    assert reason in problem
    assert (status, shown["refused"]["problems"]) == (200, [problem])
    assert messenger.sent[0].text == "First version"
    assert host.log("worker_process_died") == []
