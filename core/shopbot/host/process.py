"""One process of a running host: `python -m shopbot.host.process`, started by the supervisor and by nobody else."""

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import structlog
import uvloop

from shopbot.config.problem import ConfigError
from shopbot.discovery import PluginError
from shopbot.host.blueprint import Blueprint, load_blueprint
from shopbot.host.fleet import store_url
from shopbot.host.logs import configure_logging
from shopbot.host.process_name import ProcessName, host_name
from shopbot.host.service import serving
from shopbot.host.shop_host import Role, ShopHost
from shopbot.metrics import DIRECTORY_VARIABLE, Metrics, share
from shopbot.store.errors import StoreError

EXIT_CANNOT_START = 3
"""The exit code by which a process says that starting it again would not help."""
READY = b"ready\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM, or until the supervisor is gone."""
    parser = argparse.ArgumentParser(prog="shopbot.host.process")
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--supervisor-fd", type=int, required=True, help="ends when the supervisor does")
    parser.add_argument("--ready-fd", type=int, required=True, help="gets one line once requests are answered")
    parser.add_argument("--role", type=Role, required=True)
    parser.add_argument("--place", type=int, default=0, help="its number among the processes of this host")
    parser.add_argument("--run", type=int, default=0, help="grows with each process that the host starts")
    parser.add_argument("--host-name", default=host_name(), help="unique to this run of the host")
    parser.add_argument("configs", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    threading.Thread(target=_die_with, args=(options.supervisor_fd,), daemon=True, name="supervisor").start()
    # Before the plugins are imported, which may have metrics of their own.
    metrics = _metrics(options.place)
    try:
        blueprints = [load_blueprint(config, os.environ) for config in options.configs]
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CANNOT_START
    configure_logging(blueprints[0].settings.log)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(blueprints, options, metrics))
    except (PluginError, StoreError) as error:
        structlog.get_logger("shopbot.host").error("cannot_start", error=str(error))
        return EXIT_CANNOT_START
    return 0


def _metrics(place: int) -> Metrics:
    """Make the metrics: shared with the host's other processes where the supervisor names the directory."""
    directory = os.environ.get(DIRECTORY_VARIABLE)
    if not directory:
        return Metrics()
    share(place)
    return Metrics(Path(directory))


async def _run(blueprints: Sequence[Blueprint], options: argparse.Namespace, metrics: Metrics) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # The store's URL is not an argument: it may hold a password, and arguments are there for all to see.
    hosts = [
        ShopHost(
            blueprint,
            store_url=store_url(blueprint),
            role=options.role,
            metrics=metrics,
            # An embedded store belongs to one host: its data directory is locked.
            name=ProcessName(options.host_name, options.place, options.run, alone=blueprint.settings.store.embedded),
        )
        for blueprint in blueprints
    ]
    limits = [blueprint.settings.web for blueprint in blueprints]
    with socket.socket(fileno=options.listen_fd) as sock:
        async with serving(
            hosts,
            sock,
            metrics=metrics,
            role=options.role,
            max_body_bytes=max(limit.max_body_bytes for limit in limits),
            request_time_limit_seconds=max(limit.request_time_limit.total_seconds() for limit in limits),
        ):
            # What the start has made stays: the collector need not look through it again and again.
            gc.collect()
            gc.freeze()
            os.write(options.ready_fd, READY)
            os.close(options.ready_fd)
            await _until(stop, hosts)


async def _until(stop: asyncio.Event, hosts: Sequence[ShopHost]) -> None:
    """Wait for the signal; a worker that dies of a fault takes the process with it, and the supervisor starts anew."""
    stopped = asyncio.create_task(stop.wait(), name="signal")
    working = asyncio.create_task(_work(hosts), name="hosts")
    done, pending = await asyncio.wait([stopped, working], return_when=asyncio.FIRST_COMPLETED)
    if working in done and working.exception() is None:
        await stopped  # a process without a worker (`--role web`) only waits for the signal
    for task in pending - {stopped}:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    if working in done:
        working.result()


async def _work(hosts: Sequence[ShopHost]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for host in hosts:
            tasks.create_task(host.run(), name=f"host {host.domain}")


def _die_with(supervisor_fd: int) -> None:
    """End this process at once when the supervisor is gone: its store goes too, and no orphan may take webhooks."""
    with open(supervisor_fd, "rb", buffering=0) as pipe:
        pipe.read(1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
