"""`shopbot demo`: what a merchant sees who has no account anywhere."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from pathlib import Path

import httpx

_PATIENCE_SECONDS = 60.0


async def test_the_demo_shows_one_confirmation_and_every_silence_and_takes_one_s_own_order(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shopbot", "demo", "--serve"),
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "100", "TMPDIR": str(tmp_path)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            shown, curl = await _until_curl(process)
            answer = await _carried_out(curl)
            process.send_signal(signal.SIGINT)
            rest, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    for expected in (
        "Order confirmed!",
        "note_attributes",
        "(promised: 3 s)",
        "order #1234 can be tracked for 365 days",
        "no message: ALREADY_CONFIRMED, 1 repetition dropped at the door",
        "no message: NOT_PAID",
        "answered 403, nothing stored",
        "one order, one confirmation.",
    ):
        assert expected in shown
    assert shown.count("Order confirmed!") == 1
    assert answer == httpx.codes.OK
    assert rest.decode().strip() == "stopped"
    assert errors == b""
    assert process.returncode == 0
    assert _names(tmp_path) == []


async def _until_curl(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """Read what is shown, and the line that sends another order."""
    assert process.stdout is not None
    shown = ""
    while line := (await process.stdout.readline()).decode():
        if line.startswith("curl "):
            return shown, line
        shown += line
    raise AssertionError(f"the demo has ended: {shown}")


async def _carried_out(curl: str) -> int:
    """Do what the line says."""
    url, headers, body = _order_of(curl)
    async with httpx.AsyncClient(timeout=30.0) as client:
        return (await client.post(url, content=body, headers=headers)).status_code


def _order_of(curl: str) -> tuple[str, dict[str, str], bytes]:
    words = shlex.split(curl)
    headers = dict(words[n + 1].split(": ", 1) for n, word in enumerate(words) if word == "-H")
    return words[-1], headers, Path(words[words.index("--data-binary") + 1].removeprefix("@")).read_bytes()


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]
