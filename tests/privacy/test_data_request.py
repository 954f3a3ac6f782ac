"""`customers/data_request`: everything about the customer in a file, and nothing about anybody else."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shopbot.privacy.files import ExportFiles
from shopbot.testing.host import CONFIG, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import paid_order
from support.compliance import EMAIL, ask, customer_redact, data_request, shop_redact
from support.conversation import ended, fulfillment, talking_shop, tell
from support.whole_store import contents

JANE, JOHN = "7312345678901234", "7398765432109876"
ORDER, ANOTHER, JOHNS_ORDER = 830_517_264_905_318_211, 830_517_264_905_318_555, 830_517_264_905_318_977


def exported(directory: Path, name: str = "acme.data-request-9265.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "data" / "exports" / name).read_text(encoding="utf-8"))
    return found


async def ordered(shop: ShopUnderTest, order_id: int, psid: str, **fields: Any) -> None:  # noqa: ANN401 - any field of an order
    await shop.finished(await shop.post("orders/paid", paid_order(order_id=order_id, psid=psid, **fields)))


async def test_all_that_is_kept_is_in_the_file_and_can_be_read(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        await shop.fill_cart(JANE, updated_at=datetime.now(UTC) + timedelta(days=1))
        said = await shop.messenger.say(JANE, "stop")
        await ended(shop, said)
        await tell(shop, "orders/paid", paid_order(order_id=ORDER, psid=JANE, email=EMAIL))
        await tell(shop, "fulfillments/create", fulfillment(ORDER))
        await ordered(shop, JOHNS_ORDER, JOHN)
        before = await contents(shop.store)

        record = await ask(shop, "customers/data_request", data_request([ORDER]))

        unchanged = {key: value for key, value in (await contents(shop.store)).items() if key in before}
        assert unchanged.keys() == before.keys()
    assert (record.status, record.journal[-2].detail) == ("done", "acme.data-request-9265.json")
    found = exported(tmp_path)
    records = {name: [one["value"] for one in kind["found"]] for name, kind in found["records"].items()}
    assert found["shoppers"] == [{"psid": JANE, "wants_no_messages": True}]
    assert found["request"]["email"] == EMAIL
    assert records["order_reference"][0]["tracking"][0]["number"] == "00340434161094042557"
    assert records["cart"][0]["items"] == [{"variant_id": 1, "quantity": 2}]
    assert datetime.fromisoformat(records["conversation"][0]) > datetime(2026, 1, 1, tzinfo=UTC)
    assert [line["step"] for line in records["journal"][0] if line["step"]]
    assert {"event", "order", "shopper", "orders_of", "events_of"} <= records.keys()
    assert found["records"]["cart"]["why"].startswith("The bot fills it")
    assert JOHN not in json.dumps(found)
    assert str(JOHNS_ORDER) not in json.dumps(found)


async def test_only_the_host_s_user_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with shop_under_test(tmp_path) as shop:
            await ask(shop, "customers/data_request", data_request([ORDER]))
    finally:
        os.umask(before)

    directory = tmp_path / "data" / "exports"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in directory.iterdir()] == [
        ("acme.data-request-9265.json", 0o600)
    ]


async def test_the_operator_is_told_where_it_is_and_of_nobody_whose_it_is(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await ordered(shop, ORDER, JANE)
        shop.logs.entries.clear()
        await ask(shop, "customers/data_request", data_request([ORDER]))
        (line,) = [entry for entry in shop.logs.entries if entry["event"] == "data_request_exported"]
        page = (await shop.http.get("/metrics")).text

    assert line["file"] == str(tmp_path / "data" / "exports" / "acme.data-request-9265.json")
    assert line["log_level"] == "warning"
    assert not [secret for secret in (JANE, EMAIL) if secret in str(shop.logs.entries)]
    asked = 'shop="acme.myshopify.com",status="done",topic="customers/data_request"'
    assert f"shopbot_privacy_requests_total{{{asked}}} 1.0" in page


async def test_what_a_typed_psid_leads_to_is_not_handed_to_whoever_typed_it(tmp_path: Path) -> None:
    """John orders with Jane's PSID in his cart, and asks for his data: he gets his order, and nothing of hers."""
    async with shop_under_test(tmp_path) as shop:
        await shop.fill_cart(JANE, updated_at=datetime.now(UTC) + timedelta(days=1))
        await ordered(shop, ORDER, JANE, email="jane@example.com")
        await ordered(shop, JOHNS_ORDER, JANE, email="john@example.com")
        shop.messenger.inject(Fault.error(100, subcode=2018001).to(JANE))
        await ordered(shop, ANOTHER, JANE, email="jane@example.com")  # a dead letter, with her body

        body = data_request([JOHNS_ORDER], customer={"id": 5, "email": "john@example.com"})
        await ask(shop, "customers/data_request", body)

    found = exported(tmp_path)
    text = json.dumps(found["records"])
    assert {"order_reference", "order_confirmation", "event", "journal"} <= found["records"].keys()
    assert found["records"].keys().isdisjoint({"cart", "checkout_token", "orders_of", "line"})
    assert str(JOHNS_ORDER) in text
    assert [secret for secret in (str(ORDER), str(ANOTHER), "jane@example.com") if secret in text] == []
    assert found["shoppers"] == []
    assert "which may be somebody else's" in found["notes"][0]
    assert "shopbot privacy export --psid" in found["notes"][0]


async def test_a_dead_letter_of_the_customer_is_shown_with_its_body(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        shop.messenger.inject(Fault.error(100, subcode=2018001))
        await ordered(shop, ANOTHER, JANE, email=EMAIL.upper())

        await ask(shop, "customers/data_request", data_request([]))

    (event,) = exported(tmp_path)["records"]["event"]["found"]
    assert event["value"]["body"]["email"] == EMAIL.upper()
    assert event["kept_until"] is None


async def test_a_secret_that_opens_a_cart_is_named_and_not_given_away(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await ordered(shop, ORDER, JANE)
        await shop.store.set(shop.shared.storefront_cart(JANE), "gid://shopify/Cart/abc?key=5ecre7")

        await ask(shop, "customers/data_request", data_request([ORDER]))

    text = json.dumps(exported(tmp_path))
    assert "storefront_cart:" in text
    assert "5ecre7" not in text


async def test_a_customer_of_whom_nothing_is_kept_gets_an_empty_file(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        assert (await ask(shop, "customers/data_request", data_request([ORDER]))).status == "done"

    assert exported(tmp_path)["records"] == {}


async def test_the_same_request_again_is_the_same_file(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        for _ in range(2):
            await ask(shop, "customers/data_request", data_request([ORDER]))
        unnumbered = await ask(shop, "customers/data_request", data_request([ORDER], data_request=None))

    names = sorted(file.name for file in (tmp_path / "data" / "exports").iterdir())
    assert len(names) == 2
    assert unnumbered.journal[-2].detail in names


async def test_a_disk_that_takes_no_file_is_a_clear_failure_and_no_store_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "exports").write_text("a file where a directory should be", encoding="utf-8")
    async with shop_under_test(tmp_path) as shop:
        record = await ask(shop, "customers/data_request", data_request([ORDER]))

    assert (record.status, record.reason) == ("failed", "EXPORT_FAILED")
    assert str(tmp_path / "data" / "exports") in record.journal[-2].detail


async def test_exports_are_deleted_after_their_time(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=CONFIG + "ttl: {export: 10d}\n") as shop:
        await ask(shop, "customers/data_request", data_request([ORDER], 1))
        await ask(shop, "customers/data_request", data_request([ORDER], 2))
        old = (datetime.now(UTC) - timedelta(days=10, minutes=1)).timestamp()
        os.utime(tmp_path / "data" / "exports" / "acme.data-request-1.json", (old, old))
        await shop.host._retention.enforce()

    assert [file.name for file in (tmp_path / "data" / "exports").iterdir()] == ["acme.data-request-2.json"]


async def test_exports_of_somebody_go_when_they_are_erased(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await ordered(shop, ORDER, JANE)
        await ordered(shop, JOHNS_ORDER, JOHN)
        await ask(shop, "customers/data_request", data_request([ORDER], 1))
        await ask(shop, "customers/data_request", data_request([JOHNS_ORDER], 2, customer=None))
        await ask(shop, "customers/data_request", data_request([], 3, customer={"email": EMAIL.upper()}))
        await ask(shop, "customers/redact", customer_redact([ORDER]))

        exports = tmp_path / "data" / "exports"
        assert [file.name for file in exports.iterdir()] == ["acme.data-request-2.json"]
        await ask(shop, "shop/redact", shop_redact())
        assert list(exports.iterdir()) == []


async def test_an_export_that_cannot_be_deleted_keeps_the_erasure_from_being_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted")

    async with shop_under_test(tmp_path) as shop:
        await ask(shop, "customers/data_request", data_request([ORDER]))
        monkeypatch.setattr(Path, "unlink", refuse)
        record = await ask(shop, "customers/redact", customer_redact([ORDER]))
        monkeypatch.undo()

    assert (record.status, record.reason) == ("failed", "PLUGIN_FAILED")
    assert "an export cannot be deleted: Operation not permitted" in record.journal[-2].detail


def test_drafts_and_strange_files_are_neither_listed_nor_deleted(tmp_path: Path) -> None:
    files = ExportFiles(tmp_path, "acme.myshopify.com", ttl=timedelta(days=1))
    assert files.list() == []
    files.write("export-1", {"a": "ä\udc80"})
    others = [".acme.export-2.json-abcd", "acme-eu.export-1.json", "notes.txt"]
    for name in others:
        (files.directory / name).touch()

    assert [export.path.name for export in files.list()] == ["acme.export-1.json"]
    assert [path.name for path in files.delete_old(datetime.now(UTC) + timedelta(days=2))] == ["acme.export-1.json"]
    assert sorted(file.name for file in files.directory.iterdir()) == others


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    files = ExportFiles(tmp_path, "acme.myshopify.com", ttl=timedelta(days=1))
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        files.write("export-1", {})
    assert list(files.directory.iterdir()) == []
