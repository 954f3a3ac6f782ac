from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shopbot.model.order import Order
from shopbot.model.order_reference import OrderReference
from shopbot.model.parcel import Parcel, ParcelStatus
from shopbot.model.shared_keys import SharedKeys
from shopbot.store.references import MOST_INDEXED, References
from support.store_parts import KEYS
from support.stores import OpenStore, on_every_store, on_real_stores, running_store

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
INDEX = KEYS.orders_of(PSID)
MARK = f"order_confirmation:{PSID}:{ORDER.id}"


def references_of(store: OpenStore) -> References:
    return References(store.client, KEYS, SharedKeys(), ttl_seconds=TTL_SECONDS)


def order(number: int) -> Order:
    """Make an order; a higher number is a later one."""
    created_at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=number)
    return Order(id=number, name=f"#{number}", financial_status="paid", created_at=created_at)


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
            "fulfillment_status": None,
            "cancelled_at": None,
            "updated_at": None,
            "locale": None,
            "status": "preparing",
            "tracking": [],
            "refunds": [],
        }
        assert sorted(await store.client.keys("*")) == [REFERENCE.encode(), INDEX.encode()]


@on_every_store
async def test_an_order_without_a_shopper_is_kept_until_the_shopper_is_known(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        await references.save(ORDER, None)
        assert (await read(store, UNRESOLVED))["psid"] is None

        await references.save(ORDER, PSID)

        assert sorted(await store.client.keys("*")) == [REFERENCE.encode(), INDEX.encode()]


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


@on_real_stores
async def test_a_reference_that_was_just_saved_is_confirmed_without_being_read(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        saved = await references.save(ORDER, PSID)
        await store.client.pexpire(REFERENCE, 1000)
        gets = await store.calls("get")

        await references.confirm(ORDER, PSID, "m_1", SENT_AT, saved=saved)

        # The script that writes compares by itself.
        assert await store.calls("get") == gets + 1
        found = await references.find(PSID, ORDER.id)
        assert found == saved.model_copy(update={"confirmed_at": SENT_AT})
        assert await store.client.pttl(REFERENCE) > TTL_SECONDS * 1000 - 60_000
        assert (await read(store, MARK))["message_id"] == "m_1"


@on_every_store
async def test_news_that_came_after_the_saving_is_not_lost_by_the_confirmation(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        saved = await references.save(ORDER, PSID)
        later = ORDER.model_copy(update={"financial_status": "partially_refunded"})
        await references.save(later, PSID)

        await references.confirm(later, PSID, "m_1", SENT_AT, saved=saved)

        found = await references.find(PSID, ORDER.id)
        assert found is not None
        assert (found.financial_status, found.confirmed_at) == ("partially_refunded", SENT_AT)


@on_every_store
async def test_an_order_that_was_saved_before_its_shopper_was_known_is_confirmed_under_them(
    kind: str, tmp_path: Path
) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        saved = await references.save(ORDER, None)

        await references.confirm(ORDER, PSID, "m_1", SENT_AT, saved=saved)

        found = await references.find(PSID, ORDER.id)
        assert found is not None
        assert found.confirmed_at == SENT_AT
        assert await references.find(None, ORDER.id) is None


@on_every_store
async def test_what_is_kept_lives_as_long_as_configured_from_the_last_change_on(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        await references.save(ORDER, None)
        assert TTL_SECONDS * 1000 - 60_000 < await store.client.pttl(UNRESOLVED) <= TTL_SECONDS * 1000
        await references.confirm(ORDER, PSID, "m_1", SENT_AT)
        await store.client.pexpire(REFERENCE, 1000)
        await store.client.pexpire(INDEX, 1000)

        await references.save(ORDER, PSID)

        for key in (REFERENCE, MARK, INDEX):
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
        references = [References(store.another(), KEYS, SharedKeys(), ttl_seconds=TTL_SECONDS) for _ in range(3)]
        for number in range(40):
            order = ORDER.model_copy(update={"id": number})
            await asyncio.gather(
                references[0].save(order, PSID),
                references[1].confirm(order, PSID, "m_1", SENT_AT + timedelta(seconds=number)),
                references[2].save(order, PSID),
            )

            reference = await read(store, f"order_reference:{PSID}:{number}")
            assert reference["confirmed_at"] == (SENT_AT + timedelta(seconds=number)).isoformat()


@on_every_store
async def test_a_shoppers_orders_come_newest_first_whatever_order_they_were_saved_in(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        for number in (3, 1, 4, 2):
            await references.save(order(number), PSID)
        await references.save(order(9), "42")

        assert [found.order_id for found in await references.newest(PSID, 13)] == [4, 3, 2, 1]
        assert [found.order_id for found in await references.newest(PSID, 2)] == [4, 3]
        assert await references.newest("43", 13) == []


@on_every_store
async def test_an_order_whose_reference_is_gone_is_passed_over(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        for number in range(1, 5):
            await references.save(order(number), PSID)
        await store.client.delete(f"order_reference:{PSID}:4", f"order_reference:{PSID}:2")

        assert [found.order_id for found in await references.newest(PSID, 2)] == [3, 1]


@on_every_store
async def test_the_index_keeps_the_newest_orders_only(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        for number in range(MOST_INDEXED + 3):
            await references.save(order(number), PSID)

        assert await store.client.zcard(INDEX) == MOST_INDEXED
        assert [found.order_id for found in await references.newest(PSID, 1)] == [MOST_INDEXED + 2]


@on_every_store
async def test_an_order_is_found_by_its_own_shopper_only(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        await references.save(ORDER, PSID)

        found = await references.find(PSID, ORDER.id)
        assert found is not None
        assert found.number == "#1234"
        assert await references.find("42", ORDER.id) is None
        assert await references.find(PSID, 1) is None


@on_every_store
async def test_what_was_kept_while_the_shopper_was_unknown_goes_into_the_reference(kind: str, tmp_path: Path) -> None:
    """A parcel may be on its way before the webhook comes that tells whose it is."""
    parcel = Parcel(fulfillment_id=7, status=ParcelStatus.SHIPPED, company="DHL", number="0034")
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        await references.update(ORDER.id, None, lambda known: known.with_parcel(parcel, number="#1234"))
        assert (await read(store, UNRESOLVED))["tracking"][0]["number"] == "0034"

        await references.save(ORDER, PSID)

        reference = await read(store, REFERENCE)
        assert (reference["status"], reference["tracking"][0]["number"]) == ("shipped", "0034")
        assert await store.client.exists(UNRESOLVED) == 0


@on_every_store
async def test_news_that_come_at_the_same_time_are_all_kept(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = [references_of(store) for _ in range(8)]

        def shipped(number: int) -> Callable[[OrderReference], OrderReference]:
            parcel = Parcel(fulfillment_id=number, status=ParcelStatus.SHIPPED)
            return lambda known: known.with_parcel(parcel)

        await asyncio.gather(
            *(one.update(ORDER.id, PSID, shipped(number)) for number, one in enumerate(references)),
            references_of(store).confirm(ORDER, PSID, "m_1", SENT_AT),
        )

        reference = await read(store, REFERENCE)
        assert [entry["fulfillment_id"] for entry in reference["tracking"]] == [str(n) for n in range(8)]
        assert reference["confirmed_at"] == SENT_AT.isoformat()


@on_every_store
async def test_an_order_is_found_by_what_people_call_it(kind: str, tmp_path: Path) -> None:
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        for number in range(1, 1200):
            await references.save(order(number), PSID)
        await references.save(ORDER, None)
        for key in ("order_reference:7", "order_reference:of:somebody", b"order_reference:\xff:x"):
            await store.client.set(key, "not ours")
        other = References(store.client, KEYS, SharedKeys("other:"), ttl_seconds=TTL_SECONDS)
        await other.save(order(7), PSID)

        assert [(one.order_id, one.psid) for one in await references.called("#7")] == [(7, PSID)]
        assert [(one.order_id, one.psid) for one in await references.called("1234")] == [(ORDER.id, None)]
        assert [one.psid for one in await other.called("7")] == [PSID]
        assert list(await references.called("#123456")) == []


@on_every_store
async def test_all_orders_of_one_name_are_found(kind: str, tmp_path: Path) -> None:
    """Shops that share their numbers, or have begun anew."""
    async with running_store(kind, tmp_path) as store:
        references = references_of(store)
        for order_id in (1, 2):
            await references.save(ORDER.model_copy(update={"id": order_id, "name": "EN-1234"}), PSID)

        assert sorted(one.order_id for one in await references.called("en-1234")) == [1, 2]
