"""The attack on one shop: orders come in, something is killed, everything is brought up again; over and over."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.crash.host_process import kill
from benchmarks.crash.page import CallTrap
from benchmarks.crash.points import POINTS, Point, Target, targets_of
from benchmarks.crash.shop import DEADLINE_SECONDS, Shop
from benchmarks.crash.shopify import SentOrder
from benchmarks.crash.store_proxy import Command, Trap
from benchmarks.crash.tally import Tally

from shopbot.testing.messenger_faults import Fault

KILLS_PER_HOST = 7
"""Then the whole host is killed: its supervisor waits ever longer before it starts processes that keep dying."""
WORKER_KILLS_PER_HOST = 3
_SPRING_SECONDS = 3.0
_MOMENT_SECONDS = 0.25
_WATCH_SECONDS = 0.2
_REPLAY_EVERY = 60
"""Kills between two runs of `shopbot dead replay`."""
_IDLE_SECONDS = 120.0


@dataclass(slots=True)
class Budget:
    """How many kills are still to come, over all shops."""

    kills: int
    killed: Callable[[int], None] = lambda _left: None
    """Called after each kill with what is left."""

    def spend(self) -> None:
        """Count a kill."""
        self.kills -= 1
        self.killed(self.kills)


@dataclass(slots=True)
class Attack:
    """One shop's part."""

    shop: Shop
    budget: Budget
    chance: random.Random
    tally: Tally = field(default_factory=Tally)
    _rounds: list[tuple[Point, Sequence[SentOrder]]] = field(default_factory=list)
    _restarting: bool = False
    _since_replay: int = 0

    async def run(self) -> Tally:
        """Spend the budget, bring everything up, wait until nothing is left to do, and count."""
        async with self.shop.serving():
            deck = self._deck()
            workers = 2
            while self.budget.kills > 0:
                self.shop.host.start(workers)
                await self._ready()
                async with self._watched(workers):
                    await self._one_host(deck)
                workers = 3 - workers
            await self._peace()
            await self._count()
        return self.tally

    async def _one_host(self, deck: Iterator[tuple[Point, Target]]) -> None:
        """Attack one run of the host until it is killed."""
        self._weather()
        worker_kills = 0
        for number in range(1, KILLS_PER_HOST + 1):
            point, target = next(deck)
            if target is Target.WORKER:
                worker_kills += 1
            if number == KILLS_PER_HOST or worker_kills > WORKER_KILLS_PER_HOST:
                target = Target.HOST
            await self._round(point, target)
            await self._replay_sometimes()
            if target is Target.HOST or self.budget.kills <= 0:
                break
        self._restarting = True
        self.shop.host.kill()

    def _deck(self) -> Iterator[tuple[Point, Target]]:
        """Deal all points with all targets, shuffled, over and over; few hosts, as starting one takes longest."""
        points = [p for p in POINTS if p.script is None] if self.shop.embedded else POINTS
        cards = [(point, target) for point in points for target in targets_of(point)]
        cards += [card for card in cards if card[1] is not Target.HOST]
        while True:
            self.chance.shuffle(cards)
            yield from cards

    def _weather(self) -> None:
        """Pick what Messenger does while this host runs."""
        page = self.shop.page
        page.faults.clear()
        page.echoes, page.echo_delay_seconds = "once", 0.0
        match self.chance.choice(("fair", "fair", "drops", "late", "twice", "never")):
            case "drops":
                for _ in range(KILLS_PER_HOST):
                    page.inject(Fault.accept_then_drop())
            case "late":
                page.echo_delay_seconds = self.chance.uniform(0.2, DEADLINE_SECONDS / 3)
            case "twice":
                page.echoes = "twice"
            case "never":
                page.echoes = "never"

    async def _round(self, point: Point, target: Target) -> None:
        """Have orders come in and kill when one of them is at the point."""
        shop, sprung = self.shop, asyncio.Event()

        def spring(pid: int | None) -> None:
            if self._kill(target, pid):
                self.tally.killed(point, target)
                self._since_replay += 1
                self.budget.spend()
            sprung.set()

        await self._somebody_works()
        orders = shop.shopify.pay(self.chance.randint(3, 6), shoppers=self.chance.randint(1, 4))
        self._rounds.append((point, orders))
        if len(self._rounds) > 1:
            shop.shopify.repeat(self.chance.choice(self._rounds[-2][1]))
        if point.script is not None and point.when is not None:
            shop.proxy.trap = Trap(point.script, point.when, _about(point.script, orders), lambda c: spring(c.pid))
        elif point.call is not None:
            ids = frozenset(order.order_id for order in orders)
            shop.page.call_trap = CallTrap(point.call, ids, lambda order: spring(shop.claimed_by.get(order)))
        else:
            await asyncio.sleep(self.chance.random() * _MOMENT_SECONDS)
            workers = shop.host.workers()
            spring(self.chance.choice(workers) if workers else None)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sprung.wait(), _SPRING_SECONDS)
        shop.proxy.trap = shop.page.call_trap = None
        self._restarting = target is Target.HOST and sprung.is_set()

    def _kill(self, target: Target, pid: int | None) -> bool:
        match target:
            case Target.STORE:
                return self.shop.kill_store()
            case Target.HOST:
                self._restarting = True
                return self.shop.host.kill()
            case Target.WORKER if pid is not None:
                return kill(pid)
            case Target.WORKER:
                # Behind no proxy nobody knows which process calls.
                killed = [kill(worker) for worker in self.shop.host.workers()]
                return any(killed)

    async def _replay_sometimes(self) -> None:
        if self._since_replay >= _REPLAY_EVERY:
            self._since_replay = 0
            await self.shop.replay_dead_letters()
            self.tally.replays += 1

    async def _somebody_works(self) -> None:
        async with asyncio.timeout(60.0):
            while not self.shop.host.workers():  # noqa: ASYNC110 - processes have no event
                await asyncio.sleep(_WATCH_SECONDS / 4)

    async def _ready(self) -> None:
        while True:
            try:
                return await self.shop.host.ready()
            except RuntimeError:
                self._came_to_an_end()

    def _came_to_an_end(self, workers: int = 2) -> None:
        self.tally.host_ends += 1
        self.shop.host.start(workers)

    @contextlib.asynccontextmanager
    async def _watched(self, workers: int) -> AsyncIterator[None]:
        """Start the host again where it ends by itself, as an init system does."""
        self._restarting = False

        async def watch() -> None:
            while True:
                await asyncio.sleep(_WATCH_SECONDS)
                if self.shop.host.ended and not self._restarting:
                    self._came_to_an_end(workers)

        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def _peace(self) -> None:
        """Bring everything up, let all webhooks be answered, and wait until nothing waits."""
        page = self.shop.page
        page.faults.clear()
        page.echoes, page.echo_delay_seconds = "once", 0.0
        self.shop.host.start(2)
        await self._ready()
        async with self._watched(2), asyncio.timeout(_IDLE_SECONDS):
            await self.shop.shopify.settled()
            await self.shop.idle(_IDLE_SECONDS)

    async def _count(self) -> None:
        dead = await self.shop.dead_letters()
        in_doubt = frozenset(order for order, reason in dead.items() if reason == "IN_DOUBT")
        self.tally.settle(self._rounds, self.shop.page.messages_by_order(), in_doubt)
        self.tally.other_dead = len(dead) - len(in_doubt)
        self.tally.webhooks = self.shop.shopify.posts
        self.tally.host_starts = self.shop.host.starts


def _about(script: str, orders: Sequence[SentOrder]) -> Callable[[Command], bool]:
    """Make the test for a script call that brings one of these orders on its way."""
    ids = [b"order:%d" % order.order_id for order in orders]
    webhooks = [webhook_id.encode() for order in orders for webhook_id in order.webhook_ids]
    if script in ("claim", "conclude"):
        return lambda command: any(command.arguments[0].endswith(name) for name in ids)
    if script == "settle":
        # The event that carried the message, not those that found it sent.
        return lambda command: b"done" in command.arguments and command.is_about(*webhooks)
    return lambda command: command.is_about(*webhooks)
