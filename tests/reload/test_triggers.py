"""What leads to a reload: files that change in whatever way, and SIGHUP."""

from __future__ import annotations

import asyncio
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from shopbot.host.watching import Watch
from shopbot.testing.orders import paid_order
from support.eventually import eventually
from support.host_process import children, host_running, needs_proc, simulator
from support.reloading import logged, readiness, save, saying

FIRST = saying("First version")


@needs_proc
async def test_a_link_that_is_swapped_brings_all_files_behind_it_at_once(tmp_path: Path) -> None:
    """As Kubernetes does with a ConfigMap: everything leads through `..data`, which is renamed into its place."""
    for version in ("1", "2"):
        release = tmp_path / f"..{version}"
        (release / "templates").mkdir(parents=True)
        config = FIRST.replace("'First version'", "said.txt.j2").replace("name: Acme", f"name: Acme {version}")
        (release / "shopbot.yaml").write_text(config)
        (release / "templates/said.txt.j2").write_text(f"{version} of {{{{ shop.name }}}}")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "templates").symlink_to("..data/templates")
    (tmp_path / "shopbot.yaml").symlink_to("..data/shopbot.yaml")
    config = (tmp_path / "..1/shopbot.yaml").read_text()
    async with simulator() as (messenger, url), host_running(tmp_path, url, config=config) as host:
        (tmp_path / "..draft").symlink_to("..2")
        (tmp_path / "..draft").replace(tmp_path / "..data")
        shutil.rmtree(tmp_path / "..1")
        await logged(host, "config_reloaded")
        await host.post("orders/paid", paid_order(psid="1"))
        await messenger.wait_for_sent(1)
        # What lies behind the link now is watched, too.
        (tmp_path / "..2/templates/said.txt.j2").write_text("written in place")
        await logged(host, "config_reloaded", 2)
        assert await host.stop() == 0

    assert messenger.sent[0].text == "2 of Acme 2"


@needs_proc
async def test_plugins_that_are_dropped_in_are_reloaded_with_their_new_code(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins.d"
    plugins.mkdir()
    code = "from shopbot.plugin import hookimpl\nclass Plugin:\n    def __init__(self, config): pass\n    @hookimpl\n"
    code += "    def template_filters(self): return {'shout': lambda text: text + 'MARK'}\n"
    (plugins / "loud.py").write_text(code.replace("MARK", "!"))
    config = saying("{{ shop.name | shout }}", more="plugins: [{use: loud}]\n")
    async with simulator() as (messenger, url), host_running(tmp_path, url, "--no-watch", config=config) as host:
        save(plugins / "loud.py", code.replace("MARK", "?"))
        os.kill(host.pid, signal.SIGHUP)
        reloaded = await logged(host, "config_reloaded")
        await host.post("orders/paid", paid_order(psid="1"))
        await messenger.wait_for_sent(1)
        assert (await readiness(host))[1]["version"] == reloaded["version"]
        assert await host.stop() == 0

    assert messenger.sent[0].text == "Acme?"


@needs_proc
async def test_asked_while_it_still_starts_it_starts_and_looks_then(tmp_path: Path) -> None:
    async def starting() -> list[int]:
        commands = children(os.getpid()).items() if (tmp_path / "data").exists() else ()
        return [pid for pid, command in commands if str(tmp_path) in command]

    async def hang_up() -> None:
        (pid,) = await eventually(starting, "its store is being started")
        os.kill(pid, signal.SIGHUP)

    asking = asyncio.create_task(hang_up())
    async with simulator() as (_, url), host_running(tmp_path, url, "--no-watch", config=FIRST) as host:
        await asking
        await logged(host, "config_unchanged")
        assert await host.stop() == 0


async def test_a_watch_notices_what_changes_in_its_directories_alone(tmp_path: Path) -> None:
    watched, other = tmp_path / "watched", tmp_path / "other"
    (watched / "below").mkdir(parents=True)
    other.mkdir()
    watch = Watch()

    async def noticed() -> bool:
        return watch.take()

    try:
        watch.follow([watched, tmp_path / "not there"])
        await eventually(noticed, "it is at work")
        (other / "file").write_text("x")
        (watched / "below/file").write_text("x")
        assert not watch.take()
        save(watched / "file", "x")
        await eventually(noticed, "a file is there")
        watch.follow([other])
        await eventually(noticed, "it is at work again")
        (other / "file").unlink()
        await eventually(noticed, "a file is gone")
    finally:
        watch.stop()


_IN_A_TERMINAL = """\
import os, signal, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))  # from now on this terminal controls the process
from shopbot.host.supervisor import Supervisor
supervisor = Supervisor([], ("127.0.0.1", 0), 1, None, print, None, None)
with supervisor._signals():
    sys.stdout.write("at work\\n")
    sys.stdout.flush()
    while not supervisor._stopping:
        signal.sigtimedwait([signal.SIGUSR1], 0.05)
sys.exit(7)
"""


@needs_proc
def test_it_ends_when_its_terminal_is_closed_although_sighup_means_reload_elsewhere() -> None:
    terminal, inside = pty.openpty()
    command = [sys.executable, "-c", _IN_A_TERMINAL]
    with subprocess.Popen(command, stdin=inside, stdout=inside, start_new_session=True) as process:  # noqa: S603
        os.close(inside)
        shown = b""
        while b"at work" not in shown:
            shown += os.read(terminal, 1000)
        process.send_signal(signal.SIGHUP)  # asked by somebody: the terminal is there
        assert process.poll() is None
        os.close(terminal)

        assert process.wait() == 7
