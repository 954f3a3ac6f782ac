"""Shows what is kept about a person: finds all of it, and writes it down for people to read."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from shopbot.privacy.inventory import KINDS, FoundKey, Inventory
from shopbot.privacy.person import Person
from shopbot.privacy.progress import Progress
from shopbot.privacy.search import PersonSearch, SearchParts, Unfinished
from shopbot.privacy.sweep import Pace
from shopbot.store.conversations import Conversations
from shopbot.store.entry import read_event
from shopbot.store.milliseconds import moment_of

_AT_ONCE = 20
_SECRETS = frozenset({"storefront_cart"})
"""Kinds whose values open something: the person may know that they are there, a file must not give them away."""
_NOT_SHOWN = "(a secret of the shop's, not shown)"
_MOMENTS = frozenset({"conversation", "order", "events_of", "orders_of", "line", "limit", "unsent"})
"""Kinds whose values or scores are moments in ms."""


class Export:
    """Exports what one shop keeps about persons. Changes nothing but its own record of how far it is."""

    def __init__(self, parts: SearchParts, inventory: Inventory, conversations: Conversations) -> None:
        self._parts = parts
        self._inventory = inventory
        self._conversations = conversations

    async def person(self, task_id: str, person: Person, pace: Pace) -> Mapping[str, Any] | Unfinished:
        """Give everything about a person, as JSON has it, or why it goes on later: then call it again.

        task_id: the same for each call.
        """
        found = await self.find(task_id, person, pace)
        return found if isinstance(found, Unfinished) else await self._written(person, found)

    async def find(self, task_id: str, person: Person, pace: Pace) -> Sequence[FoundKey] | Unfinished:
        """Give only the keys that are the person's; otherwise like `person`."""
        progress = await self._parts.records.load(task_id)
        person.traces.add(progress.traces)
        search = PersonSearch(self._parts, task_id, person, progress, act=lambda theirs: _note(theirs, progress))
        unfinished = await search.run(pace)
        if unfinished is not None:
            return unfinished
        await self._parts.records.drop(task_id)
        return [key for name in progress.keys if (key := self._inventory.find(name)) is not None]

    async def _written(self, person: Person, found: Sequence[FoundKey]) -> dict[str, Any]:
        records: dict[str, Any] = {}
        for kind in KINDS:
            keys = [key for key in found if key.kind is kind]
            if keys:
                values = await _values(self._parts.client, keys, self._parts.clock())
                records[kind.name] = {"holds": kind.holds, "why": kind.why, "kept": kind.kept, "found": values}
        return {
            "shop": self._parts.keys.shop,
            "made_at": _iso(self._parts.clock()),
            "notes": [_other_orders(psid) for psid in sorted(person.traces.shared_psids)],
            "shoppers": [
                {"psid": psid, "wants_no_messages": (await self._conversations.standing(psid)).opted_out}
                for psid in sorted(person.own_psids)
            ],
            "records": records,
        }


async def _note(theirs: Sequence[FoundKey], progress: Progress) -> int:
    progress.keys = sorted({*progress.keys, *(key.key for key in theirs)})
    return 0


def _other_orders(psid: str) -> str:
    return (
        f"The Messenger account {psid} also has orders that were not asked for, which may be somebody else's: nothing"
        " of them and of the account itself is in this file. Where you know that it is the same person, `shopbot"
        f" privacy export --psid {psid}` exports everything."
    )


async def _values(client: Redis, keys: Sequence[FoundKey], now: datetime) -> Sequence[dict[str, Any]]:
    """Read keys; those that have ended meanwhile are left out."""
    shown: list[dict[str, Any]] = []
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        async with client.pipeline(transaction=False) as pipeline:
            for key in part:
                pipeline.type(key.key)
                pipeline.pttl(key.key)
            described = await pipeline.execute()
        for key, kind, life_ms in zip(part, described[::2], described[1::2], strict=True):
            value = await _read(client, key.key, kind.decode())
            if value is not None:
                until = _iso(now + timedelta(milliseconds=life_ms)) if life_ms >= 0 else None
                shown.append({"key": key.key, "kept_until": until, "value": _shown(key, value)})
    return shown


async def _read(client: Redis, key: str, kind: str) -> Any:  # noqa: ANN401 - whatever type the key has
    match kind:
        case "string":
            return await client.get(key)
        case "hash":
            return await client.hgetall(key)
        case "list":
            return await client.lrange(key, 0, -1)
        case "set":
            return sorted(await client.smembers(key))
        case "zset":
            return await client.zrange(key, 0, -1, withscores=True)
    return None


def _shown(key: FoundKey, value: Any) -> Any:  # noqa: ANN401 - likewise
    """Write a value as people can read it: texts, moments, and what is JSON inside as such."""
    moments = key.name in _MOMENTS
    if key.name in _SECRETS:
        return _NOT_SHOWN
    if isinstance(value, dict):
        fields = {_text(name): _field(_text(name), part) for name, part in value.items() if name != b"head"}
        return fields | (_event(key, value[b"head"]) if b"head" in value else {})
    if isinstance(value, list) and value and isinstance(value[0], list | tuple):
        return {_text(member): _moment(score) if moments else score for member, score in value}
    if isinstance(value, list):
        return [_json(part) for part in value]
    return _moment(value) if moments else _json(value)


def _event(key: FoundKey, head: bytes) -> dict[str, str]:
    event = read_event(key.parts.get("event_id", ""), head, b"")
    return {"topic": event.topic, "brought_by": event.source, "received_at": _iso(event.received_at)}


def _field(name: str, value: bytes) -> Any:  # noqa: ANN401 - likewise
    return _moment(value) if name.endswith("_ms") else _json(value)


def _json(value: bytes) -> Any:  # noqa: ANN401 - likewise
    """Read JSON; a text that is none, and numbers, which may be longer than JSON's readers take, stay as they are."""
    text = _text(value)
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _moment(value: bytes | float) -> str:
    try:
        return _iso(moment_of(value))
    except (ValueError, OverflowError, OSError):
        return _text(value) if isinstance(value, bytes) else str(value)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
