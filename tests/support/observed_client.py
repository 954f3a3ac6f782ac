"""A store's client that tells of every round trip before it makes it, and may be kept from making it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline

Commands = Sequence[tuple[Any, ...]]
Watch = Callable[[Commands], None]
"""Gets the commands of one round trip; what it raises comes out, and nothing is sent."""


class DiedError(Exception):
    """The process has ended here. Nothing in the host knows this error, so nothing goes on after it."""


def dies_after(round_trips: int) -> Watch:
    """Let so many round trips through."""
    left = round_trips

    def watch(_: Commands) -> None:
        nonlocal left
        if left <= 0:
            raise DiedError
        left -= 1

    return watch


class ObservedClient(Redis):
    """A client like any other."""

    _watch: Watch

    @classmethod
    def of(cls, url: str, watch: Watch) -> ObservedClient:
        """Connect to a store."""
        client = cls.from_pool(ConnectionPool.from_url(url))
        assert isinstance(client, cls)
        client._watch = watch
        return client

    async def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - redis-py's own
        """Carry out a command."""
        self._watch([args])
        return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call] # redis-py's

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: FBT001, FBT002
        """Give a pipeline, whose commands are one round trip."""
        made = _ObservedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        made.watch_it = self._watch
        return made


class _ObservedPipeline(Pipeline):
    watch_it: Watch

    async def execute(self, raise_on_error: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - redis-py's own
        self.watch_it([command for command, _ in self.command_stack])
        return await super().execute(raise_on_error)
