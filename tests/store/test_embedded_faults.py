"""The embedded server says clearly what is wrong, leaves nothing behind and deletes nothing."""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from shopbot.store.data_dir_lock import lock_data_dir
from shopbot.store.embedded import EmbeddedServer, is_running, socket_path, url_for
from shopbot.store.errors import StoreError
from shopbot.store.server_binary import find_server_binary
from shopbot.store.server_process import ServerProcess
from shopbot.store.server_supervisor import ROOM_BYTES
from support.embedded_store import client_of, nothing_holds, python, until
from support.small_disk import MEBIBYTE, fill, small_disk

WITHOUT_RIGHTS = """
import os, sys
from pathlib import Path
from shopbot.store.embedded import EmbeddedServer
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
EmbeddedServer(Path(sys.argv[1])).start()
"""
# Watches over its server through a pipe, as on systems whose kernel does not end orphans.
OWNER_WITH_A_PIPE = """
import os, sys, threading
from pathlib import Path
from shopbot.store.data_dir_lock import lock_data_dir
from shopbot.store.server_binary import find_server_binary
from shopbot.store.server_process import ServerProcess
data_dir = Path(sys.argv[1])
watch_fd, _ = os.pipe()
process = ServerProcess(
    find_server_binary(), data_dir, lock_fd=lock_data_dir(data_dir), watch_fd=watch_fd, load_truncated=False
)
process.wait_until_ready(30, threading.Event())
print(process.pid, flush=True)
process.wait()
"""


def a_program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o700)
    return path


def a_log_of_ten_writes(data_dir: Path) -> Path:
    """Leave a data directory whose append-only file holds key:0 to key:9, and give that file."""
    with EmbeddedServer(data_dir) as server, client_of(server.url) as client:
        for number in range(10):
            client.set(f"key:{number}", "value")
    (log,) = (data_dir / "appendonlydir").glob("*.incr.aof")
    return log


def test_damage_in_the_middle_is_named_and_nothing_is_deleted(tmp_path: Path) -> None:
    log = a_log_of_ten_writes(tmp_path)
    damaged = log.read_bytes().replace(b"*3\r\n$3\r\nSET\r\n$5\r\nkey:5", b"?3\r\n$3\r\nSET\r\n$5\r\nkey:5")
    log.write_bytes(damaged)

    with pytest.raises(StoreError, match="is damaged; nothing was deleted") as error:
        EmbeddedServer(tmp_path).start()

    assert str(log) in str(error.value)
    assert log.read_bytes() == damaged
    assert nothing_holds(tmp_path)
    # The advice is a command that works.
    check = shlex.split(str(error.value).split("`")[1])
    checked = subprocess.run(check, check=False, capture_output=True, text=True, timeout=100)  # noqa: S603 - our own
    assert (checked.returncode, "AOF analyzed" in checked.stdout) == (1, True), checked.stdout


def test_a_last_write_that_a_crash_cut_off_does_not_prevent_the_start(tmp_path: Path) -> None:
    log = a_log_of_ten_writes(tmp_path)
    log.write_bytes(log.read_bytes()[:-5])

    with EmbeddedServer(tmp_path) as server, client_of(server.url) as client:
        assert sorted(client.keys()) == [f"key:{number}" for number in range(9)]
        client.set("key:10", "value")
    with EmbeddedServer(tmp_path) as server, client_of(server.url) as client:
        assert client.dbsize() == 10


def test_what_looks_cut_off_is_copied_before_it_is_cut_off(tmp_path: Path) -> None:
    """A damaged length makes the rest of the file one endless last write, and the rest may be a lot."""
    log = a_log_of_ten_writes(tmp_path)
    damaged = log.read_bytes().replace(b"$5\r\nkey:2", b"$5555555\r\nkey:2")
    log.write_bytes(damaged)

    with capture_logs() as events, EmbeddedServer(tmp_path) as server, client_of(server.url) as client:
        assert sorted(client.keys()) == ["key:0", "key:1"]

    (copy,) = tmp_path.glob("cut-short-*")
    assert copy.read_bytes() == damaged
    assert copy.stat().st_mode & 0o077 == 0
    (event,) = events
    assert (event["event"], event["kept_copy"]) == ("store_log_cut_short", str(copy))


def test_a_directory_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with python(WITHOUT_RIGHTS, tmp_path / "data") as owner:
        _, errors = owner.communicate(timeout=100)

    assert f"StoreError: cannot use {tmp_path / 'data'} as data_dir: Permission denied" in errors


def test_a_file_where_the_directory_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StoreError, match=r"cannot use .*/data as data_dir: File exists"):
        EmbeddedServer(tmp_path / "data").start()


@pytest.mark.parametrize(("name", "what"), [("lock", "cannot open {}"), ("valkey.log", "cannot start the store in")])
def test_a_file_that_cannot_be_written_is_named(name: str, what: str, tmp_path: Path) -> None:
    """As after a volume was mounted in the wrong place."""
    in_the_way = tmp_path / name
    in_the_way.mkdir()

    with pytest.raises(StoreError, match=re.escape(what.format(in_the_way))) as refusal:
        EmbeddedServer(tmp_path).start()

    assert str(in_the_way) in str(refusal.value)
    in_the_way.rmdir()
    with EmbeddedServer(tmp_path):
        assert is_running(tmp_path)


def test_a_directory_open_to_others_is_warned_about(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with capture_logs() as events, EmbeddedServer(tmp_path):
        pass

    assert [event["event"] for event in events] == ["data_dir_open_to_others"]


def test_a_server_that_does_not_come_up_is_explained_by_its_own_words_and_gets_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPIFY_WEBHOOK_SECRET", "very-secret")
    program = a_program(tmp_path / "server", "env\necho all wrong >&2\nexit 3")

    with pytest.raises(StoreError, match="exited with status 3 before it was ready") as error:
        EmbeddedServer(tmp_path / "data", binary=program).start()

    assert "all wrong" in str(error.value)
    assert "PWD=" in str(error.value)
    assert "very-secret" not in str(error.value)
    assert "PATH" not in (tmp_path / "data" / "valkey.log").read_text(encoding="utf-8").replace("LD_LIBRARY_PATH", "")
    assert nothing_holds(tmp_path / "data")
    with EmbeddedServer(tmp_path / "data") as server:
        assert server.failure is None


def test_a_server_that_never_answers_is_killed_at_its_time_limit(tmp_path: Path) -> None:
    program = a_program(tmp_path / "server", "exec sleep 600")

    with pytest.raises(StoreError, match=r"was not ready in 0\.2 s"):
        EmbeddedServer(tmp_path / "data", binary=program, start_seconds=0.2).start()

    assert nothing_holds(tmp_path / "data")


def test_a_start_that_is_stopped_says_so(tmp_path: Path) -> None:
    program = a_program(tmp_path / "server", "exec sleep 600")
    server = EmbeddedServer(tmp_path / "data", binary=program)

    def stop_when_it_is_launched() -> None:
        until(lambda: server.pid is not None, "the launch")
        server.stop()

    stopper = threading.Thread(target=stop_when_it_is_launched)
    stopper.start()
    with pytest.raises(StoreError, match="stopped while it was starting"):
        server.start()
    stopper.join()
    assert nothing_holds(tmp_path / "data")


def test_a_program_that_cannot_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot run .*/absent: No such file"):
        EmbeddedServer(tmp_path / "data", binary=tmp_path / "absent").start()


def test_a_server_that_will_not_end_is_killed(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path, stop_seconds=0.2)
    server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)

    with capture_logs() as events:
        server.stop()

    assert [event["event"] for event in events] == ["store_killed"]
    assert nothing_holds(tmp_path)


def test_a_server_that_keeps_failing_is_given_up_with_the_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    real = shlex.quote(str(find_server_binary()))
    program = a_program(tmp_path / "server", f'[ -e "{broken}" ] && {{ echo disk full; exit 7; }}\nexec {real} "$@"')
    with (
        capture_logs() as events,
        EmbeddedServer(tmp_path / "data", binary=program, restart_pauses_seconds=[0.01, 0.01]) as server,
    ):
        broken.touch()
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: server.failure is not None, "giving up")

        assert "exited with status 7" in str(server.failure)
        assert "disk full" in str(server.failure)
    names = [event["event"] for event in events]
    assert names == ["store_died", "store_restart_failed", "store_restart_failed", "store_given_up"]
    assert nothing_holds(tmp_path / "data")


def test_a_full_disk_is_waited_for_however_long_it_takes(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", 24) as disk,
        capture_logs() as events,
        EmbeddedServer(disk / "data", restart_pauses_seconds=[0.01, 0.01]) as server,
    ):
        with client_of(server.url) as client:
            client.set("acknowledged", "x")
            ballast = fill(disk, left_bytes=MEBIBYTE)
            with pytest.raises(redis.ConnectionError):
                client.set("too much", "x" * 2 * MEBIBYTE)
        until(lambda: "store_waits_for_room" in [event["event"] for event in events], "the wait")
        time.sleep(2.5)  # longer than two looks at the disk
        assert server.failure is None
        assert not is_running(disk / "data")
        ballast.unlink()
        until(lambda: events[-1]["event"] == "store_restarted", "the restart")
        with client_of(server.url) as client:
            assert client.get("acknowledged") == "x"
            assert client.set("too much", "x" * 2 * MEBIBYTE)
    names = [event["event"] for event in events]
    assert names == ["store_died", "store_waits_for_room", "store_restarted"]
    assert events[1]["free_bytes"] < events[1]["needed_bytes"] == ROOM_BYTES


def test_a_store_that_waits_for_room_can_be_stopped(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24) as disk, capture_logs() as events:
        with EmbeddedServer(disk / "data") as server:
            fill(disk, left_bytes=0)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            until(lambda: "store_waits_for_room" in [event["event"] for event in events], "the wait")
        assert nothing_holds(disk / "data")
    assert [event["event"] for event in events] == ["store_died", "store_waits_for_room"]


def test_a_fault_of_who_is_told_about_restarts_does_not_end_the_watch(tmp_path: Path) -> None:
    told: list[int] = []

    def listener(restarts: int) -> None:
        told.append(restarts)
        raise ValueError("not my day")

    with capture_logs() as events, EmbeddedServer(tmp_path, on_restart=listener) as server:
        for restarts in (1, 2):
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            until(lambda restarts=restarts: told[-1:] == [restarts], "the restart")  # type: ignore[misc]
    assert [event["event"] for event in events].count("store_restart_callback_failed") == 2


def test_a_socket_directory_that_somebody_else_could_have_made_is_refused(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 30)
    directory = socket_path(data_dir).parent
    directory.mkdir(mode=0o700)
    try:
        directory.chmod(0o777)
        for use in (EmbeddedServer(data_dir).start, lambda: url_for(data_dir), lambda: is_running(data_dir)):
            with pytest.raises(StoreError, match="not a private directory"):
                use()
    finally:
        directory.rmdir()
    directory.symlink_to(tmp_path)
    try:
        with pytest.raises(StoreError, match="not a private directory"):
            EmbeddedServer(data_dir).start()
    finally:
        directory.unlink()


def test_the_log_is_set_aside_when_it_has_grown_large(tmp_path: Path) -> None:
    log = tmp_path / "valkey.log"
    log.touch()
    os.truncate(log, 10 * 1024 * 1024 + 1)
    with EmbeddedServer(tmp_path):
        assert 0 < log.stat().st_size < 100_000
    assert (tmp_path / "valkey.log.1").stat().st_size == 10 * 1024 * 1024 + 1


def test_the_watchdog_ends_the_server_of_a_killed_owner(tmp_path: Path) -> None:
    with python(OWNER_WITH_A_PIPE, tmp_path) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().strip().isdigit()
        assert is_running(tmp_path)
        owner.kill()

    assert nothing_holds(tmp_path)
    assert not is_running(tmp_path)


def test_the_watchdog_ends_with_the_server(tmp_path: Path) -> None:
    watch_fd, write_fd = os.pipe()
    lock_fd = lock_data_dir(tmp_path)
    process = ServerProcess(find_server_binary(), tmp_path, lock_fd=lock_fd, watch_fd=watch_fd, load_truncated=False)
    os.close(watch_fd)
    os.close(lock_fd)
    readers_gone = select.poll()
    readers_gone.register(write_fd, 0)
    try:
        assert process.wait_until_ready(30, threading.Event())
        assert readers_gone.poll(0) == []  # the watchdog reads; the server itself does not

        process.kill()
        process.wait()

        assert readers_gone.poll(20_000) == [(write_fd, select.POLLERR)]
    finally:
        process.kill()
        process.wait()
        os.close(write_fd)
    assert nothing_holds(tmp_path)


def test_without_any_server_program_the_message_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"Install the Python package absent_package, or valkey-server"):
        find_server_binary(package="absent_package", search_path=str(tmp_path))


def test_a_server_on_the_path_is_used_when_no_package_ships_one(tmp_path: Path) -> None:
    redis_server = a_program(tmp_path / "redis-server", "exit 0")
    assert find_server_binary(package="absent_package", search_path=str(tmp_path)) == redis_server
    valkey_server = a_program(tmp_path / "valkey-server", "exit 0")
    assert find_server_binary(package="absent_package", search_path=str(tmp_path)) == valkey_server
