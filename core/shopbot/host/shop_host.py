"""One shop's runtime in one process: its store, plugins, inbox and worker, started and stopped in the right order."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shopbot.config.topics import KNOWN_TOPICS
from shopbot.hooks import Hooks
from shopbot.host.blueprint import Blueprint
from shopbot.host.checkout_parts import CheckoutParts
from shopbot.host.durability_watch import DurabilityWatch
from shopbot.host.plugin_context import plugin_context
from shopbot.host.pollers import Pollers, poller_parts
from shopbot.host.privacy_parts import PrivacyParts
from shopbot.host.process_name import ProcessName
from shopbot.host.retention import Retention
from shopbot.messages.dispatch import Dispatcher
from shopbot.messages.doubt import Doubt, DoubtPolicy
from shopbot.messages.gate import Gate
from shopbot.messages.mode import WindowPolicy
from shopbot.messages.renderer import Renderer
from shopbot.metrics import Metrics, ShopMetrics
from shopbot.model.config_state import ConfigState
from shopbot.model.request import Origin
from shopbot.model.shared_keys import SharedKeys
from shopbot.polling import end
from shopbot.rules.engine import Engine
from shopbot.rules.redaction import Redaction
from shopbot.rules.steps import Steps
from shopbot.rules.talk import Talk
from shopbot.rules.track_order import UpdateOrderReference
from shopbot.rules.vouching import Vouching
from shopbot.store.channels import Channels
from shopbot.store.claims import Claims
from shopbot.store.connection import connect, connect_blocking
from shopbot.store.conversations import Conversations
from shopbot.store.dead_letters import DeadLetters
from shopbot.store.echoes import Echoes
from shopbot.store.errors import StoreError
from shopbot.store.gauges import Gauges
from shopbot.store.inbox import Inbox
from shopbot.store.keys import Keys
from shopbot.store.queue import Queue
from shopbot.store.references import References
from shopbot.store.shoppers import Shoppers
from shopbot.web.probe import KEPT_TOPIC
from shopbot.worker import Worker

_BETWEEN_TRIES_SECONDS = 1.0
"""How long an event that finds out whether a channel works again has for its turn, before the next one comes."""


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"


class ShopHost:
    """One shop, live. `start` (or `prepare` and then `begin`), then `run` until `stop`."""

    def __init__(
        self,
        blueprint: Blueprint,
        *,
        store_url: str,
        role: Role = Role.ALL,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        metrics: Metrics | None = None,
        name: ProcessName | None = None,
        config: Callable[[], ConfigState] = ConfigState,
    ) -> None:
        """Put the parts together; nothing is connected yet.

        store_url: where the store is, the embedded one included.
        clock: gives the time in UTC.
        metrics: the process's, to count in; None counts for nobody.
        name: the process's, as the supervisor gave it; None makes one.
        config: says what became of changes of the shop's configuration; may read a file.
        """
        settings = blueprint.settings
        self.domain = settings.shop.domain
        self.hooks: Hooks = blueprint.hooks
        self.config = config
        self._blueprint = blueprint
        self._role = role
        self._client: Redis = connect(store_url)
        # A webhook's answer must not wait behind the workers' commands, nor they behind the bodies of a flood.
        self._arrivals: Redis = connect(store_url, max_connections=2)
        self._blocking: Redis = connect_blocking(store_url)
        keys, shared = Keys(self.domain), SharedKeys(settings.shop.key_prefix)
        ttl = settings.ttl
        journal_ttl_seconds = ttl.journal.total_seconds()
        order_ttl_seconds = ttl.order_reference.total_seconds()
        topics = KNOWN_TOPICS.union({KEPT_TOPIC}, *(rule.topics for rule in blueprint.rules))
        counted = ShopMetrics(metrics or Metrics(), self.domain, topics)
        self.inbox = Inbox(self._arrivals, keys, seen_ttl_seconds=ttl.webhook_id.total_seconds(), metrics=counted)
        self._durability = DurabilityWatch(self._client, keys, self.inbox, strict=settings.durability == "strict")
        self.durability_problem = self._durability.problem
        self.durability_warnings = self._durability.warnings
        claims = Claims(self._client, keys, line_ttl_seconds=journal_ttl_seconds)
        self.echoes = Echoes(self._client, keys)
        self._channels = Channels(self._client, keys)
        self._gates = [Gate(sender.instance.channel, self._channels, clock) for sender in self.hooks.senders]
        pages = [gate.name.removeprefix("messenger:") for gate in self._gates if gate.name.startswith("messenger:")]
        self.page_ids = frozenset(pages)
        self.clock = clock
        references = References(self._client, keys, shared, ttl_seconds=order_ttl_seconds)
        shoppers = Shoppers(self._client, keys, shared, remember_seconds=order_ttl_seconds)
        self.conversations = Conversations(
            self._client, keys, release_within=settings.window.release, keep=ttl.conversation
        )
        self.pollers = Pollers(poller_parts(blueprint, self._client, self.inbox, clock), clock)
        self._privacy = PrivacyParts(settings, self.hooks, self._client, self.conversations, clock)
        checkout = CheckoutParts(settings, self.hooks, self._client, shared, pages, clock)
        self.api = checkout.api
        dispatcher = Dispatcher(
            renderer=Renderer(blueprint.messages, blueprint.sandbox, blueprint.shop, blueprint.calendar),
            senders=list(zip(self.hooks.senders, self._gates, strict=True)),
            claims=claims,
            doubt=Doubt(
                claims=claims,
                echoes=self.echoes,
                policy=DoubtPolicy(settings.in_doubt.deadline, settings.in_doubt.resend),
                clock=clock,
            ),
            conversations=self.conversations,
            references=references,
            clock=clock,
            window=WindowPolicy(settings.window.length, settings.window.margin),
            windows_knowable=lambda: self.hooks.judges(Origin.MESSENGER),
            metrics=counted,
        )
        engine = Engine(
            rules=blueprint.rules,
            steps=Steps(
                hooks=self.hooks,
                shoppers=shoppers,
                vouching=Vouching(shoppers, checkout.signed, clock),
                references=references,
                dispatcher=dispatcher,
                note_checkout=checkout.note,
                talk=Talk(references, self.conversations),
                update_order_reference=UpdateOrderReference(references, shoppers),
                compliance=self._privacy.compliance([part.state for part in self.pollers.parts]).steps,
                order_ttl_seconds=order_ttl_seconds,
                event_ttl_seconds=journal_ttl_seconds,
            ),
            claims=claims,
            conversations=self.conversations,
            redaction=Redaction(self._privacy.erased),
            backoff=blueprint.backoff,
            clock=clock,
            chance=random.Random(),  # noqa: S311 - spreads retries, guards nothing
        )
        process = name or ProcessName()
        self._worker = Worker(
            queue=Queue(
                self._client,
                self._blocking,
                keys,
                consumer=str(process),
                journal_ttl_seconds=journal_ttl_seconds,
                lease_seconds=settings.worker.lease.total_seconds(),
            ),
            engine=engine,
            hooks=self.hooks,
            clock=clock,
            concurrency=settings.worker.concurrency,
            unpark=self._unpark,
            gone=process.has_outlived,
            metrics=counted,
        )
        self.gauges = Gauges(
            self._client,
            keys,
            channels=[gate.name for gate in self._gates],
            pollers=[part.state.name for part in self.pollers.parts],
        )
        self._retention = Retention(
            self._privacy.files,
            DeadLetters(self._client, keys, journal_ttl_seconds=journal_ttl_seconds),
            dead_letter=ttl.dead_letter,
            log_rewrite=self._privacy.log_rewrite,
            clock=clock,
        )
        self._working: asyncio.Task[None] | None = None
        self._beside: list[asyncio.Task[None]] = []
        """What runs beside the worker: pollers, and what keeps to `ttl:`."""
        self._owning_up: asyncio.Task[None] | None = None
        self._tried = datetime.min.replace(tzinfo=UTC)

    async def start(self) -> None:
        """Reach the store, start the plugins, open the inbox, begin to work. Raises as `prepare` does."""
        await self.prepare()
        await self.begin()

    async def prepare(self) -> None:
        """Do all that can fail, and nothing that others would notice: reach the store, start the plugins.

        Raises:
            StoreError: the store cannot be reached, or is known to lose data and `durability:` does not allow it.
            PluginError: a plugin could not start; its place in shopbot.yaml is named.
        """
        problem = await self.store_problem()
        if problem is not None:
            await self._close()
            raise StoreError(problem)
        try:
            await self._durability.begin()
            await self.hooks.start(partial(plugin_context, self._blueprint, self._client))
        except BaseException:
            await self._close()
            raise

    async def begin(self, *, joins: bool = False) -> None:
        """Open the inbox and begin to work, once prepared.

        joins: whether others took this shop's webhooks until now, so that no echo can have been lost.
        """
        for gate in self._gates:
            # This start may have brought a new token.
            await self._channels.probe_soon(gate.name)
        if self._role is not Role.WORKER and not joins:
            await self.echoes.listening(self.clock())
        self._owning_up = asyncio.create_task(self.echoes.keep_owning_up(self.clock), name=f"echoes {self.domain}")
        self.inbox.start()
        if self._role is not Role.WEB:
            self._working = asyncio.create_task(self._worker.run(), name=f"worker {self.domain}")
            retaining = asyncio.create_task(self._retention.run(), name=f"retention {self.domain}")
            self._beside = [*self.pollers.start(), retaining]
        self.pollers.watch()

    async def run(self) -> None:
        """Wait; ends with an exception when the worker or its like dies of a fault, else when `stop` was called."""
        if self._working is not None:
            done, _ = await asyncio.wait([self._working, *self._beside], return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()

    async def work_off(self) -> None:
        """Work on all that is due by the clock, and return: for a host whose role has no worker of its own.

        Raises:
            StoreError, RedisError, OSError: the store went away.
        """
        await self._worker.work_off()

    async def retire(self) -> None:
        """Begin nothing new, and return once that is certain.

        What is in hand is seen through, and arrivals are still kept, until `stop`.
        """
        self.pollers.stop()
        self._retention.stop()
        if self._working is not None:
            retiring = asyncio.create_task(self._worker.retire(), name=f"retire {self.domain}")
            await asyncio.wait([retiring, self._working], return_when=asyncio.FIRST_COMPLETED)
            await end([retiring])

    async def stop(self) -> None:
        """Write what was taken in, settle what is in hand, stop the plugins, leave the store."""
        self.pollers.stop()
        self._retention.stop()
        if self._beside:
            await asyncio.wait(self._beside)
        await self.inbox.stop()
        self._worker.stop()
        if self._working is not None:
            await asyncio.wait([self._working])
        if self._owning_up is not None:
            await end([self._owning_up])
        with contextlib.suppress(RedisError, OSError):  # then nobody can be told
            await self.echoes.own_up(self.clock())
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

    async def channel_problem(self) -> str | None:
        """Say which channel lets nothing through and why; None when all are open."""
        for gate in self._gates:
            try:
                closure = await self._channels.closure(gate.name, self.clock())
            except (RedisError, OSError) as error:
                return f"the store does not answer: {error}"
            if closure is not None:
                until = f" until {closure.until.isoformat()}" if closure.until else ""
                return f"{gate.name} is {closure.state}{until}: {closure.reason}"
        return None

    async def store_warnings(self) -> Sequence[str]:
        """Say how the store could lose data."""
        return self.durability_warnings()

    async def app_warnings(self) -> Sequence[str]:
        """Say that the app was uninstalled, as far as is known; nothing while the store is away."""
        try:
            since = await self._privacy.uninstalled_since([part.state for part in self.pollers.parts])
        except (RedisError, OSError):
            return ()
        if since is None:
            return ()
        what_to_do = "to go on, install it again and give the host its new tokens"
        when = since.isoformat(timespec="seconds")
        return [f"the app was uninstalled at {when}: no orders come any more, and its tokens are dead; {what_to_do}"]

    async def poller_problem(self) -> str | None:
        """Say which poller has not succeeded for too long; None when lost webhooks are being made good."""
        return await self.pollers.problem()

    async def _unpark(self, queue: Queue) -> None:
        """Bring back events that waited for a channel; one now and then, while it is down, to try it."""
        closures = [await self._channels.closure(gate.name, self.clock()) for gate in self._gates]
        if not any(closures):
            await queue.unpark()
            return
        now = self.clock()
        due = any(closure is not None and closure.may_be_tried(now) for closure in closures)
        # Soon again, if it must be: the turn may have gone to a message that could not be sent for another reason.
        if due and abs((now - self._tried).total_seconds()) > _BETWEEN_TRIES_SECONDS:
            self._tried = now
            await queue.unpark(1)

    async def _close(self) -> None:
        await self._durability.end()
        await self._arrivals.aclose()
        await self._client.aclose()
        await self._blocking.aclose()
