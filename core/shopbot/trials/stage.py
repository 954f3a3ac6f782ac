"""Plays one test on the real host, with an empty store and a clock of its own."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from redis.asyncio import Redis

from shopbot.hooks import Hooks
from shopbot.host.shop_host import Role, ShopHost
from shopbot.model.message import OutboundMessage
from shopbot.model.shared_keys import SharedKeys
from shopbot.model.shopper_cart import Cart, CartItem
from shopbot.store.channels import PROBE_SECONDS, Channels, ChannelState
from shopbot.store.conversations import Conversations
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import moment_of
from shopbot.store.records import EventRecord, Records
from shopbot.store.references import References
from shopbot.store.shoppers import Shoppers
from shopbot.trials import links
from shopbot.trials.clock import TrialClock
from shopbot.trials.configuration import Configuration
from shopbot.trials.occurrences import Occurrence
from shopbot.trials.platform import Platform
from shopbot.trials.scripts import Script
from shopbot.trials.settings import CartGiven
from shopbot.trials.stand_ins import players
from shopbot.trials.values import PlatformAnswer

_JUST_BEFORE = timedelta(minutes=1)
_MOST_ATTEMPTS = 120
"""More than `retry.attempts` can ever be."""
_CART = CartItem(variant_id=51_204_337_615_187, quantity=2, title="Stoneware mug")


class EndlessTrialError(Exception):
    """The test never comes to its end; the message says why."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of an event under test."""

    record: EventRecord | None
    """None where it was not taken in: the delivery had come before."""
    sent: Sequence[OutboundMessage]
    """What the platform took since it arrived."""
    reference: str
    """`saved`, `confirmed`, `unresolved` or `none`."""
    opted_out: bool
    calls: Counter[str]
    """Of stand-ins, by plugin name, since it arrived."""


class Stage:
    """One host under trial, in its world."""

    def __init__(
        self, configuration: Configuration, script: Script, client: Redis, store_url: str, data_dir: Path
    ) -> None:
        """Put the host together.

        client: of the store, which is empty.
        data_dir: for the files of plugins.
        """
        blueprint = configuration.blueprint
        self._script = script
        self._client = client
        self._settings = blueprint.settings
        self._keys = Keys(blueprint.shop.domain)
        self._shared = SharedKeys(blueprint.settings.shop.key_prefix)
        self._conversations = Conversations(client, self._keys)
        self._records = Records(client, self._keys)
        self._clock = TrialClock(script.begins_at, client)
        self._platform = Platform(script.given.platform or (PlatformAnswer.OK,))
        self._calls: Counter[str] = Counter()
        playing = players(configuration.instances(), script.given.plugins or {}, self._platform, self._calls)
        hooks = Hooks(playing)
        self._channels = [sender.instance.channel for sender in hooks.senders]
        settings = blueprint.settings.model_copy(update={"durability": "relaxed", "data_dir": data_dir})
        self._host = ShopHost(
            replace(blueprint, hooks=hooks, settings=settings),
            store_url=store_url,
            # Without a worker of its own: what is due is worked off step by step.
            role=Role.WEB,
            clock=self._clock,
        )

    async def play(self) -> Observation:
        """Let everything happen, and give what came of the event under test.

        Raises:
            PluginError: a plugin could not start.
            StoreError, RedisError, OSError: the store went away.
            EndlessTrialError: something is tried again without an end.
        """
        await self._host.start()
        try:
            await self._arrange()
            for occurrence in self._script.earlier:
                await self._happen(occurrence)
            sent_before, calls_before = len(self._platform.taken), Counter(self._calls)
            occurrence = self._script.occurrence
            new = await self._happen(occurrence)
            await self._pass_time(self._script.ends_at)
            return Observation(
                record=await self._records.event(occurrence.arrival.id) if new else None,
                sent=self._platform.taken[sent_before:],
                reference=await self._reference(occurrence),
                opted_out=(await self._conversations.standing(occurrence.shopper)).opted_out,
                calls=self._calls - calls_before,
            )
        finally:
            await self._host.stop()

    async def _arrange(self) -> None:
        """Put into the store what is given."""
        given, shopper, now = self._script.given, self._script.shopper, self._clock()
        for key, text in (given.store or {}).items():
            await self._client.set(key, text)
        if given.cart:
            changed = given.cart.changed if isinstance(given.cart, CartGiven) else CartGiven().changed
            cart = Cart(items=(_CART,), updated_at=now - changed)
            await self._client.set(self._shared.cart(shopper), cart.to_json())
        if given.checkout is not None:
            await links.keep(self._client, self._settings, shopper, self._script.occurrence.body, self._script.token)
        if given.window == "closed":
            await self._conversations.active(shopper, now - self._settings.window.length - _JUST_BEFORE)
        if given.opted_out:
            await self._conversations.opt_out(shopper, now - _JUST_BEFORE)

    async def _happen(self, occurrence: Occurrence) -> bool:
        """Let an event come and be worked on; False when the same one has come before."""
        await self._pass_time(occurrence.at)
        if self._script.given.window == "open":
            await self._conversations.active(self._script.shopper, self._clock() - _JUST_BEFORE)
        new = await self._host.inbox.add(occurrence.arrival)
        await self._host.work_off()
        return new

    async def _pass_time(self, until: datetime) -> None:
        """Let time pass, and try again what is due by then."""
        for _ in range(_MOST_ATTEMPTS):
            due = await self._next_attempt()
            if due is None or due > until:
                await self._clock.move_to(until)
                return
            await self._clock.move_to(due)
            await self._host.work_off()
        raise EndlessTrialError(f"after {_MOST_ATTEMPTS} attempts there is still something to try again: wait less")

    async def _next_attempt(self) -> datetime | None:
        """Say when the host has something to do next; None when it has nothing."""
        moments: list[datetime] = []
        for waiting in (self._keys.retries, self._keys.held):
            first = cast("list[tuple[bytes, float]]", await self._client.zrange(waiting, 0, 0, withscores=True))
            moments += [moment_of(score) for _, score in first]
        if await self._client.zcard(self._keys.parked):
            moments.append(await self._channel_opens())
        return min(moments, default=None)

    async def _channel_opens(self) -> datetime:
        """Say when a channel that takes nothing is tried again."""
        channels, now = Channels(self._client, self._keys), self._clock()
        for name in self._channels:
            closure = await channels.closure(name, now)
            if closure is not None and closure.state is ChannelState.PAUSED and closure.until is not None:
                return closure.until
        return now + timedelta(seconds=PROBE_SECONDS + 1)

    async def _reference(self, occurrence: Occurrence) -> str:
        if occurrence.order_id is None:
            return "none"
        references = References(self._client, self._keys, self._shared, ttl_seconds=1)
        shoppers = Shoppers(self._client, self._keys, self._shared, remember_seconds=1)
        shopper = await shoppers.of_order(occurrence.order_id) or occurrence.shopper
        found = await references.find(shopper, occurrence.order_id)
        if found is not None:
            return "saved" if found.confirmed_at is None else "confirmed"
        unresolved = await self._client.exists(self._shared.order_reference(None, occurrence.order_id))
        return "unresolved" if unresolved else "none"
