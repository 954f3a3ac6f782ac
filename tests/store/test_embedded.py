"""The embedded server does its work: it keeps what it acknowledged, and keeps everybody else out."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
import threading
from pathlib import Path
from queue import SimpleQueue

import pytest
import redis

from shopbot.store.data_dir_lock import lock_data_dir
from shopbot.store.embedded import EmbeddedServer, is_running, socket_path, url_for
from shopbot.store.errors import StoreError
from shopbot.store.server_binary import find_server_binary
from support.embedded_store import client_of, nothing_holds, python, until

# Prints the server's process id, then the number of each write once it is acknowledged, for ever.
OWNER = """
import itertools, sys
from pathlib import Path
import redis
from shopbot.store.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
server.start()
client = redis.Redis.from_url(server.url, retry=None)
print(server.pid, flush=True)
for number in itertools.count():
    client.set(f"key:{number}", number)
    print(number, flush=True)
"""


@pytest.fixture(params=["shipped", "redis-server"])
def binary(request: pytest.FixtureRequest) -> Path:
    """Each kind of server that may be in use."""
    if request.param == "shipped":
        return find_server_binary()
    found = shutil.which(request.param)
    if found is None:
        pytest.skip(f"no {request.param} on the PATH")
    return Path(found)


def test_state_survives_a_restart(tmp_path: Path, binary: Path) -> None:
    server = EmbeddedServer(tmp_path / "data", binary=binary)

    for number in range(3):
        with server, client_of(server.url) as client:
            assert client.dbsize() == number
            client.set(f"key:{number}", "kept")


def test_every_write_is_on_disk_before_it_is_answered_and_nothing_is_evicted(tmp_path: Path, binary: Path) -> None:
    with EmbeddedServer(tmp_path, binary=binary) as server, client_of(server.url) as client:
        settings = client.config_get("*")

    expected = {
        "appendonly": "yes",
        "appendfsync": "always",
        "no-appendfsync-on-rewrite": "no",
        "aof-use-rdb-preamble": "yes",
        "auto-aof-rewrite-percentage": "100",
        "save": "",
        "maxmemory": "0",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "notice",
        "port": "0",
        "unixsocketperm": "700",
    }
    assert {name: settings[name] for name in expected} == expected


def test_a_store_that_need_not_last_writes_nothing_to_the_disk(tmp_path: Path, binary: Path) -> None:
    with EmbeddedServer(tmp_path, binary=binary, durable=False) as server, client_of(server.url) as client:
        client.set("key", "gone tomorrow")
        settings = client.config_get("*")

        assert (settings["appendonly"], settings["save"], settings["maxmemory-policy"]) == ("no", "", "noeviction")

    assert not (tmp_path / "appendonlydir").exists()


def test_a_killed_store_comes_back_in_the_same_place_with_everything_it_acknowledged(
    tmp_path: Path, binary: Path
) -> None:
    restarts: SimpleQueue[int] = SimpleQueue()
    acknowledged: list[int] = []

    def write_until_it_dies(url: str) -> None:
        with client_of(url) as client:
            try:
                while True:
                    client.set(f"key:{len(acknowledged)}", "x" * 1000)
                    acknowledged.append(len(acknowledged))
            except redis.ConnectionError:
                return

    with EmbeddedServer(tmp_path, binary=binary, on_restart=restarts.put) as server:
        url = server.url
        for kills in range(1, 4):
            before = len(acknowledged)
            writer = threading.Thread(target=write_until_it_dies, args=[url])
            writer.start()
            until(lambda before=before: len(acknowledged) >= before + 50, "50 writes")  # type: ignore[misc]
            killed = server.pid
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            writer.join()

            assert restarts.get(timeout=60) == kills
            assert (server.url, server.failure) == (url, None)
            assert server.pid != killed
            with client_of(url) as client:
                assert client.exists(*(f"key:{number}" for number in acknowledged)) == len(acknowledged)


def test_a_killed_owner_leaves_no_server_behind_and_no_acknowledged_write_is_lost(tmp_path: Path) -> None:
    with python(OWNER, tmp_path) as owner:
        assert owner.stdout is not None
        server_pid = int(owner.stdout.readline())
        acknowledged = [int(owner.stdout.readline()) for _ in range(50)]
        assert is_running(tmp_path)
        owner.kill()
        # The end of the file comes only because the server does not hold its owner's output.
        acknowledged += [int(line) for line in owner.stdout if line.endswith("\n")]

    # Taken over at once: the text in the lock names a process that is gone, and its server is waited for.
    with EmbeddedServer(tmp_path) as server, client_of(server.url) as client:
        assert server.pid != server_pid
        assert client.exists(*(f"key:{number}" for number in acknowledged)) == len(acknowledged)
    assert nothing_holds(tmp_path)


def test_the_lock_is_held_until_the_server_of_a_dead_owner_is_gone_too(tmp_path: Path) -> None:
    with python(OWNER, tmp_path) as owner:
        assert owner.stdout is not None
        server_pid = int(owner.stdout.readline())
        os.kill(server_pid, signal.SIGSTOP)
        owner.kill()

    try:
        with pytest.raises(StoreError, match=rf"process {owner.pid} is gone, but the server"):
            lock_data_dir(tmp_path, hand_over_seconds=0.1)
    finally:
        os.kill(server_pid, signal.SIGCONT)
    assert nothing_holds(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such a process counts as alive")
def test_an_owner_that_was_killed_and_not_waited_for_counts_as_dead(tmp_path: Path) -> None:
    with python(OWNER, tmp_path) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        owner.kill()
        os.waitid(os.P_PID, owner.pid, os.WEXITED | os.WNOWAIT)

        assert nothing_holds(tmp_path)


def test_a_second_owner_is_told_who_the_first_one_is(tmp_path: Path) -> None:
    refused = f"{tmp_path} is in use by shopbot process {os.getpid()}; stop it or use another data_dir"
    with EmbeddedServer(tmp_path) as server:
        with pytest.raises(StoreError) as here:
            EmbeddedServer(tmp_path).start()
        with python(OWNER, tmp_path) as other:
            _, errors = other.communicate(timeout=100)

        assert str(here.value) == refused
        assert refused in errors
        with client_of(server.url) as client:
            assert client.ping()


def test_a_server_is_started_once_at_a_time(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server, pytest.raises(RuntimeError, match="started already"):
        server.start()


def test_stop_may_come_before_start_and_twice_after_it(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    server.stop()
    server.start()
    server.stop()
    server.stop()

    assert server.pid is None
    assert nothing_holds(tmp_path)


def test_other_processes_compute_where_it_is_and_whether_it_runs(tmp_path: Path) -> None:
    assert not is_running(tmp_path / "absent")
    with EmbeddedServer(tmp_path / "data") as server:
        assert url_for(tmp_path / "data") == server.url
        assert is_running(tmp_path / "data")
    assert not is_running(tmp_path / "data")


def test_the_directory_and_what_is_in_it_are_for_its_user_alone(tmp_path: Path) -> None:
    data_dir = tmp_path / "made" / "data"
    with EmbeddedServer(data_dir) as server, client_of(server.url) as client:
        client.set("key", "value")
        found = {path.name: path for path in data_dir.rglob("*")}

        assert {"lock", "valkey.log"} < found.keys()
        for path in [data_dir, socket_path(data_dir), *found.values()]:
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_listens_on_no_tcp_port(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        process = Path(f"/proc/{server.pid}")
        opened = [str(fd.readlink()) for fd in (process / "fd").iterdir()]
        sockets = {name.removeprefix("socket:[").removesuffix("]") for name in opened if "socket:" in name}
        tables = [(process / "net" / name).read_text(encoding="ascii") for name in ("tcp", "tcp6")]

    assert sockets  # the one that it does listen on
    assert not sockets & {line.split()[9] for table in tables for line in table.splitlines()[1:]}


def test_a_path_too_long_for_a_socket_gets_a_private_one_elsewhere(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 30)
    path = socket_path(data_dir)
    with EmbeddedServer(data_dir) as server, client_of(server.url) as client:
        assert client.ping()
        assert is_running(data_dir)
        assert len(os.fsencode(path)) <= 100
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert (data_dir / "valkey.log").exists()
    assert not path.parent.exists()


@pytest.mark.parametrize("name", ["with space", "per%20cent", "what?#now", "Größe", "quote\"s'", "--port"])
def test_an_odd_path_is_no_problem(tmp_path: Path, name: str) -> None:
    with EmbeddedServer(tmp_path / name) as server, client_of(server.url) as client:
        assert client.config_get("dir") == {"dir": str(tmp_path / name)}
        assert is_running(tmp_path / name)


def test_a_short_path_keeps_its_socket_inside() -> None:
    assert socket_path(Path("/srv/shopbot")) == Path("/srv/shopbot").resolve() / "valkey.sock"
    assert url_for(Path("/srv/shop bot")).endswith("/srv/shop%20bot/valkey.sock")


def test_two_long_paths_have_two_sockets() -> None:
    one, other = (socket_path(Path("/srv") / ("long" * 30) / name) for name in ("one", "other"))
    assert one.parent.parent == other.parent.parent
    assert one != other
