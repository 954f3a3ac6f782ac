"""Whether the store can keep its word: that what it has acknowledged is not lost."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shopbot.store.keys import Keys

OLDEST_VERSION = (6, 2)
"""The oldest Redis that shopbot is made for; no Valkey is older than 7.2."""

FSYNC_WAIT_SECONDS = 3.0
"""How long a webhook's answer may wait for the fsync; platforms give up after 5 s. With `appendfsync everysec` a server
makes it within 1 s, with WAITAOF mostly at once."""

_PROBE_TTL_MS = 60_000
_AMONG_OTHERS = "acknowledged events and the record of what was sent among them"


@dataclass(frozen=True, slots=True)
class Weakness:
    """One way in which the store may not keep its word."""

    what: str
    """How the store is set up: "the store keeps no append-only file"."""
    loss: str
    """What can be lost by it, and when."""
    fix: str
    """What to do."""

    def __str__(self) -> str:
        return f"{self.what}: {self.loss}; {self.fix}"


_NOT_INFORMED = Weakness(
    "the store's user may not call INFO",
    "whether it keeps an append-only file and never deletes data to save memory could not be checked",
    "allow it (`ACL SETUSER … +info`)",
)
_NO_FILE = Weakness(
    "the store keeps no append-only file",
    f"its next restart loses everything since its last snapshot, {_AMONG_OTHERS}",
    "set `appendonly yes`",
)
_NO_FSYNC = Weakness(
    "the store leaves it to the system when writes reach the disk (`appendfsync no`)",
    f"a power failure loses about 30 s, {_AMONG_OTHERS}",
    "set `appendfsync always`",
)
_NOT_CONFIRMED = Weakness(
    f"the store did not confirm an fsync within {FSYNC_WAIT_SECONDS:g} s",
    f"a power failure may lose everything since the last one, {_AMONG_OTHERS}",
    "set `appendfsync always`",
)


class _Answer(Enum):
    """What the server says to WAITAOF."""

    CONFIRMED = auto()
    NOT_CONFIRMED = auto()
    NO_FILE = auto()
    NO_SUCH_COMMAND = auto()


@dataclass(frozen=True, slots=True)
class Durability:
    """What is known of the store's promises."""

    losses: tuple[Weakness, ...] = ()
    """Ways in which it is known to lose what it has acknowledged."""
    warnings: tuple[Weakness, ...] = ()
    """What remains to be known: the loss is small and rare, or could not be looked into."""
    reports_fsync: bool = False
    """Whether a write that was acknowledged may not be on disk, and WAITAOF says when it is."""

    @property
    def texts(self) -> tuple[str, ...]:
        """All of it. Every text names what can be lost, when, and what to do."""
        return tuple(map(str, (*self.losses, *self.warnings)))


async def examine(client: Redis, keys: Keys) -> Durability:
    """Look at the server's settings, and try what they do not tell.

    Raises:
        RedisError, OSError: the store is away, or refuses writes.
    """
    info = await _permitted(client.info())
    settings = await _permitted(client.config_get("*appendfsync*"))
    found = [_too_old(info or {}), _evicts(info or {}), await _sharded(client, info or {})]
    warnings = [] if info is not None else [_NOT_INFORMED]
    fsync = _text(settings, "appendfsync")
    answer = None
    if _number(info or {}, "aof_enabled") == 0:
        found.append(_NO_FILE)
    elif fsync == "no":
        found.append(_NO_FSYNC)
    elif fsync != "always" or _text(settings, "no-appendfsync-on-rewrite") == "yes":
        answer = await _ask_for_fsync(client, keys)
        match answer:
            case _Answer.NO_FILE:
                found.append(_NO_FILE)
            case _Answer.NOT_CONFIRMED:
                found.append(_NOT_CONFIRMED)
            case _:
                warnings.append(_remainder(fsync, waits=answer is _Answer.CONFIRMED))
    return Durability(
        losses=tuple(loss for loss in found if loss is not None),
        warnings=tuple(warnings),
        reports_fsync=answer is _Answer.CONFIRMED,
    )


def _too_old(info: Mapping[str, Any]) -> Weakness | None:
    version = str(info.get("redis_version", ""))
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) >= OLDEST_VERSION:
        return None
    wanted = ".".join(map(str, OLDEST_VERSION))
    return Weakness(
        f"the store is Redis {version}, older than {wanted}",
        "commands that keep events from being lost may be missing or behave differently",
        "upgrade it, or use Valkey",
    )


def _evicts(info: Mapping[str, Any]) -> Weakness | None:
    policy, limit = str(info.get("maxmemory_policy", "noeviction")), _number(info, "maxmemory")
    if policy == "noeviction" or limit == 0:
        return None
    return Weakness(
        f"the store deletes data when its memory is full (`maxmemory-policy {policy}`)",
        f"anything can be gone then, {_AMONG_OTHERS}",
        "set `maxmemory-policy noeviction`, so that it refuses writes in place of that, and webhooks are sent again",
    )


async def _sharded(client: Redis, info: Mapping[str, Any]) -> Weakness | None:
    """See whether a shop's keys lie on several servers: the internal ones have one hash slot, the shared ones many."""
    if not _number(info, "cluster_enabled"):
        return None
    shards = (await _permitted(client.cluster("INFO")) or {}).get("cluster_size", "1")
    if int(shards) <= 1:
        return None
    return Weakness(
        f"the store is a cluster of {shards} shards, and a shop's keys must all lie on one server",
        "carts and order references that lie on another shard can be neither read nor written",
        "use a server that is no cluster, or a cluster of one shard; several shops share the load with a server each",
    )


def _remainder(fsync: str, *, waits: bool) -> Weakness:
    """Say what is left to be lost where the server does not fsync before it acknowledges."""
    why = {
        "everysec": "the store writes to disk once a second (`appendfsync everysec`)",
        "always": "the store does not fsync while it rewrites its append-only file (`no-appendfsync-on-rewrite yes`)",
    }.get(fsync, "how often the store writes to disk could not be checked, because its user may not call CONFIG GET")
    how = "set `appendfsync always` and `no-appendfsync-on-rewrite no`"
    if waits:
        return Weakness(
            why,
            "a power failure can make it forget the last messages that were sent, and they would go out again (webhooks"
            " are answered only when their events are on disk, by `durability: strict`)",
            how,
        )
    return Weakness(
        f"{why}, and it cannot say when (no WAITAOF before Redis and Valkey 7.2)",
        f"a power failure can lose the last second or two, {_AMONG_OTHERS}",
        f"{how}, or upgrade it",
    )


async def _ask_for_fsync(client: Redis, keys: Keys) -> _Answer:
    """Write something and wait for its fsync."""
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.set(keys.fsync_probe, "1", px=_PROBE_TTL_MS)
        pipeline.waitaof(1, 0, int(FSYNC_WAIT_SECONDS * 1000))
        written, answer = await pipeline.execute(raise_on_error=False)
    if isinstance(written, Exception):
        raise written
    if isinstance(answer, ResponseError):
        # "WAITAOF cannot be used when numlocal is set but appendonly is disabled."
        return _Answer.NO_FILE if "appendonly is disabled" in str(answer) else _Answer.NO_SUCH_COMMAND
    if isinstance(answer, Exception):
        raise answer
    return _Answer.CONFIRMED if answer[0] else _Answer.NOT_CONFIRMED


async def _permitted(asked: Any) -> Mapping[str, Any] | None:  # noqa: ANN401 - redis-py types its answers loosely
    try:
        answer: Mapping[str, Any] = await asked
    except ResponseError:  # not permitted, or renamed away as managed services do
        return None
    return answer


def _text(settings: Mapping[Any, Any] | None, name: str) -> str:
    """Read a setting, whose name and value come as text or bytes; empty where it is not known."""
    found = (settings or {}).get(name) or (settings or {}).get(name.encode()) or ""
    return found.decode() if isinstance(found, bytes) else str(found)


def _number(info: Mapping[str, Any], name: str) -> int | None:
    value = info.get(name)
    return value if isinstance(value, int) else None
