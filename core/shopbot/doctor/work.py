"""Looks at what the host has left in the store: whether it works, polls, may send, and what waits for a person."""

import re
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta

from redis.asyncio import Redis

from shopbot.config.duration import format_duration
from shopbot.host.blueprint import Blueprint
from shopbot.host.pollers import PollerParts, poller_parts
from shopbot.model.finding import Finding
from shopbot.store.channels import Channels, ChannelState
from shopbot.store.dead_letters import DeadLetters
from shopbot.store.gauges import Gauges
from shopbot.store.inbox import Inbox
from shopbot.store.keys import Keys
from shopbot.store.pollers import PollerRecord

AREA = "work"

_UNIT = re.compile(r"\d+[a-z]+")
_OLDEST_EVENT_SECONDS = 60.0
"""The promise is 3 s; an event that is worked on is in the inbox, too, and a sender may take a minute."""
_FEWEST_ORDERS = 20
_FIRST_SEEN_SHARE = 0.5
"""Of so many orders at least, so many may be seen by a poll first before it is no accident."""


class WorkCheck:
    """One shop's host, seen through its store."""

    def __init__(self, blueprint: Blueprint, client: Redis, now: datetime, *, host_runs: bool | None) -> None:
        """Prepare.

        now: the time, in UTC.
        host_runs: whether a host runs on this data_dir; None where the store is nobody's in particular.
        """
        keys = Keys(blueprint.shop.domain)
        journal_ttl_seconds = blueprint.settings.ttl.journal.total_seconds()
        # The parts are made for polling; nothing here does, so the inbox is never started.
        inbox = Inbox(client, keys, seen_ttl_seconds=blueprint.settings.ttl.webhook_id.total_seconds())
        self._pollers: Sequence[PollerParts] = poller_parts(blueprint, client, inbox, lambda: now)
        self._channel_names = list(dict.fromkeys(sender.instance.channel for sender in blueprint.hooks.senders))
        self._channels = Channels(client, keys)
        self._gauges = Gauges(client, keys, channels=self._channel_names)
        self._letters = DeadLetters(client, keys, journal_ttl_seconds=journal_ttl_seconds)
        self._now = now
        self._host_runs = host_runs

    async def look(self) -> AsyncGenerator[Finding, None]:
        """Say how the host fares.

        Raises:
            RedisError, OSError: the store is away.
        """
        if self._host_runs is False:
            yield Finding.warning(
                "no host runs on this data_dir",
                meaning="webhooks are answered by nobody, nothing is polled and nothing sent",
                to_do="start it: shopbot run (or run doctor where the host runs)",
                area=AREA,
            )
        for look in (self._inbox, self._sending, self._polling, self._dead):
            async for finding in look():
                yield finding

    async def _inbox(self) -> AsyncGenerator[Finding, None]:
        readings = await self._gauges.read()
        waiting = f"{readings.inbox} {'event' if readings.inbox == 1 else 'events'} in the inbox"
        if readings.oldest_seconds <= _OLDEST_EVENT_SECONDS:
            yield Finding.ok(f"{waiting}, none waits long", area=AREA)
            return
        yield Finding.problem(
            f"{waiting}, the oldest for {_span(readings.oldest_seconds)}",
            meaning="confirmations come late or not at all: no worker takes events, or they cannot keep up",
            to_do="see that a process with `--role all` or `worker` runs, look at its log; more --workers take more",
            area=AREA,
        )

    async def _sending(self) -> AsyncGenerator[Finding, None]:
        for name in self._channel_names:
            closure = await self._channels.closure(name, self._now)
            if closure is None:
                yield Finding.ok(f"the channel {name} is open", area=AREA)
                continue
            down_for = _span((self._now - closure.since).total_seconds())
            if closure.state is ChannelState.PAUSED and closure.until is not None:
                yield Finding.warning(
                    f"the channel {name} is paused until {closure.until:%Y-%m-%d %H:%M:%S} UTC: {closure.reason}",
                    meaning="messages wait and go out by themselves afterwards",
                    to_do="nothing, unless it comes again and again: then see the Page's support inbox, or send less",
                    area=AREA,
                )
            else:
                yield Finding.problem(
                    f"the channel {name} has been down for {down_for}: {closure.reason}",
                    meaning="no message goes out; all of them wait, without using up their attempts",
                    to_do="mend what the reason names and restart the host; they go out as soon as one gets through",
                    area=AREA,
                )

    async def _polling(self) -> AsyncGenerator[Finding, None]:
        if not self._pollers:
            yield Finding.warning(
                "nothing stands under `pollers:`",
                meaning="an order whose webhook gets lost is never confirmed: Shopify does not promise to deliver",
                to_do="add a poller (docs/poller.md)",
                area=AREA,
            )
        for part in self._pollers:
            record = await part.state.read()
            yield self._polled(part, record)
            if record.total.orders >= _FEWEST_ORDERS and (
                record.total.first_seen >= _FIRST_SEEN_SHARE * record.total.orders
            ):
                yield Finding.warning(
                    f"{part.state.name} was the first to see {record.total.first_seen} of {record.total.orders} orders",
                    meaning="most webhooks did not arrive, so that confirmations came up to a minute late",
                    to_do="run shopbot doctor --url with the public address, and look at the subscriptions",
                    area=AREA,
                )

    def _polled(self, part: PollerParts, record: PollerRecord) -> Finding:
        name, why = part.state.name, f": {record.last_error}" if record.last_error else ""
        mend = "see that a process with `--role all` or `worker` runs"
        if why:
            mend = "look at the lines about the plugin, and at the host's log"
        if record.last_success is None:
            return Finding.warning(
                f"{name} has never polled with success{why}",
                meaning="orders whose webhook got lost are not found",
                to_do=mend,
                area=AREA,
            )
        gap = self._now - record.last_success
        ago = _span(gap.total_seconds())
        if gap > part.longest_gap:
            return Finding.problem(
                f"{name} has not polled with success for {ago}{why}",
                meaning="orders whose webhook got lost since then are not found; the next poll catches up on them",
                to_do=mend,
                area=AREA,
            )
        if why:
            return Finding.warning(
                f"the last poll of {name} has failed{why}",
                meaning=f"the last good one was {ago} ago; if they go on failing, lost webhooks are not made good",
                to_do=mend,
                area=AREA,
            )
        return Finding.ok(f"{name} polled {ago} ago", area=AREA)

    async def _dead(self) -> AsyncGenerator[Finding, None]:
        tally = await self._letters.tally()
        if tally.oldest is None:
            yield Finding.ok("no dead letters", area=AREA)
            return
        codes = ", ".join(f"{count} {code or 'without a code'}" for code, count in tally.codes.items())
        age = _span((self._now - tally.oldest).total_seconds())
        yield Finding.warning(
            f"{tally.count} dead {'letter waits' if tally.count == 1 else 'letters wait'} for a person ({codes}), the"
            f" oldest for {age}",
            meaning="these events were given up: as a rule each is a shopper without a message",
            to_do="shopbot dead ls, then replay or purge them",
            area=AREA,
        )


def _span(seconds: float) -> str:
    """Write a length of time in its two largest units: 1h3m."""
    return "".join(_UNIT.findall(format_duration(timedelta(seconds=max(0, round(seconds)))))[:2])
