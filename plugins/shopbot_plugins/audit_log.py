"""Keep a file with one JSON line per finished event.

    plugins:
      - use: audit_log
        file: audit.jsonl
        max_bytes: 10000000

`file` is a file name inside the data directory. Before it would grow beyond `max_bytes`, it becomes `FILE.1` (an
earlier one is replaced) and a new one is begun, so the two take up twice that much at most. A line holds the event, its
status, the order, the masked PSID and what each step ended with, but nothing of the messages' texts. Several worker
processes may share the file.

A crash right after an event may lose its line: the store's journal is the record. When a person's data are erased, the
lines about their orders and events go from both files.
"""

import asyncio
import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from shopbot.plugin import Context, Event, Field, PersonToErase, PluginConfig, Run, hookimpl, mask


class Config(PluginConfig):
    """What `use: audit_log` accepts."""

    file: str = Field(
        "audit.jsonl",
        strict=True,
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$",
        description="The file's name, inside the data directory.",
    )
    max_bytes: int = Field(10_000_000, ge=1_000, description="The size at which a new file is begun, in bytes.")


class Plugin:
    """Writes in a thread, one line at a time."""

    _path: Path

    def __init__(self, config: Config) -> None:
        self._file = config.file
        self._max_bytes = config.max_bytes
        self._lock = asyncio.Lock()

    @hookimpl
    async def start(self, context: Context) -> None:
        """See that the file can be written."""
        self._path = context.data_dir / self._file
        await asyncio.to_thread(self._append, b"")

    @hookimpl
    async def event_finished(self, event: Event, run: Run) -> None:
        """Append the event's line."""
        line = json.dumps(_entry(event, run), separators=(",", ":")).encode() + b"\n"
        async with self._lock:
            await asyncio.to_thread(self._append, line)

    @hookimpl
    async def erase_person(self, person: PersonToErase) -> None:
        """Take the person's lines out of both files."""
        async with self._lock:
            await asyncio.to_thread(self._erase, person)

    def _erase(self, person: PersonToErase) -> None:
        with _open(self._beside(".lock")) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for path in (self._path, self._beside(".1")):
                if not path.exists():
                    continue
                draft = self._beside(".draft")
                draft.unlink(missing_ok=True)  # of a process that died here
                with path.open("rb") as log, _open(draft) as kept:
                    kept.writelines(line for line in log if not _is_about(line, person))
                draft.replace(path)

    def _append(self, line: bytes) -> None:
        # The lock between processes is on a file of its own, because the log changes its name.
        with _open(self._beside(".lock")) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with _open(self._path) as log:
                full = log.tell() > 0 and log.tell() + len(line) > self._max_bytes
                if not full:
                    log.write(line)
                    return
            self._path.replace(self._beside(".1"))
            with _open(self._path) as log:
                log.write(line)

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(f"{self._path.name}{suffix}")


def _open(path: Path) -> BinaryIO:
    """Open a file to append to, for this user alone: it holds who bought when."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def _is_about(line: bytes, person: PersonToErase) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:  # a line that a crash has cut off, and perhaps another one behind it
        ids = (*map(str, person.order_ids), *person.event_ids)
        return person.everyone or any(known.encode() in line for known in ids)
    return person.everyone or entry["order_id"] in person.order_ids or entry["event"] in person.event_ids


def _entry(event: Event, run: Run) -> dict[str, Any]:
    at = datetime.now(UTC)
    return {
        "at": at.isoformat(timespec="milliseconds"),
        "event": event.id,
        "topic": event.topic,
        "source": event.source.value,
        "received_at": event.received_at.isoformat(timespec="milliseconds"),
        "seconds": round((at - event.received_at).total_seconds(), 3),
        "status": None if run.status is None else run.status.value,
        "attempt": run.attempt,
        "order_id": None if run.order is None else run.order.id,
        "order": None if run.order is None else run.order.name,
        "psid": None if run.psid is None else mask(run.psid),
        "steps": [
            {
                "attempt": step.attempt,
                "rule": step.rule,
                "step": step.step,
                "status": step.status.value,
                "reason": None if step.reason is None else step.reason.value,
                "plugin": step.plugin,
            }
            for step in run.journal
        ],
    }
