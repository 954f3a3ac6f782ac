"""Everything that a store holds, key by key: what proves that nothing of somebody is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redis.asyncio import Redis

_READERS: Mapping[bytes, Callable[[Any, bytes], Any]] = {
    b"string": lambda pipeline, key: pipeline.get(key),
    b"hash": lambda pipeline, key: pipeline.hgetall(key),
    b"list": lambda pipeline, key: pipeline.lrange(key, 0, -1),
    b"set": lambda pipeline, key: pipeline.smembers(key),
    b"zset": lambda pipeline, key: pipeline.zrange(key, 0, -1, withscores=True),
    b"stream": lambda pipeline, key: pipeline.xrange(key),
}
"""How to read each type of key whole; a type that is not here is an error."""


async def contents(client: Redis) -> Mapping[str, str]:
    """Give every key of a store with all that is in it, written out."""
    keys = [key async for key in client.scan_iter(count=1_000)]
    async with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.type(key)
        kinds = await pipeline.execute()
        there = [(key, kind) for key, kind in zip(keys, kinds, strict=True) if kind != b"none"]
        for key, kind in there:
            _READERS[kind](pipeline, key)
        values = await pipeline.execute()
    return {key.decode(): repr(value) for (key, _), value in zip(there, values, strict=True)}


async def traces(client: Redis, secrets: Iterable[str]) -> list[str]:
    """Say where in a store any of some texts stands, in the name of a key or in a value."""
    wanted = list(secrets)
    assert all(len(text) > 3 for text in wanted), "too short to say anything"
    return [
        f"{text} in {key}"
        for key, value in (await contents(client)).items()
        for text in wanted
        if text in key or text in value
    ]


class Snapshot:
    """A store's contents, to be put back as often as a test needs them."""

    def __init__(self, dumps: Mapping[bytes, tuple[bytes, int]]) -> None:
        self._dumps = dumps

    @classmethod
    async def take(cls, client: Redis) -> Snapshot:
        """Remember what is there."""
        dumps: dict[bytes, tuple[bytes, int]] = {}
        async for key in client.scan_iter(count=1_000):
            dumps[key] = (await client.dump(key) or b"", max(0, await client.pttl(key)))
        return cls(dumps)

    async def put_back(self, client: Redis) -> None:
        """Make the store what it was."""
        async with client.pipeline(transaction=True) as pipeline:
            pipeline.flushall()
            for key, (value, life_ms) in self._dumps.items():
                pipeline.restore(key, life_ms, value)
            await pipeline.execute()
