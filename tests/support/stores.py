"""The three stores that the store's contract is tested on: fakeredis, the embedded Valkey, redis-server."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol, cast

import fakeredis
import pytest
import redis
from redis.asyncio import Redis

from shopbot.store.connection import connect, connect_blocking
from shopbot.store.embedded import EmbeddedServer
from support.embedded_store import until

REAL_KINDS = ("embedded", "redis-server")
KINDS = ("fakeredis", *REAL_KINDS)

on_every_store = pytest.mark.parametrize("kind", KINDS)
on_real_stores = pytest.mark.parametrize("kind", REAL_KINDS)


class _Server(Protocol):
    """What a store's clients connect to."""

    url: str
    """Empty for fakeredis, which nobody else can connect to."""

    def start(self) -> None:
        """Start it, again where it was stopped; empty or not."""

    def stop(self) -> None:
        """Stop it; clients lose their connections."""

    def connect(self, *, blocking: bool) -> Redis:
        """Make a client as the host does."""


class OpenStore:
    """A store of a test's own, empty at first."""

    def __init__(self, kind: str, server: _Server, stack: AsyncExitStack) -> None:
        self.kind = kind
        self.url = server.url
        self._server = server
        self._stack = stack
        self.client = self.another()

    def another(self, *, blocking: bool = False) -> Redis:
        """Connect once more; closed with the store.

        blocking: as the host connects for reads that wait.
        """
        client = self._server.connect(blocking=blocking)
        self._stack.push_async_callback(client.aclose)
        return client

    async def go_away(self) -> None:
        """Stop answering; all connections break."""
        await asyncio.to_thread(self._server.stop)

    async def come_back(self) -> None:
        """Answer again."""
        await asyncio.to_thread(self._server.start)

    async def calls(self, command: str) -> int:
        """Say how often the server has carried out a command since it was started; not for fakeredis."""
        stats = await self.client.info("commandstats")
        return int(stats.get(f"cmdstat_{command}", {}).get("calls", 0))


@asynccontextmanager
async def open_store(kind: str, tmp_path: Path) -> AsyncIterator[Redis]:
    """Run an empty store until the block ends, and give a client of it; skips the test as `running_store` does."""
    async with running_store(kind, tmp_path) as store:
        yield store.client


@asynccontextmanager
async def running_store(kind: str, tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Run an empty store until the block ends; the test is skipped where this machine has none of that kind."""
    async with AsyncExitStack() as stack:
        server: _Server
        if kind == "fakeredis":
            server = _Fake()
        elif kind == "embedded":
            server = _Embedded(tmp_path / "store")
        else:
            # Not under tmp_path: a unix socket's path holds about 100 characters.
            server = RedisServer(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shopbot-"))))
        await asyncio.to_thread(server.start)
        stack.push_async_callback(asyncio.to_thread, server.stop)
        yield OpenStore(kind, server, stack)


class _Fake:
    url = ""

    def __init__(self) -> None:
        self._server = fakeredis.FakeServer()

    def start(self) -> None:
        self._server.connected = True

    def stop(self) -> None:
        self._server.connected = False

    def connect(self, *, blocking: bool) -> Redis:
        del blocking
        return cast("Redis", fakeredis.FakeAsyncRedis(server=self._server))


class _Embedded:
    def __init__(self, directory: Path) -> None:
        self._server = EmbeddedServer(directory)
        self.url = self._server.url
        self.start = self._server.start
        self.stop = self._server.stop

    def connect(self, *, blocking: bool) -> Redis:
        return connect_blocking(self.url) if blocking else connect(self.url)


class RedisServer:
    """The redis-server of this machine on a unix socket in *directory*; its state is in memory alone."""

    def __init__(self, directory: Path) -> None:
        """Find the program; skips the test where there is none."""
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("there is no redis-server on the PATH")
        self._socket = directory / "redis.sock"
        self._command = [
            program,
            "--port",
            "0",
            "--unixsocket",
            str(self._socket),
            "--save",
            "",
            "--dir",
            str(directory),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)  # noqa: S603 - found on the PATH
        until(self._answers, "redis-server answers")

    def stop(self) -> None:
        """Kill it: all it knows is gone; may be repeated."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def connect(self, *, blocking: bool = False) -> Redis:
        """Make a client as the host does."""
        return connect_blocking(self.url) if blocking else connect(self.url)

    def _answers(self) -> bool:
        with redis.Redis(unix_socket_path=str(self._socket)) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False
