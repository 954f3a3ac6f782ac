"""The order that `--order` names: in a file, on standard input, or in the store of a shop."""

import asyncio
import re
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import typer
from redis.asyncio import Redis

from shopbot.cli.store_access import client_of, store_url
from shopbot.config.problem import quote, suggest
from shopbot.host.blueprint import Blueprint
from shopbot.host.given_order import GivenOrder, NotAnOrderError
from shopbot.host.preview import SAMPLE_PSID
from shopbot.model.order_reference import OrderReference
from shopbot.model.psid import mask
from shopbot.model.shared_keys import SharedKeys
from shopbot.rules.news import NEWS_OF_ORDERS, ORDER_TOPICS, UnreadableError
from shopbot.store.errors import StoreError
from shopbot.store.keys import Keys
from shopbot.store.records import Records
from shopbot.store.references import References
from shopbot.store.shoppers import Shoppers

_SEARCH_TIME_LIMIT_SECONDS = 60.0
_ID = re.compile(r"[0-9]{1,20}")
_SHORTEST_PSID = 10
"""Real ones have 15 digits and more; a shorter number in a test may be anything else in the order, too."""


class OrderNotFoundError(Exception):
    """There is no such order, or none that can be read; the text says what was looked for, and where."""


def named_order(blueprint: Blueprint, wanted: str, topic: str | None, now: datetime) -> GivenOrder:
    """Find an order.

    wanted: a file's name, `-` for standard input, else an order's number or id.
    topic: of the webhook whose body the file is; None: of an order.

    Raises:
        typer.BadParameter: no such file, or a topic that goes with none.
        OrderNotFoundError: the file is not readable as an order, or the store has none.
        StoreError: the store cannot be reached.
    """
    if topic is not None and topic not in NEWS_OF_ORDERS:
        hint = suggest(topic, NEWS_OF_ORDERS) or f"; known: {', '.join(sorted(NEWS_OF_ORDERS))}"
        raise typer.BadParameter(f"no topic of an order, a parcel or a refund{hint}", param_hint="--topic")
    path = Path(wanted)
    if wanted == "-" or _is_file(path):
        return _read(blueprint, path if wanted != "-" else None, topic, now)
    if path.suffix == ".json" or len(path.parts) > 1:
        raise typer.BadParameter(f"there is no file {quote(wanted)}", param_hint="--order")
    if topic is not None:
        raise typer.BadParameter("goes with a file, or with standard input", param_hint="--topic")
    if blueprint.settings.store.embedded and not blueprint.data_dir.exists():
        raise OrderNotFoundError(f"no order {quote(wanted)}: there is no store yet in {blueprint.data_dir}")
    with store_url(blueprint) as url:
        return asyncio.run(_search(blueprint, url, wanted, now))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long for one
        return False


def _read(blueprint: Blueprint, path: Path | None, topic: str | None, now: datetime) -> GivenOrder:
    origin, limit = str(path) if path else "standard input", blueprint.settings.web.max_body_bytes
    try:
        if path is None:
            body = sys.stdin.buffer.read(limit + 1)
        else:
            with path.open("rb") as file:
                body = file.read(limit + 1)
    except OSError as error:
        raise OrderNotFoundError(f"{origin}: {error.strerror}") from error
    if len(body) > limit:
        raise OrderNotFoundError(f"{origin}: larger than {limit} bytes, which no webhook of this shop may be")
    try:
        given = GivenOrder.read(body, origin=origin, received_at=now, **({"topic": topic} if topic else {}))
    except NotAnOrderError as error:
        raise OrderNotFoundError(f"{origin}: {error}, as in --topic fulfillments/create") from error
    except UnreadableError as error:
        raise OrderNotFoundError(f"{origin}: {error}") from error
    return given


async def _search(blueprint: Blueprint, url: str, wanted: str, now: datetime) -> GivenOrder:
    async with client_of(url) as client:
        kept = _KeptOrders(blueprint, client)
        try:
            async with asyncio.timeout(_SEARCH_TIME_LIMIT_SECONDS):
                return await kept.given(wanted, now)
        except TimeoutError as error:
            raise StoreError(f"the search took longer than {_SEARCH_TIME_LIMIT_SECONDS:g} s: give the id") from error


class _KeptOrders:
    """What the store keeps of one shop's orders."""

    def __init__(self, blueprint: Blueprint, client: Redis) -> None:
        keys, shared = Keys(blueprint.shop.domain), SharedKeys(blueprint.settings.shop.key_prefix)
        ttl_seconds = blueprint.settings.ttl.order_reference.total_seconds()
        self._domain = blueprint.shop.domain
        self._references = References(client, keys, shared, ttl_seconds=ttl_seconds)
        self._shoppers = Shoppers(client, keys, shared, remember_seconds=ttl_seconds)
        self._records = Records(client, keys)

    async def given(self, wanted: str, now: datetime) -> GivenOrder:
        """Find an order by its id or its number, and give all that is kept of it; its shopper becomes a made-up one."""
        reference = await self._by_id(int(wanted)) if _ID.fullmatch(wanted) else None
        reference = reference or await self._by_name(wanted)
        shopper = f", of the shopper {mask(reference.psid)}" if reference.psid else ""
        origin = f"the store{shopper}"
        nameless = reference.model_copy(update={"psid": SAMPLE_PSID if reference.psid else None})
        for event_id in reversed(await self._records.events_of_order(reference.order_id)):
            found = await self._records.body(event_id)
            if found is not None and found[0] in ORDER_TOPICS:
                topic, body = found[0], _anonymous(found[1], reference.psid)
                given = GivenOrder.read(body, origin=origin, received_at=now, topic=topic)
                return replace(given, reference=nameless.with_order(given.order)) if given.order else given
        return GivenOrder.kept(nameless, origin=origin, received_at=now)

    async def _by_id(self, order_id: int) -> OrderReference | None:
        psid = await self._shoppers.of_order(order_id)
        return await self._references.find(psid, order_id)

    async def _by_name(self, name: str) -> OrderReference:
        found = await self._references.called(name)
        if not found:
            raise OrderNotFoundError(
                f"no order {quote(name)} in the store of {self._domain}, by number or by id, and no file of that name;"
                " orders are kept for `ttl.order_reference`"
            )
        if len(found) > 1:
            ids = ", ".join(str(reference.order_id) for reference in found)
            raise OrderNotFoundError(f"several orders are called {quote(name)}: give the id of one, {ids}")
        return found[0]


def _anonymous(body: bytes, psid: str | None) -> bytes:
    """Put the made-up shopper in the place of the order's, whose id cart attributes carry."""
    if psid is None or len(psid) < _SHORTEST_PSID:
        return body
    return re.sub(rb"(?<![0-9])%b(?![0-9])" % psid.encode(), SAMPLE_PSID.encode(), body)
