"""Copies the embedded store while it goes on working, and shows that the copy can be loaded.

The server appends to its log and, now and then, writes it anew: then it names other files in its manifest and deletes
those before. So a copy is whole when the manifest says the same after it as before it; what was appended meanwhile is
in it or not, as it would be after a power failure at that moment.
https://valkey.io/topics/persistence/#backing-up-valkey-data
"""

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import redis

from shopbot.store.embedded import EmbeddedServer
from shopbot.store.errors import StoreError
from shopbot.store.shared_connection import ANSWER_TIME_LIMIT_SECONDS

_LOG_DIRECTORY = "appendonlydir"
_MANIFEST = "appendonly.aof.manifest"
_SINGLE_LOG = "appendonly.aof"
"""Where Redis before 7 keeps all of it. It replaces the file and never shortens it: whoever has it open can read on."""

_ATTEMPTS = 10
_PAUSE_SECONDS = 0.5
_UNFINISHED = ".unfinished"
_OF_A_RUN = ("lock", "valkey.log", "valkey.sock", "cut-short-*")
"""What a server leaves beside its log when the copy is tried."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that can take the place of the data directory."""

    directory: Path
    size_bytes: int
    keys: int | None
    """How many keys a server has loaded from it; None where it was not tried."""


def back_up(data_dir: Path, target: Path, *, prove: bool = True) -> Backup:
    """Copy the store of *data_dir*, whose server may be running, to *target*.

    target: a directory that does not exist; it appears once the copy is whole. For this user alone.
    prove: start a server on the copy, which takes as much memory as the store has data, and count its keys.

    Raises:
        StoreError: there is no store, the target is taken or cannot be written, or the copy cannot be loaded.
    """
    if target.exists():
        raise StoreError(
            f"{target} is there already; name a directory that is not, such as one with the date in its name"
        )
    unfinished = target.with_name(target.name + _UNFINISHED)
    try:
        shutil.rmtree(unfinished, ignore_errors=True)  # of a run that was cut off
        unfinished.mkdir(mode=0o700, parents=True)
        try:
            size_bytes = _copy(data_dir, unfinished)
            keys = _prove(unfinished) if prove else None
            unfinished.rename(target)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    except OSError as error:
        raise StoreError(f"cannot copy {data_dir} to {target}: {error}") from error
    return Backup(target, size_bytes, keys)


def _copy(data_dir: Path, target: Path) -> int:
    """Copy the log; gives its size in bytes."""
    single, manifest = data_dir / _SINGLE_LOG, data_dir / _LOG_DIRECTORY / _MANIFEST
    if single.exists():
        return _copy_file(single, target / _SINGLE_LOG)
    if not manifest.exists():
        raise StoreError(
            f"{data_dir} holds no store: nothing has been kept there yet, or data_dir is another directory"
        )
    for _ in range(_ATTEMPTS):
        before = manifest.read_bytes()
        copy = target / _LOG_DIRECTORY
        copy.mkdir(mode=0o700)
        with suppress(FileNotFoundError):  # deleted meanwhile: then the manifest is another, too
            names = [*_files(before), _MANIFEST]
            size_bytes = sum(_copy_file(manifest.with_name(name), copy / name) for name in names)
            if manifest.read_bytes() == before == (copy / _MANIFEST).read_bytes():
                return size_bytes
        shutil.rmtree(copy)
        time.sleep(_PAUSE_SECONDS)
    raise StoreError(f"the store in {data_dir} wrote its log anew during each of {_ATTEMPTS} copies; try again later")


def _files(manifest: bytes) -> Sequence[str]:
    """Name the files of a manifest, whose lines are `file NAME seq N type b`; those of type `h` are being deleted."""
    lines = [line.split() for line in manifest.decode().splitlines() if line.startswith("file ")]
    return [line[1] for line in lines if line[line.index("type") + 1] != "h"]


def _copy_file(source: Path, target: Path) -> int:
    with source.open("rb") as reading, open(target, "xb", opener=_private) as writing:
        shutil.copyfileobj(reading, writing)
        writing.flush()
        os.fsync(writing.fileno())
        return writing.tell()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _prove(directory: Path) -> int:
    """Load the copy and count its keys; what the server leaves there is taken away."""
    try:
        with (
            EmbeddedServer(directory) as server,
            redis.Redis.from_url(server.url, socket_timeout=ANSWER_TIME_LIMIT_SECONDS) as client,
        ):
            keys = client.dbsize()
    except (StoreError, redis.RedisError) as error:
        raise StoreError(f"the copy cannot be loaded, so nothing was kept: {error}") from error
    for pattern in _OF_A_RUN:
        for path in directory.glob(pattern):
            path.unlink()
    return int(keys)
