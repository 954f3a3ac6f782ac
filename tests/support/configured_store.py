"""Servers with settings of their own, as an operator would have set them up."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreConnectionError

from shopbot.store.connection import connect
from shopbot.store.server_binary import find_server_binary
from support.eventually import eventually

Program = Literal["valkey", "redis-server"]

EVERYSEC = ("--appendonly", "yes", "--appendfsync", "everysec")
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")
NO_FSYNC = ("--appendonly", "yes", "--appendfsync", "no")
SNAPSHOTS_ONLY = ("--appendonly", "no")


@dataclass(frozen=True)
class ConfiguredStore:
    """A running server."""

    client: Redis
    """Of a user who may do everything."""
    socket: Path
    directory: Path

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    async def calls(self, command: str) -> int:
        """Say how often the server has carried out a command."""
        stats = await self.client.info("commandstats")
        return int(stats.get(f"cmdstat_{command}", {}).get("calls", 0))

    @asynccontextmanager
    async def as_user(self, *rules: str) -> AsyncIterator[str]:
        """Make a user with everything but what the rules take away, and give the URL by which it logs in."""
        await self.client.acl_setuser(
            "limited", enabled=True, passwords=["+pass"], categories=["+@all"], commands=rules, keys=["*"]
        )
        yield f"unix://limited:pass@{quote(str(self.socket))}"


@asynccontextmanager
async def configured_store(program: Program, *settings: str, log: Path | None = None) -> AsyncIterator[ConfiguredStore]:
    """Run a server until the block ends; the test is skipped where this machine has none of that kind.

    log: the directory of an append-only file to begin with; None begins empty.
    """
    if program == "valkey":
        binary = str(find_server_binary())
    else:
        found = shutil.which(program)
        if found is None:
            pytest.skip(f"there is no {program} on the PATH")
        binary = found
    async with AsyncExitStack() as stack:
        # Not under tmp_path: a unix socket's path holds about 100 characters.
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shopbot-")))
        if log is not None:
            shutil.copytree(log, directory / log.name)
        socket = directory / "store.sock"
        process = await asyncio.create_subprocess_exec(
            *(binary, "--port", "0", "--unixsocket", str(socket), "--dir", str(directory), "--save", ""),
            *settings,
            stdout=asyncio.subprocess.DEVNULL,
        )
        stack.push_async_callback(_end, process)
        client = connect(f"unix://{socket}")
        stack.push_async_callback(client.aclose)

        async def answers() -> bool:
            with suppress(StoreConnectionError, OSError):
                return bool(await client.ping())
            return False

        await eventually(answers, f"{program} answers")
        yield ConfiguredStore(client, socket, directory)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):  # a test may have shut it down
        process.kill()
    await process.wait()
