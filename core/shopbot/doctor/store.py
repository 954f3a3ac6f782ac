"""Looks at the store: whether it answers, keeps its word, has room, and agrees about the time."""

from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shopbot.model.finding import Finding, clock_finding
from shopbot.store.durability import Weakness, examine
from shopbot.store.keys import Keys

AREA = "store"

_WARNING_SHARE = 0.75
_PROBLEM_SHARE = 0.9
"""Of the memory that the server may use."""
_MEGABYTE = 1024 * 1024


class StoreCheck:
    """One shop's store, by a client that is open."""

    def __init__(self, client: Redis, keys: Keys, *, strict: bool) -> None:
        """Prepare.

        strict: whether `durability: strict` has the host refuse a store that is known to lose events.
        """
        self._client = client
        self._keys = keys
        self._strict = strict

    async def look(self) -> AsyncGenerator[Finding, None]:
        """Say how the store fares.

        Raises:
            RedisError, OSError: it is away.
        """
        seconds, microseconds = await self._client.time()
        now = datetime.now(UTC)
        info = await self._info()
        known = await examine(self._client, self._keys)
        for loss in known.losses:
            yield self._loss(loss)
        for weakness in known.warnings:
            yield Finding.warning(weakness.what, meaning=weakness.loss, to_do=weakness.fix, area=AREA)
        if not known.texts:
            yield Finding.ok(f"{_server(info)} keeps every write on disk before it answers", area=AREA)
        memory = _memory(info)
        if memory is not None:
            yield memory
        yield clock_finding("the store", (now.timestamp() - seconds) - microseconds / 1e6)

    def _loss(self, loss: Weakness) -> Finding:
        if self._strict:
            meaning = f"{loss.loss}; by `durability: strict` the host does not start on such a store"
            return Finding.problem(loss.what, meaning=meaning, to_do=loss.fix, area=AREA)
        meaning = f"{loss.loss}; `durability: relaxed` accepts that"
        return Finding.warning(loss.what, meaning=meaning, to_do=loss.fix, area=AREA)

    async def _info(self) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = await self._client.info()
        except ResponseError:  # not permitted; the examination says so
            return {}
        return found


def _server(info: Mapping[str, Any]) -> str:
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}" if "redis_version" in info else "the store"


def _memory(info: Mapping[str, Any]) -> Finding | None:
    """Judge how full the server is; None where it has no limit, or does not tell."""
    used, limit = info.get("used_memory"), info.get("maxmemory")
    if not isinstance(used, int) or not isinstance(limit, int) or limit <= 0:
        return None
    what = f"uses {used // _MEGABYTE} MB of the {limit // _MEGABYTE} MB that it may"
    if used < _WARNING_SHARE * limit:
        return Finding.ok(what, area=AREA)
    kind = Finding.problem if used >= _PROBLEM_SHARE * limit else Finding.warning
    return kind(
        f"the store {what}",
        meaning="once it is full it refuses writes: webhooks are answered 503, and no message is sent",
        to_do="raise `maxmemory`, or keep less: shorter `ttl:` for journals and references, and shopbot dead purge",
        area=AREA,
    )
