"""One shop's runtime in one process: its store, plugins, inbox and worker, started and stopped in the right order."""

import asyncio
import os
import random
import secrets
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shopbot.hooks import Hooks, PluginInstance
from shopbot.host.blueprint import Blueprint
from shopbot.messages.dispatch import Dispatcher
from shopbot.messages.renderer import Renderer
from shopbot.model.shared_keys import SharedKeys
from shopbot.plugin import Context
from shopbot.rules.engine import Engine
from shopbot.rules.steps import Steps
from shopbot.rules.vouching import Vouching
from shopbot.store.claims import Claims
from shopbot.store.connection import connect, connect_blocking
from shopbot.store.errors import StoreError
from shopbot.store.inbox import Inbox
from shopbot.store.keys import Keys
from shopbot.store.queue import Queue
from shopbot.store.references import References
from shopbot.store.shoppers import Shoppers
from shopbot.worker import Worker


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"


class ShopHost:
    """One shop, live. `start`, then `run` until `stop`."""

    def __init__(
        self,
        blueprint: Blueprint,
        *,
        store_url: str,
        role: Role = Role.ALL,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Put the parts together; nothing is connected yet.

        store_url: where the store is, the embedded one included.
        clock: gives the time in UTC.
        """
        settings = blueprint.settings
        self.domain = settings.shop.domain
        self.hooks: Hooks = blueprint.hooks
        self._blueprint = blueprint
        self._role = role
        self._client: Redis = connect(store_url)
        self._blocking: Redis = connect_blocking(store_url)
        keys, shared = Keys(self.domain), SharedKeys()
        self._shared = shared
        ttl = settings.ttl
        journal_ttl_seconds = ttl.journal.total_seconds()
        order_ttl_seconds = ttl.order_reference.total_seconds()
        self.inbox = Inbox(self._client, keys, seen_ttl_seconds=ttl.webhook_id.total_seconds())
        claims = Claims(self._client, keys)
        references = References(self._client, shared, ttl_seconds=order_ttl_seconds)
        shoppers = Shoppers(self._client, keys, shared, remember_seconds=journal_ttl_seconds)
        dispatcher = Dispatcher(
            renderer=Renderer(blueprint.messages, blueprint.sandbox, blueprint.shop, blueprint.calendar),
            senders=self.hooks.senders,
            claims=claims,
            references=references,
            clock=clock,
        )
        engine = Engine(
            rules=blueprint.rules,
            steps=Steps(
                hooks=self.hooks,
                shoppers=shoppers,
                vouching=Vouching(shoppers),
                references=references,
                dispatcher=dispatcher,
                order_ttl_seconds=order_ttl_seconds,
                event_ttl_seconds=journal_ttl_seconds,
            ),
            claims=claims,
            backoff=blueprint.backoff,
            clock=clock,
            chance=random.Random(),  # noqa: S311 - spreads retries, guards nothing
        )
        consumer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._worker = Worker(
            queue=Queue(self._client, self._blocking, keys, consumer=consumer, journal_ttl_seconds=journal_ttl_seconds),
            engine=engine,
            hooks=self.hooks,
            clock=clock,
            concurrency=settings.worker.concurrency,
        )
        self._working: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reach the store, start the plugins, open the inbox, begin to work.

        Raises:
            StoreError: the store cannot be reached.
            PluginError: a plugin could not start; its place in shopbot.yaml is named.
        """
        problem = await self.store_problem()
        if problem is not None:
            await self._close()
            raise StoreError(problem)
        try:
            await self.hooks.start(self._context)
        except BaseException:
            await self._close()
            raise
        self.inbox.start()
        if self._role is not Role.WEB:
            self._working = asyncio.create_task(self._worker.run(), name=f"worker {self.domain}")

    async def run(self) -> None:
        """Wait; ends with an exception when the worker dies of a fault, and else when `stop` was called."""
        if self._working is not None:
            await asyncio.shield(self._working)

    async def stop(self) -> None:
        """Write what was taken in, settle what is in hand, stop the plugins, leave the store."""
        await self.inbox.stop()
        self._worker.stop()
        if self._working is not None:
            await asyncio.wait([self._working])
        await self.hooks.stop()
        await self._close()

    async def store_problem(self) -> str | None:
        """Say why the store cannot be used now; None when it answers."""
        try:
            await self._client.ping()
        except (RedisError, OSError) as error:
            return f"the store does not answer: {error}"
        return None

    async def worker_problem(self) -> str | None:
        """Say why no events are worked on in this process; None when they are, or are not meant to be."""
        if self._working is not None and self._working.done():
            return "the worker has stopped"
        return None

    def _context(self, instance: PluginInstance) -> Context:
        settings = self._blueprint.settings
        data_dir = Path(self._blueprint.data_dir)
        data_dir.mkdir(parents=True, exist_ok=True)
        return Context(
            shop=self._blueprint.shop,
            store=self._client,
            keys=self._shared,
            ttl_seconds={name: value.total_seconds() for name, value in settings.ttl},
            data_dir=data_dir,
            log=structlog.get_logger("shopbot.plugins").bind(plugin=instance.place),
        )

    async def _close(self) -> None:
        await self._client.aclose()
        await self._blocking.aclose()
