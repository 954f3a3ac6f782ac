"""Backups of the embedded store: taken while it works, and put back."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shopbot.store.embedded import EmbeddedServer
from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, shop_under_test
from shopbot.testing.messenger import MessengerSimulator
from shopbot.testing.orders import paid_order
from support.command_line import Ended, shopbot
from support.documents import ROOT
from support.embedded_store import client_of, nothing_holds
from support.host_process import tcp_store

ENVIRON = {
    "SHOPIFY_WEBHOOK_SECRET": SECRET,
    "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
    "MESSENGER_URL": "http://127.0.0.1:1",
}


def orders(first: int, last: int) -> Mapping[str, dict[str, Any]]:
    return {f"wh-{n}": paid_order(order_id=n, number=n, psid=str(7_000_000 + n)) for n in range(first, last + 1)}


BEFORE, MEANWHILE = orders(1001, 1010), orders(2001, 2060)


def back_up(directory: Path, target: Path, *options: str, **environ: str) -> Ended:
    return shopbot("backup", str(target), *options, directory=directory, environ={**ENVIRON, **environ})


def prepared(directory: Path, config: str = CONFIG) -> Path:
    """Make a shop's directory; gives where its store is."""
    (directory / "shopbot.yaml").write_text(config, encoding="utf-8")
    return directory / "data"


def filled(data_dir: Path, keys: int) -> None:
    with EmbeddedServer(data_dir) as server, client_of(server.url) as client:
        client.mset({f"key:{number}": "value" * 100 for number in range(keys)})


async def test_what_is_backed_up_under_load_and_restored_knows_what_was_sent(tmp_path: Path) -> None:
    """Shopify repeats everything to the restored host: those who have read a confirmation read no other one."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    page = MessengerSimulator(access_token=PAGE_TOKEN)
    async with shop_under_test(first, messenger=page) as shop:
        for name, order in BEFORE.items():
            await shop.finished(await shop.post("orders/paid", order, webhook_id=name))
        posts = [
            asyncio.create_task(shop.post("orders/paid", order, webhook_id=name)) for name, order in MEANWHILE.items()
        ]
        await page.wait_for_sent(len(BEFORE) + 1)
        ended = await asyncio.to_thread(back_up, first, tmp_path / "copy", "--json")
        for event in await asyncio.gather(*posts):
            await shop.finished(event)
    assert page.sent_count == len(BEFORE) + len(MEANWHILE)
    assert ended.exit_code == 0, ended.errors
    assert json.loads(ended.output)["keys"] > 3 * len(BEFORE)

    shutil.copytree(tmp_path / "copy", second / "data")
    async with shop_under_test(second, messenger=page) as shop:
        references = [
            await shop.store.get(shop.shared.order_reference(order["note_attributes"][0]["value"], order["id"]))
            for order in BEFORE.values()
        ]
        repeated = [await shop.post("orders/updated", order, webhook_id=f"{n}-again") for n, order in BEFORE.items()]
        ends = {(r.status, r.reason) for r in [await shop.finished(event) for event in repeated]}

    assert all(json.loads(reference or "{}")["confirmed_at"] for reference in references)
    assert ends == {("skipped", "ALREADY_CONFIRMED")}
    read = Counter(message.psid for message in page.sent)
    assert [read[order["note_attributes"][0]["value"]] for order in BEFORE.values()] == [1] * len(BEFORE)


async def test_restored_to_an_earlier_moment_it_leaves_out_what_was_ordered_before_the_failure(tmp_path: Path) -> None:
    """The backup does not know what was sent after it; the line of docs/deploy.md keeps that from being sent again."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    page = MessengerSimulator(access_token=PAGE_TOKEN)
    known, forgotten, later = (
        paid_order(order_id=n, psid=str(7_000_000 + n), created_at=datetime(2026, 11, 26, n, 0, tzinfo=UTC))
        for n in (1, 2, 3)
    )
    async with shop_under_test(first, messenger=page) as shop:
        await shop.finished(await shop.post("orders/paid", known))
        assert (await asyncio.to_thread(back_up, first, tmp_path / "copy")).exit_code == 0
        await shop.finished(await shop.post("orders/paid", forgotten))

    shutil.copytree(tmp_path / "copy", second / "data")
    cut_off = "    if: order.created_at | datetime('yyyy-MM-dd HH:mm') >= '2026-11-26 03:00'\n"
    assert cut_off in (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    config = CONFIG.replace("    once_per: order\n", cut_off + "    once_per: order\n")
    async with shop_under_test(second, config=config, messenger=page) as shop:
        events = [await shop.post("orders/updated", order) for order in (known, forgotten, later)]
        ends = [(await shop.finished(event)).reason for event in events]

    assert ends == ["CONDITION_FALSE", "CONDITION_FALSE", ""]
    assert sorted(message.psid for message in page.sent) == ["7000001", "7000002", "7000003"]


def test_a_log_that_is_written_anew_meanwhile_is_copied_whole(tmp_path: Path) -> None:
    data_dir = prepared(tmp_path)
    filled(data_dir, 2_000)
    with EmbeddedServer(data_dir) as server, client_of(server.url) as client:
        for round_ in range(3):
            client.bgrewriteaof()
            ended = back_up(tmp_path, tmp_path / f"copy-{round_}", "--json")

            assert ended.exit_code == 0, ended.errors
            assert json.loads(ended.output)["keys"] == 2_000


def test_it_needs_no_host_and_leaves_only_what_is_to_be_put_back(tmp_path: Path) -> None:
    data_dir = prepared(tmp_path)
    filled(data_dir, 3)

    ended = back_up(tmp_path, tmp_path / "copies" / "today")

    assert (ended.exit_code, ended.errors) == (0, "")
    assert "loads, with 3 keys" in ended.output
    copy = tmp_path / "copies" / "today"
    assert [path.name for path in copy.iterdir()] == ["appendonlydir"]
    assert [path.name for path in copy.parent.iterdir()] == ["today"]
    assert copy.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in (copy / "appendonlydir").iterdir())
    assert nothing_holds(data_dir)


def test_a_copy_of_a_command_that_is_half_written_is_put_back_without_it(tmp_path: Path) -> None:
    """As when the server was writing at that moment."""
    data_dir = prepared(tmp_path)
    filled(data_dir, 3)
    (log,) = (data_dir / "appendonlydir").glob("*.incr.aof")
    with log.open("ab") as writing:
        writing.write(b"*3\r\n$3\r\nSET\r\n$3\r\nkey")

    ended = back_up(tmp_path, tmp_path / "copy", "--json")

    assert json.loads(ended.output)["keys"] == 3
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["appendonlydir"]


def test_without_the_proof_the_copy_is_not_loaded(tmp_path: Path) -> None:
    data_dir = prepared(tmp_path)
    filled(data_dir, 3)

    ended = back_up(tmp_path, tmp_path / "copy", "--no-prove")

    assert ended.exit_code == 0
    assert "not tried" in ended.output


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda data_dir: None, "holds no store"),
        (lambda data_dir: (data_dir.parent / "copy").mkdir(), "is there already"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_left(tmp_path: Path, damage: Any, complaint: str) -> None:  # noqa: ANN401 - a lambda
    data_dir = prepared(tmp_path)
    damage(data_dir)
    before = sorted(tmp_path.rglob("*"))

    ended = back_up(tmp_path, tmp_path / "copy")

    assert ended.exit_code == 1
    assert complaint in ended.errors
    assert sorted(tmp_path.rglob("*")) == before


def test_a_copy_that_cannot_be_loaded_is_not_kept(tmp_path: Path) -> None:
    data_dir = prepared(tmp_path)
    filled(data_dir, 3)
    (log,) = (data_dir / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(b"rubbish" + log.read_bytes())

    ended = back_up(tmp_path, tmp_path / "copy")

    assert ended.exit_code == 1
    assert "the copy cannot be loaded" in ended.errors
    assert not list(tmp_path.glob("copy*"))


def test_a_server_of_one_s_own_is_backed_up_there(tmp_path: Path) -> None:
    prepared(tmp_path, CONFIG + "store: redis://:hush@127.0.0.1:1/0\n")

    ended = back_up(tmp_path, tmp_path / "copy")

    assert ended.exit_code == 1
    assert "the store is a server of your own (redis://***@127.0.0.1:1/0)" in ended.errors


async def test_a_server_of_one_s_own_takes_over_from_the_embedded_store_by_a_copy(tmp_path: Path) -> None:
    data_dir = prepared(tmp_path)
    filled(data_dir, 3)
    assert (await asyncio.to_thread(back_up, tmp_path, tmp_path / "copy")).exit_code == 0

    async with tcp_store(tmp_path / "copy") as url:
        with client_of(url) as client:
            assert client.dbsize() == 3
