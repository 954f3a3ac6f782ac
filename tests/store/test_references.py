from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shopbot.model.order import Order
from shopbot.model.shared_keys import SharedKeys
from shopbot.store.references import References
from support.stores import OpenStore, on_every_store, running_store

TTL_SECONDS = 31_536_000.0
PSID = "7312345678901234"
SENT_AT = datetime(2026, 11, 23, 10, 15, 32, tzinfo=UTC)
ORDER = Order(
    id=830_517_264_905_318_211,
    name="#1234",
    financial_status="paid",
    created_at=datetime(2026, 11, 23, 10, 15, tzinfo=UTC),
)
REFERENCE = f"order_reference:{PSID}:{ORDER.id}"
UNRESOLVED = f"order_reference:unresolved:{ORDER.id}"
MARK = f"order_confirmation:{PSID}:{ORDER.id}"


def references_of(store: OpenStore) -> References:
    return References(store.client, SharedKeys(), ttl_seconds=TTL_SECONDS)


async def read(store: OpenStore, key: str) -> dict[str, Any]:
    value = await store.client.get(key)
    assert value is not None
    fields: dict[str, Any] = json.loads(value)
    return fields


@on_every_store
async def test_a_saved_order_is_found_by_its_shopper(kind: str, tmp_path: Path) -> None:
    """The id is a text: it passes 2^53, and the other parts of a bot may be written in JavaScript."""
    async with running_store(kind, tmp_path) as store:
        await references_of(store).save(ORDER, PSID)

        assert await read(store, REFERENCE) == {
            "order_id": "830517264905318211",
            "order_number": "#1234",
            "created_at": "2026-11-23T10:15:00+00:00",
            "confirmed_at": None,
            "psid": PSID,
            "financial_status": "paid",
        }
        assert sorted(await store.client.keys("*")) == [REFERENCE.encode()]


@on_every_store
async def test_an_order_without_a_shopper_is_kept_until_the_shopper_is_known(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        await references.save(ORDER, None)
        assert (await read(store, UNRESOLVED))["psid"] is None

        await references.save(ORDER, PSID)

        assert sorted(await store.client.keys("*")) == [REFERENCE.encode()]


@on_every_store
async def test_a_confirmation_is_written_into_the_reference_and_marked(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        await references.save(ORDER, PSID)

        for _ in range(2):  # sent again after a lost answer
            await references.confirm(ORDER, PSID, "m_1", SENT_AT)

        assert (await read(store, REFERENCE))["confirmed_at"] == SENT_AT.isoformat()
        assert await read(store, MARK) == {
            "order_id": str(ORDER.id),
            "message_id": "m_1",
            "confirmed_at": SENT_AT.isoformat(),
        }


@on_every_store
async def test_what_is_kept_lives_as_long_as_configured_from_the_last_change_on(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        await references.save(ORDER, None)
        assert TTL_SECONDS * 1000 - 60_000 < await store.client.pttl(UNRESOLVED) <= TTL_SECONDS * 1000
        await references.confirm(ORDER, PSID, "m_1", SENT_AT)
        await store.client.pexpire(REFERENCE, 1000)

        await references.save(ORDER, PSID)

        for key in (REFERENCE, MARK):
            assert TTL_SECONDS * 1000 - 60_000 < await store.client.pttl(key) <= TTL_SECONDS * 1000


@on_every_store
async def test_saving_a_confirmed_order_again_updates_it_and_keeps_when_it_was_confirmed(
    kind: str, tmp_path: Path
) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        await references.confirm(ORDER, PSID, "m_1", SENT_AT)

        await references.save(ORDER.model_copy(update={"financial_status": "partially_refunded"}), PSID)

        reference = await read(store, REFERENCE)
        assert (reference["financial_status"], reference["confirmed_at"]) == ("partially_refunded", SENT_AT.isoformat())


@on_every_store
@pytest.mark.parametrize("foreign", ["no JSON", "[1, 2]", '{"confirmed_at": 12}', '"text"', "null", b"\xff\xfe"])
async def test_what_others_wrote_under_the_key_is_replaced(kind: str, tmp_path: Path, foreign: str | bytes) -> None:
    async with running_store(kind, tmp_path) as store:
        await store.client.set(REFERENCE, foreign)

        await references_of(store).save(ORDER, PSID)

        assert (await read(store, REFERENCE))["confirmed_at"] is None


@on_every_store
async def test_an_order_that_is_saved_while_it_is_being_confirmed_stays_confirmed(kind: str, tmp_path: Path) -> None:
    """`orders/create` and `orders/paid` come at the same moment, and each saves the order."""
    async with running_store(kind, tmp_path) as store:
        references = [References(store.another(), SharedKeys(), ttl_seconds=TTL_SECONDS) for _ in range(3)]
        for number in range(40):
            order = ORDER.model_copy(update={"id": number})
            await asyncio.gather(
                references[0].save(order, PSID),
                references[1].confirm(order, PSID, "m_1", SENT_AT + timedelta(seconds=number)),
                references[2].save(order, PSID),
            )

            reference = await read(store, f"order_reference:{PSID}:{number}")
            assert reference["confirmed_at"] == (SENT_AT + timedelta(seconds=number)).isoformat()
