"""The image's command with as little as a container gives it: no rights, nothing to write to but its own directory."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from shopbot.testing.webhooks import shopify_headers
from support.deployment import SHOP, last, variables
from support.distributions import Environment
from support.embedded_store import nothing_holds
from support.host_process import children, needs_proc
from support.signed_webhook import BODY

NOBODY = 65534
READ_EVERYTHING = 1 << 2
"""CAP_DAC_READ_SEARCH. https://man7.org/linux/man-pages/man7/capabilities.7.html"""

SECRETS = {name: f"a-value-of-{name.lower()}-0123456789abcdef" for name in variables(SHOP.read_text(encoding="utf-8"))}
_PATIENCE_SECONDS = 60.0


def as_nobody() -> Sequence[str]:
    """Give what goes in front of a command to run it without rights; skips the test where that cannot be done.

    It may read what this user may read, because tests, and this Python, may lie where only root can. It may write
    nowhere but where everybody may, and to what is its own.
    """
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("only root can run a command as somebody else, with setpriv of util-linux")
    kept = "-all,+dac_read_search"
    command = [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    command += [f"--inh-caps={kept}", f"--ambient-caps={kept}", f"--bounding-set={kept}"]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)  # noqa: S603 - nothing else
    if tried.returncode != 0:
        pytest.skip(f"setpriv cannot take rights away here: {tried.stderr.strip()}")
    return command


@asynccontextmanager
async def running(installed: Environment, directory: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run the image's command on the shop of `deploy/`, and give its process and its URL."""
    prefix = as_nobody()
    config, state = directory / "etc", directory / "state"
    config.mkdir()
    shutil.copy(SHOP, config)
    state.mkdir(mode=0o700)
    os.chown(state, NOBODY, NOBODY)
    program = installed.directory / "bin" / last("ENTRYPOINT").words[0]
    words = list(last("CMD").words)
    words[words.index("--port") + 1] = "0"
    with (directory / "host.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(*prefix, str(program), *words),
            cwd=config,
            env={"PATH": os.environ["PATH"], **SECRETS, "STORE_URL": "embedded", "SHOPBOT_DATA_DIR": str(state)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        said = ""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while " on http://" not in said:
                line = (await process.stdout.readline()).decode()
                assert line, (directory / "host.log").read_text()
                said += line
        port = said.strip().rpartition(":")[2]
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@needs_proc
async def test_a_host_without_rights_serves_and_ends_when_it_is_asked_to(
    installed: Environment, tmp_path: Path
) -> None:
    headers = shopify_headers("orders/paid", BODY, SECRETS["SHOPIFY_WEBHOOK_SECRET"], "acme.myshopify.com")
    async with running(installed, tmp_path) as (process, url):
        for pid in (process.pid, *children(process.pid)):
            rights = rights_of(pid)
            assert (rights["Uid"], rights["Gid"], rights["NoNewPrivs"]) == (str(NOBODY), str(NOBODY), "1")
            assert int(rights["CapEff"], 16) & ~READ_EVERYTHING == 0
        async with httpx.AsyncClient(base_url=url, timeout=30.0, trust_env=False) as client:
            alive = await client.get("/healthz")
            taken = await client.post("/webhooks/shopify", content=BODY, headers=headers)
        healthy = await is_healthy(installed, url)
        process.terminate()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            code = await process.wait()
        unhealthy = await is_healthy(installed, url)

    assert (alive.status_code, taken.status_code, code) == (200, 200, 0)
    assert (healthy, unhealthy) == (True, False)
    assert [path.name for path in (tmp_path / "etc").iterdir()] == ["shopbot.yaml"]
    assert (tmp_path / "state" / "appendonlydir").stat().st_uid == NOBODY
    assert nothing_holds(tmp_path / "state")


def rights_of(pid: int) -> Mapping[str, str]:
    """Give what the kernel says of a process: the first word of each line."""
    return dict(re.findall(r"(?m)^(\w+):\s+(\S+)", Path(f"/proc/{pid}/status").read_text()))


async def is_healthy(installed: Environment, url: str) -> bool:
    """Ask as the image's HEALTHCHECK does."""
    _, *words = re.findall(r'"([^"]*)"', last("HEALTHCHECK").text.partition("CMD ")[2])
    port = url.rpartition(":")[2]
    assert [word for word in words if ", 8000," in word]
    words = [word.replace(", 8000,", f", {port},") for word in words]
    process = await asyncio.create_subprocess_exec(
        installed.directory / "bin" / "python", *words, stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(_PATIENCE_SECONDS):
        return await process.wait() == 0


@needs_proc
async def test_a_directory_that_it_may_not_write_to_is_named(installed: Environment, tmp_path: Path) -> None:
    """As when the volume belongs to somebody else, or `data_dir` lies beside a configuration that is read-only."""
    config = tmp_path / "etc"
    config.mkdir()
    shutil.copy(SHOP, config)
    process = await asyncio.create_subprocess_exec(
        *(*as_nobody(), str(installed.directory / "bin" / "shopbot"), "run", "--port", "0"),
        cwd=config,
        env={"PATH": os.environ["PATH"], **SECRETS, "STORE_URL": "embedded", "SHOPBOT_DATA_DIR": ""},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(_PATIENCE_SECONDS):
        said, _ = await process.communicate()

    assert process.returncode == 1
    assert f"cannot use {config / 'data'} as data_dir" in said.decode()
    assert f"user {NOBODY}" in said.decode()
    assert "Traceback" not in said.decode()
