"""Changes of the configuration of a running host, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.eventually import eventually
from support.host_process import STEADY_CONFIG, HostProcess

_LIMIT_SECONDS = 150.0
"""Far more than a reload takes, for machines with much else to do."""


def saying(text: str, *, more: str = "") -> str:
    """Give a configuration whose confirmation has this text."""
    return STEADY_CONFIG.replace("text: order_confirmation.txt.j2", f"text: {text!r}") + more


def save(path: Path, text: str) -> None:
    """Save a file as careful editors do: another file is written whole, and takes its place."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


async def logged(host: HostProcess, event: str, count: int = 1) -> dict[str, Any]:
    """Wait until the host has logged an event so many times; gives the latest line."""

    async def look() -> dict[str, Any] | None:
        lines = host.log(event)
        return lines[-1] if len(lines) >= count else None

    try:
        line = await eventually(look, f"{event} is logged {count} times", limit_seconds=_LIMIT_SECONDS)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{host.log_file.read_text()}") from error
    assert line is not None
    return line


async def readiness(host: HostProcess) -> tuple[int, dict[str, Any]]:
    """Ask whether the host is ready; gives the status, and what it says of its one configuration."""
    response = await host.http.get("/readyz")
    (config,) = response.json()["config"].values()
    return response.status_code, config
