"""A shopper's conversation with the Page: when the messaging window opened last, and whether they want messages."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.asyncio import Redis

from shopbot.store.connection import script
from shopbot.store.keys import Keys
from shopbot.store.milliseconds import moment_of
from shopbot.store.pseudonyms import Pseudonyms, shopper_id

_RECEIPTS_MS = 30 * 86_400_000
_OPTED_IN_MS = 7 * 86_400_000
"""So long a stop word that comes late is known to be older than the start word."""
_OUT = b"out "


@dataclass(frozen=True, slots=True)
class Standing:
    """What matters before a message goes to a shopper."""

    last_active: datetime | None = None
    """When they last did something that opens the standard messaging window; None where nothing is known."""
    opted_out: bool = False
    """Whether they asked to get no more messages."""


@dataclass(frozen=True, slots=True)
class Receipts:
    """How far the Page's messages have come, by the platform's own times. None where it has not said."""

    delivered_up_to: datetime | None = None
    read_up_to: datetime | None = None


class Conversations:
    """The conversations of one shop's Page, as far as the Messenger webhook has told of them."""

    def __init__(
        self,
        client: Redis,
        keys: Keys,
        *,
        release_within: timedelta = timedelta(days=7),
        keep: timedelta = timedelta(days=400),
    ) -> None:
        """Work on the store.

        release_within: how long after it found the window closed a message goes out when the shopper writes again.
        keep: how long it is known that a shopper was here.
        """
        self._client = client
        self._keys = keys
        self._pseudonyms = Pseudonyms(client, keys)
        self._keep_ms = keep // timedelta(milliseconds=1)
        self._release_within = release_within
        self._active = script(client, "active")
        self._opt = script(client, "opt")
        self._receipt = script(client, "receipt")

    async def active(self, psid: str, at: datetime) -> int:
        """Note that a shopper wrote, tapped or came by a link; gives how many messages that waited for it are let go.

        An earlier moment than the one known changes nothing.
        """
        keys = self._keys
        released: int = await self._active(
            [keys.conversation(psid), keys.unsent(psid), keys.dead, keys.inbox],
            [_milliseconds(at), self._keep_ms, keys.event(""), _milliseconds(at - self._release_within)],
        )
        return released

    async def last_active(self, psid: str) -> datetime | None:
        """Give the moment of the last activity; None where none is known."""
        return (await self.standing(psid)).last_active

    async def standing(self, psid: str) -> Standing:
        """Read what matters before a message goes out, in one round trip."""
        (opted,), (active,) = await self._pseudonyms.read(
            self._keys.opted_out, [shopper_id(psid)], self._keys.conversation(psid)
        )
        return Standing(
            last_active=moment_of(active) if active else None,
            opted_out=opted is not None and opted.startswith(_OUT),
        )

    async def delivered(self, psid: str, up_to: datetime) -> None:
        """Note that a shopper's phone has received all messages up to a moment."""
        await self._receipt([self._keys.receipts(psid)], ["delivered_ms", _milliseconds(up_to), _RECEIPTS_MS])

    async def read(self, psid: str, up_to: datetime) -> None:
        """Note that a shopper has read all messages up to a moment."""
        await self._receipt([self._keys.receipts(psid)], ["read_ms", _milliseconds(up_to), _RECEIPTS_MS])

    async def receipts(self, psid: str) -> Receipts:
        """Give how far the Page's messages have come."""
        found = await self._client.hmget(self._keys.receipts(psid), ["delivered_ms", "read_ms"])
        return Receipts(*(moment_of(at) if at else None for at in found))

    async def wait(self, psid: str, event_id: str, now: datetime) -> None:
        """Let an event that becomes a dead letter now come back when the shopper opens the window."""
        unsent = self._keys.unsent(psid)
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zadd(unsent, {event_id: _milliseconds(now)})
            pipeline.pexpire(unsent, self._release_within)
            await pipeline.execute()

    async def opt_out(self, psid: str, at: datetime) -> bool:
        """Note that a shopper wants no more messages; False where they have said something else since."""
        return await self._word("out", psid, at)

    async def opt_in(self, psid: str, at: datetime) -> bool:
        """Note that a shopper wants messages again; False where they have said something else since."""
        return await self._word("in", psid, at)

    async def _word(self, word: str, psid: str, at: datetime) -> bool:
        # Under a pseudonym: a stop word is honoured even after everything else about the shopper was erased.
        (pseudonym,) = await self._pseudonyms.of(shopper_id(psid))
        return bool(await self._opt([self._keys.opted_out(pseudonym)], [word, _milliseconds(at), _OPTED_IN_MS]))


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
