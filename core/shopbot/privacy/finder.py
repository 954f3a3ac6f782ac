"""Tells which keys of the store are about a person: by the indexes, by the keys' names, by what is in them."""

import re
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shopbot.privacy.bodies import concerns, order_of
from shopbot.privacy.inventory import FoundKey
from shopbot.privacy.person import Person
from shopbot.store.checkouts import ERASED_ORDER
from shopbot.store.keys import Keys

_AT_ONCE = 200
_BODIES_AT_ONCE = 20
"""A body may have some megabytes."""
_CART_ID = re.compile(r"gid://shopify/Cart/([^?]+)")
_SUBJECT = re.compile(r"order:([0-9]+)(#[0-9]+)?")
_EVENT_SUBJECT = re.compile(r"event:(.+?)(#[0-9]+)?", re.DOTALL)

_QUESTIONS = {
    **dict.fromkeys(("shopper", "checkout_token_lookup", "checkout_of", "checkout_token", "storefront_cart"), ("GET",)),
    "event": ("HMGET", "topic", "body"),
    "claim": ("HMGET", "event"),
    "checkout": ("HMGET", "order_id"),
}
"""How to read what tells whose a key is, or leads on from it: the command and the fields."""

_LEAD_ON = frozenset({"checkout_token", "storefront_cart"})
"""Kinds that are a shopper's by their names, and whose values lead on to others."""

_Ask = tuple[FoundKey, tuple[str, ...]]


class Finder:
    """Finds one person's keys in one shop."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def gather(self, person: Person) -> None:
        """Learn by the indexes which PSIDs, orders and events are the person's."""
        named = sorted(person.named_orders)
        for found in await self._all([("GET", self._keys.shopper(order_id)) for order_id in named]):
            if found is not None:
                person.psids.add(found.decode())
        psids = sorted(person.psids)
        indexes = await self._all([("ZRANGE", self._keys.orders_of(psid), "0", "-1") for psid in psids])
        for psid, orders in zip(psids, indexes, strict=True):
            for order_id in orders or ():
                person.met_order(psid, order_id.decode())
        events = [("ZRANGE", self._keys.order_events(order), "0", "-1") for order in sorted(person.traces.order_ids)]
        events += [("ZRANGE", self._keys.events_of(psid), "0", "-1") for psid in sorted(person.own_psids)]
        for event_ids in await self._all(events):
            person.traces.event_ids.update(event_id.decode() for event_id in event_ids or ())

    def anchors(self, person: Person) -> Sequence[Sequence[str]]:
        """Name the indexes by which `gather` finds everything, in the order in which they may be erased.

        Whatever is erased last, the rest can still be found by it after a crash.
        """
        keys, orders = self._keys, sorted(person.traces.order_ids)
        return (
            [
                *(keys.order_events(order_id) for order_id in orders),
                *(keys.shopper(order_id) for order_id in orders if order_id not in person.named_orders),
            ],
            [key for psid in sorted(person.psids) for key in (keys.events_of(psid), keys.orders_of(psid))],
            [keys.shopper(order_id) for order_id in orders if order_id in person.named_orders],
        )

    async def sift(self, person: Person, found: Sequence[FoundKey]) -> Sequence[FoundKey]:
        """Give those of some keys that are the person's, and learn from them."""
        theirs: dict[str, FoundKey] = {}
        asks: list[_Ask] = []
        for key in found:
            verdict = _by_name(person, key)
            if verdict is True:
                theirs[key.key] = key
            question = _QUESTIONS.get(key.name)
            if question is not None and (verdict is None or (verdict and key.name in _LEAD_ON)):
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
                    if _by_value(person, key, answer if isinstance(answer, list) else [answer])
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


def _by_name(person: Person, key: FoundKey) -> bool | None:
    """Judge a key by its name; None where only its value can tell."""
    parts, traces, name = key.parts, person.traces, key.name
    match name:
        case "order_reference" | "order_confirmation":
            if person.has_order(parts["order_id"]):
                return True
            psid = parts["psid"]
            return psid in person.psids and person.met_order(psid, parts["order_id"])
        case "order" | "shopper":
            return person.has_order(parts["order_id"]) or (None if name == "shopper" else False)
        case "event" | "journal" | "webhook_id":
            # A webhook's id is Shopify's number of the delivery and tells nothing: it goes on keeping repetitions out.
            theirs = person.has_event(parts["event_id"])
            if name == "webhook_id":
                return theirs and not parts["event_id"].startswith("webhook:")
            if theirs:
                traces.event_ids.add(parts["event_id"])
            return theirs or (None if name == "event" else False)
        case "claim":
            return _by_subject(person, parts["subject"])
        case "checkout_token_lookup":
            return parts["token"] in traces.tokens or None
        case "checkout" | "checkout_of":
            return None
    return "psid" in parts and parts["psid"] in person.own_psids


def _by_subject(person: Person, subject: str) -> bool | None:
    if order := _SUBJECT.fullmatch(subject):
        return person.has_order(order[1])
    if event := _EVENT_SUBJECT.fullmatch(subject):
        return person.has_event(event[1]) or person.has_event(event[1] + (event[2] or ""))
    return None


def _by_value(person: Person, key: FoundKey, answer: Sequence[bytes | None]) -> bool:
    """Judge a key by what is in it; what leads on to other keys is noted."""
    parts, traces = key.parts, person.traces
    value = (answer[0] or b"").decode("utf-8", "replace")
    match key.name:
        case "shopper":
            return value in person.psids and person.met_order(value, parts["order_id"])
        case "checkout_token_lookup" if value in person.own_psids:
            traces.tokens.add(parts["token"])
            return True
        case "checkout_token":
            traces.tokens.add(value)
            return True
        case "storefront_cart":
            traces.tokens.update(_CART_ID.findall(value))
            return True
        case "checkout_of" if parts["token"] in traces.tokens or value in traces.nonces:
            traces.tokens.add(parts["token"])
            traces.nonces.add(value)
            return True
        case "checkout" if value != str(ERASED_ORDER):
            theirs = parts["nonce"] in traces.nonces or (value != "" and person.has_order(value))
            if theirs:
                traces.nonces.add(parts["nonce"])
            return theirs
        case "claim":
            return value in traces.event_ids
        case "event" if len(answer) > 1 and answer[1]:
            return _by_body(person, parts["event_id"], value, answer[1])
    return False


def _by_body(person: Person, event_id: str, topic: str, body: bytes) -> bool:
    if not concerns(person, topic, body):
        return False
    person.traces.event_ids.add(event_id)
    order_id = order_of(topic, body) if person.whole and not topic.startswith("messenger/") else None
    if order_id is not None:
        person.traces.order_ids.add(order_id)
    return True
