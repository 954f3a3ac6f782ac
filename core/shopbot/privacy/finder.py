"""Finds the keys of the store that are about a person: by the indexes, and by holding each key against them."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shopbot.privacy.inventory import FoundKey
from shopbot.privacy.person import Person
from shopbot.privacy.verdicts import LEAD_ON, QUESTIONS, by_name, by_value
from shopbot.store.keys import Keys

_AT_ONCE = 200
_BODIES_AT_ONCE = 20
"""A body may have some megabytes."""
_Ask = tuple[FoundKey, Sequence[str]]


class Finder:
    """Finds one person's keys in one shop."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def gather(self, person: Person) -> None:
        """Learn by the indexes which PSIDs, orders and events are the person's."""
        traces = person.traces
        orders = sorted(traces.order_ids if person.whole else person.named_orders)
        for found in await self._all([("GET", self._keys.shopper(order_id)) for order_id in orders]):
            if found is not None:
                traces.psids.add(found.decode())
        psids = sorted(traces.psids)
        indexes = await self._all([("ZRANGE", self._keys.orders_of(psid), "0", "-1") for psid in psids])
        for psid, order_ids in zip(psids, indexes, strict=True):
            for order_id in order_ids or ():
                person.met_order(psid, order_id.decode())
        events = [("ZRANGE", self._keys.order_events(order_id), "0", "-1") for order_id in sorted(traces.order_ids)]
        events += [("ZRANGE", self._keys.events_of(psid), "0", "-1") for psid in sorted(person.own_psids)]
        for event_ids in await self._all(events):
            traces.event_ids.update(event_id.decode() for event_id in event_ids or ())

    def anchors(self, person: Person) -> Sequence[str]:
        """Name the indexes by which `gather` finds everything."""
        keys = self._keys
        of_orders = [(keys.order_events(order_id), keys.shopper(order_id)) for order_id in person.traces.order_ids]
        of_shoppers = [(keys.events_of(psid), keys.orders_of(psid)) for psid in person.traces.psids]
        return [key for both in (*of_orders, *of_shoppers) for key in both]

    async def sift(self, person: Person, found: Sequence[FoundKey]) -> Sequence[FoundKey]:
        """Give those of some keys that are the person's, and learn from them."""
        theirs: dict[str, FoundKey] = {}
        asks: list[_Ask] = []
        for key in found:
            verdict = by_name(person, key)
            if verdict is True:
                theirs[key.key] = key
            question = QUESTIONS.get(key.name)
            if question is not None and (verdict is None or (verdict and key.name in LEAD_ON)):
                asks.append((key, question))
        bodies = [ask for ask in asks if ask[0].name == "event"]
        others = [ask for ask in asks if ask[0].name != "event"]
        for part, at_once in ((others, _AT_ONCE), (bodies, _BODIES_AT_ONCE)):
            for start in range(0, len(part), at_once):
                some = part[start : start + at_once]
                answers = await self._all([(command, key.key, *fields) for key, (command, *fields) in some])
                theirs |= {
                    key.key: key
                    for (key, _), answer in zip(some, answers, strict=True)
                    if by_value(person, key, answer if isinstance(answer, list) else [answer])
                }
        return list(theirs.values())

    async def _all(self, commands: Sequence[tuple[str, ...]]) -> Sequence[Any]:
        """Run commands, one key each: on a cluster they live in different slots. None where a key is of another type.

        Other parts of a bot write shared keys, and may write what they like.
        """
        answers: list[Any] = []
        for start in range(0, len(commands), _AT_ONCE):
            async with self._client.pipeline(transaction=False) as pipeline:
                for command in commands[start : start + _AT_ONCE]:
                    pipeline.execute_command(*command)
                for answer in await pipeline.execute(raise_on_error=False):
                    if isinstance(answer, Exception) and not _is_of_another_type(answer):
                        raise answer
                    answers.append(None if isinstance(answer, Exception) else answer)
        return answers


def _is_of_another_type(error: Exception) -> bool:
    return isinstance(error, ResponseError) and "WRONGTYPE" in str(error)
