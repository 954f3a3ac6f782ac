"""One process of a running host: `python -m shopbot.host.process`, started by the supervisor and by nobody else."""

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import structlog
import uvloop

from shopbot.config.problem import ConfigError
from shopbot.config.snapshot import Snapshot
from shopbot.discovery import PluginError
from shopbot.host.blueprint import Blueprint, load_blueprint
from shopbot.host.config_record import ConfigRecord
from shopbot.host.fleet import store_url
from shopbot.host.logs import configure_logging
from shopbot.host.process_name import ProcessName, host_name
from shopbot.host.service import serving
from shopbot.host.shop_host import Role, ShopHost
from shopbot.metrics import DIRECTORY_VARIABLE, Metrics, share
from shopbot.model.config_state import ConfigState
from shopbot.store.errors import StoreError

EXIT_CANNOT_START = 3
"""The exit code by which a process says that starting it again would not help."""
PREPARED, READY, LEFT, FAILED = b"prepared", b"ready", b"left", b"failed "
"""What a process tells the supervisor, each on a line of its own; behind `failed ` stands why it cannot start."""
GO, LEAVE = b"g", b"l"
"""What the supervisor tells a process: begin, once all are prepared; take nothing new, because others do."""

_LONGEST_REASON = 2_000
"""What fits into a pipe at once."""


class _NotWantedError(Exception):
    """The process is told to end before it has begun."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM, or until the supervisor is gone."""
    parser = argparse.ArgumentParser(prog="shopbot.host.process")
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--supervisor-fd", type=int, required=True, help="ends when the supervisor does")
    parser.add_argument("--ready-fd", type=int, required=True, help="told how far this process is")
    parser.add_argument("--control-fd", type=int, required=True, help="says when to begin and when to leave")
    parser.add_argument("--record", type=Path, required=True, help="the file about changes of the configuration")
    parser.add_argument("--joins", action="store_true", help="takes over from processes that serve now")
    parser.add_argument("--role", type=Role, required=True)
    parser.add_argument("--place", type=int, default=0, help="its number among the processes of this host")
    parser.add_argument("--run", type=int, default=0, help="grows with each process that the host starts")
    parser.add_argument("--host-name", default=host_name(), help="unique to this run of the host")
    parser.add_argument("snapshots", type=Path, nargs="+", help="directories with copies of configurations")
    options = parser.parse_args(arguments)
    threading.Thread(target=die_with, args=(options.supervisor_fd,), daemon=True, name="supervisor").start()
    # Before the plugins are imported, which may have metrics of their own.
    metrics = _metrics(options.place)
    try:
        snapshots = [Snapshot.open(directory) for directory in options.snapshots]
        blueprints = [load_blueprint(one.config, os.environ, snapshot=one) for one in snapshots]
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        _tell(options, FAILED + str(error).encode())
        return EXIT_CANNOT_START
    configure_logging(blueprints[0].settings.log)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(blueprints, [one.version for one in snapshots], options, metrics))
    except (PluginError, StoreError) as error:
        structlog.get_logger("shopbot.host").error("cannot_start", error=str(error))
        _tell(options, FAILED + str(error).encode())
        return EXIT_CANNOT_START
    except _NotWantedError:
        return 0
    return 0


def _tell(options: argparse.Namespace, line: bytes) -> None:
    os.write(options.ready_fd, line[:_LONGEST_REASON].replace(b"\n", b" ") + b"\n")


def _metrics(place: int) -> Metrics:
    """Make the metrics: shared with the host's other processes where the supervisor names the directory."""
    directory = os.environ.get(DIRECTORY_VARIABLE)
    if not directory:
        return Metrics()
    share(place)
    return Metrics(Path(directory))


async def _run(
    blueprints: Sequence[Blueprint], versions: Sequence[str], options: argparse.Namespace, metrics: Metrics
) -> None:
    orders = _Orders(options.control_fd)
    record = ConfigRecord(options.record)
    # The store's URL is not an argument: it may hold a password, and arguments are there for all to see.
    hosts = [
        ShopHost(
            blueprint,
            store_url=store_url(blueprint),
            role=options.role,
            metrics=metrics,
            # An embedded store belongs to one host: its data directory is locked.
            name=ProcessName(options.host_name, options.place, options.run, alone=blueprint.settings.store.embedded),
            config=_config_of(record, blueprint.shop.domain, version),
        )
        for blueprint, version in zip(blueprints, versions, strict=True)
    ]
    limits = [blueprint.settings.web for blueprint in blueprints]

    async def prepared() -> None:
        _tell(options, PREPARED)
        await _first(orders.go.wait(), orders.stop.wait())
        if orders.stop.is_set():
            raise _NotWantedError

    with socket.socket(fileno=options.listen_fd) as sock:
        async with serving(
            hosts,
            sock,
            metrics=metrics,
            role=options.role,
            max_body_bytes=max(limit.max_body_bytes for limit in limits),
            request_time_limit_seconds=max(limit.request_time_limit.total_seconds() for limit in limits),
            prepared=prepared,
            joins=options.joins,
        ) as service:
            # What the start has made stays: the collector need not look through it again and again.
            gc.collect()
            gc.freeze()
            _tell(options, READY)
            await _until(orders, hosts)
            if orders.leave.is_set():
                service.close_the_door()
                await asyncio.gather(*(host.retire() for host in hosts))
                _tell(options, LEFT)
                await _first(orders.stop.wait(), service.linger())


class _Orders:
    """What the supervisor, or a signal, tells this process."""

    def __init__(self, control_fd: int) -> None:
        self.go, self.leave, self.stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._fd = control_fd
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(control_fd, self._read)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.stop.set)

    def _read(self) -> None:
        orders = os.read(self._fd, 16)
        if GO in orders:
            self.go.set()
        if LEAVE in orders:
            self.leave.set()
        if not orders:  # the supervisor has let go of this process
            self._loop.remove_reader(self._fd)


def _config_of(record: ConfigRecord, domain: str, version: str) -> Callable[[], ConfigState]:
    """Say what is recorded of a shop; the version is the one that this process runs, old or new."""
    return lambda: record.state(domain).model_copy(update={"version": version})


async def _until(orders: _Orders, hosts: Sequence[ShopHost]) -> None:
    """Wait for the end; a worker that dies of a fault takes the process with it, and the supervisor starts anew."""
    working = asyncio.create_task(_work(hosts), name="hosts")
    try:
        await _first(orders.stop.wait(), orders.leave.wait(), _failure(working))
    finally:
        working.cancel()
        await asyncio.wait([working])


async def _failure(working: asyncio.Task[None]) -> None:
    """Raise what ends the hosts' work; a process without a worker (`--role web`) has none that could end."""
    await asyncio.shield(working)
    await asyncio.Event().wait()


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait for whichever comes first, and raise what it raises; the others are given up."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


async def _work(hosts: Sequence[ShopHost]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for host in hosts:
            tasks.create_task(host.run(), name=f"host {host.domain}")


def die_with(supervisor_fd: int) -> None:
    """End this process at once when the supervisor is gone: its store goes too, and no orphan may take webhooks."""
    with open(supervisor_fd, "rb", buffering=0) as pipe:
        pipe.read(1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
