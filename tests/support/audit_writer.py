"""Writes audit lines, in this process or as another one: spawned processes import it by name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from shopbot.hooks import Hooks, PluginInstance
from shopbot.plugin import Context, SharedKeys
from shopbot.testing.contracts import SHOP, RecordingLog, a_finished_run, an_event
from shopbot_plugins import audit_log


async def write_lines(directory: Path, event_ids: list[str], *, max_bytes: int) -> None:
    """Run one instance, as one worker process has it."""
    plugin = audit_log.Plugin(audit_log.Config(max_bytes=max_bytes))
    hooks = Hooks([PluginInstance("plugins", 0, "audit_log", plugin)])
    store: Any = None
    context = Context(shop=SHOP, store=store, keys=SharedKeys(), ttl_seconds={}, data_dir=directory, log=RecordingLog())
    await hooks.start(lambda _: context)
    run = a_finished_run()
    await asyncio.gather(*(hooks.observers[0](an_event(event_id=event_id), run) for event_id in event_ids))
    await hooks.stop()


def write_in_a_process(directory: str, number: int) -> None:
    """Be one of several worker processes."""
    asyncio.run(write_lines(Path(directory), [f"webhook:{number}-{n}" for n in range(100)], max_bytes=60_000))
