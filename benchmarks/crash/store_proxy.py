"""A unix socket between the host and its store: it sees the commands of the send path, and can break off at each."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from importlib import resources
from pathlib import Path

import hiredis
from benchmarks.crash.points import When

_CHUNK_BYTES = 256 * 1024
_PEER = struct.Struct("3i")


def script_names() -> dict[bytes, str]:
    """Give the name of each of the store's Lua scripts by the sha that EVALSHA calls it by."""
    names = {}
    for file in resources.files("shopbot.store").joinpath("lua").iterdir():
        name, _, suffix = file.name.rpartition(".")
        if suffix == "lua":
            names[sha1(file.read_bytes()).hexdigest().encode()] = name  # noqa: S324 - the server's own choice
    return names


@dataclass(frozen=True, slots=True)
class Command:
    """A script call on its way to the store."""

    pid: int
    """The process that makes it."""
    script: str
    arguments: Sequence[bytes]
    """Keys and arguments."""

    def is_about(self, *texts: bytes) -> bool:
        """Say whether a text stands in one of its keys or arguments."""
        return any(text in argument for text in texts for argument in self.arguments)


@dataclass(slots=True)
class Trap:
    """Springs at the first script call that fits."""

    script: str
    when: When
    fits: Callable[[Command], bool]
    spring: Callable[[Command], None]
    """Kills; whatever it kills, the connection ends here."""


class StoreProxy:
    """Hands everything on, both ways, until a trap springs.

    path: where it listens. store: the unix socket of the store.
    seen: called with every script call before it is handed on.
    """

    def __init__(self, path: Path, store: Path, seen: Callable[[Command], None]) -> None:
        self.trap: Trap | None = None
        self._path = path
        self._store = store
        self._seen = seen
        self._scripts = script_names()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Listen until the block ends; gives the `unix://` URL."""
        server = await asyncio.start_unix_server(self._connected, self._path, limit=_CHUNK_BYTES)
        try:
            yield f"unix://{self._path}"
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            there = await asyncio.open_unix_connection(self._store, limit=_CHUNK_BYTES)
        except OSError:
            writer.close()  # the store is down, and that is what a client of its socket would see
            return
        pid = _peer_pid(writer)
        await _Connection(self, pid, (reader, writer), there).run()

    def script_calls(self, pid: int, commands: Sequence[Sequence[bytes]]) -> list[Command]:
        """Pick the script calls out of commands."""
        found = []
        for parts in commands:
            if len(parts) > 1 and parts[0].upper() == b"EVALSHA" and parts[1] in self._scripts:
                command = Command(pid, self._scripts[parts[1]], parts[3:])
                self._seen(command)
                found.append(command)
        return found


class _Connection:
    """One client's connection and the one to the store that belongs to it."""

    def __init__(
        self,
        proxy: StoreProxy,
        pid: int,
        here: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        there: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._proxy = proxy
        self._pid = pid
        self._here = here
        self._there = there
        self._caught: tuple[Trap, Command] | None = None
        """What was handed on and is to be broken off at its answer."""

    async def run(self) -> None:
        """Hand on until either side closes or a trap springs."""
        ways = [asyncio.create_task(self._commands()), asyncio.create_task(self._answers())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            for writer in (self._here[1], self._there[1]):
                writer.close()

    async def _commands(self) -> None:
        parser = hiredis.Reader()
        with contextlib.suppress(OSError):
            while chunk := await self._here[0].read(_CHUNK_BYTES):
                parser.feed(chunk)
                commands = []
                while (command := parser.gets()) is not False:
                    commands.append(command)
                if self._springs(self._proxy.script_calls(self._pid, commands)):
                    return
                self._there[1].write(chunk)
                await self._there[1].drain()

    def _springs(self, calls: Sequence[Command]) -> bool:
        trap = self._proxy.trap
        if trap is None:
            return False
        for call in calls:
            if call.script == trap.script and trap.fits(call):
                if trap.when is When.BEFORE:
                    self._spring(trap, call)
                    return True
                self._caught = (trap, call)
        return False

    async def _answers(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := await self._there[0].read(_CHUNK_BYTES):
                caught, self._caught = self._caught, None
                # After its restart the store does not know the scripts, and the client sends them again.
                springs = caught is not None and not chunk.startswith(b"-NOSCRIPT") and self._proxy.trap is caught[0]
                if not springs or (caught is not None and caught[0].when is When.AFTER):
                    self._here[1].write(chunk)
                    await self._here[1].drain()
                if springs and caught is not None:
                    self._spring(*caught)
                    return

    def _spring(self, trap: Trap, call: Command) -> None:
        self._proxy.trap = None
        trap.spring(call)


def _peer_pid(writer: asyncio.StreamWriter) -> int:
    sock: socket.socket = writer.get_extra_info("socket")
    pid: int = _PEER.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))[0]
    return pid
