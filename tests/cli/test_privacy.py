from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shopbot.cli import build
from shopbot.store.connection import connect
from shopbot.store.embedded import EmbeddedServer
from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, SHOP, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import paid_order
from support.whole_store import contents, traces

JANE, JOHN = "7312345678901234", "7398765432109876"
ORDER, ANOTHER, JOHNS_ORDER = 830_517_264_905_318_211, 830_517_264_905_318_555, 830_517_264_905_318_977
ENVIRONMENT = {
    "SHOPIFY_WEBHOOK_SECRET": SECRET,
    "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
    "MESSENGER_URL": "http://127.0.0.1:1",
    "COLUMNS": "200",
}


def run(directory: Path, *arguments: str) -> Result:
    """Run the command line as an operator does."""
    return CliRunner().invoke(
        build(), ["privacy", *arguments, "--config", str(directory / "shopbot.yaml")], env=ENVIRONMENT
    )


async def beside(directory: Path, *arguments: str) -> Result:
    """Run it beside the host."""
    return await asyncio.to_thread(run, directory, *arguments)


def look_at(file: Path) -> tuple[str, int]:
    """Give what is in a file, and who may read it."""
    return file.read_text(encoding="utf-8"), file.stat().st_mode


async def a_customer(shop: ShopUnderTest) -> None:
    """Two orders of hers, one of which is a dead letter, and one of somebody else."""
    await shop.finished(await shop.post("orders/paid", paid_order(order_id=ORDER, psid=JANE)))
    shop.messenger.inject(Fault.error(100, subcode=2018001).to(JANE))
    await shop.finished(await shop.post("orders/paid", paid_order(order_id=ANOTHER, psid=JANE)))
    await shop.finished(await shop.post("orders/paid", paid_order(order_id=JOHNS_ORDER, psid=JOHN)))


@pytest.mark.parametrize("who", [("--order", str(ORDER)), ("--psid", JANE)])
async def test_a_person_is_erased_beside_a_running_host(who: tuple[str, str], tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await a_customer(shop)
        johns = sorted(await traces(shop.store, [JOHN, str(JOHNS_ORDER)]))

        result = await beside(tmp_path, "erase", *who)

        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("2 orders, 1 shopper: ")
        assert await traces(shop.store, [JANE, str(ORDER), str(ANOTHER)]) == []
        assert sorted(await traces(shop.store, [JOHN, str(JOHNS_ORDER)])) == johns
        late = await shop.finished(await shop.post("orders/updated", paid_order(order_id=ORDER, psid=JANE)))
        assert late.reason == "REDACTED"
        assert not await shop.store.exists(shop.keys.log_rewrite)


async def test_a_dry_run_only_counts(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await a_customer(shop)
        before = await contents(shop.store)

        table = await beside(tmp_path, "erase", "--order", str(ORDER), "--dry-run")
        counts = json.loads((await beside(tmp_path, "erase", "--psid", JANE, "--dry-run", "--json")).stdout)
        everything = json.loads((await beside(tmp_path, "erase", "--shop", SHOP, "--dry-run", "--json")).stdout)

        assert (await contents(shop.store)).keys() == before.keys()
    assert counts["would_erase"]["order_reference"] == 2
    assert everything["would_erase"]["order_reference"] == 3
    assert "order_reference" in table.stdout
    assert JANE not in table.stdout


async def test_an_export_is_written_named_and_listed(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await a_customer(shop)

        written = await beside(tmp_path, "export", "--order", str(ORDER))
        again = json.loads((await beside(tmp_path, "export", "--psid", JANE, "--json")).stdout)
        listed = json.loads((await beside(tmp_path, "ls", "--json")).stdout)
        table = (await beside(tmp_path, "ls")).stdout

    file = Path(written.stdout.strip())
    text, mode = look_at(file)
    assert {entry["file"] for entry in listed} == {str(file), again["file"]}
    assert str(file) in table
    assert mode & 0o077 == 0
    assert str(ORDER) in text
    assert str(ANOTHER) in text
    assert str(JOHNS_ORDER) not in text
    assert JANE not in file.name


async def test_everything_is_erased_only_by_the_shop_s_own_name(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await a_customer(shop)
        wrong = await beside(tmp_path, "erase", "--shop", "other.myshopify.com")
        mixed = await beside(tmp_path, "erase", "--shop", SHOP, "--psid", JANE)
        assert (wrong.exit_code, mixed.exit_code) == (2, 2)
        assert SHOP in wrong.output
        assert await traces(shop.store, [JANE])

        result = await beside(tmp_path, "erase", "--shop", SHOP, "--json")

        assert result.exit_code == 0, result.output
        assert "records erased" in json.loads(result.stdout)["erased"]
        assert await traces(shop.store, [JANE, JOHN]) == []
        # The host goes on with an empty store.
        await shop.finished(await shop.post("app/uninstalled", b'{"id": 5}'))


def test_without_a_host_it_starts_the_store_by_itself(tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text(CONFIG, encoding="utf-8")

    async def kept(url: str, *, fill: bool) -> list[str]:
        client = connect(url)
        try:
            if fill:
                await client.set(f"cart:{JANE}", "{}")
            return await traces(client, [JANE])
        finally:
            await client.aclose()

    with EmbeddedServer(tmp_path / "data") as server:
        assert asyncio.run(kept(server.url, fill=True))

    result = run(tmp_path, "erase", "--psid", JANE)

    assert result.exit_code == 0, result.output
    assert not [file for file in (tmp_path / "data").rglob("*.aof") if JANE.encode() in file.read_bytes()]
    with EmbeddedServer(tmp_path / "data") as server:
        assert asyncio.run(kept(server.url, fill=False)) == []


@pytest.mark.parametrize("verb", ["export", "erase"])
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "say who is meant"),
        (("--order", "#1234"), "and not its name"),
        (("--psid", "jane"), "1 to 32 digits"),
    ],
)
def test_who_is_meant_must_be_said(verb: str, arguments: tuple[str, ...], complaint: str, tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text(CONFIG, encoding="utf-8")

    result = run(tmp_path, verb, *arguments)

    assert result.exit_code == 2
    assert complaint in " ".join(result.output.replace("│", " ").split())


def test_a_broken_configuration_is_explained(tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text("shop: {}\n", encoding="utf-8")

    for arguments in (("ls",), ("erase", "--psid", JANE)):
        result = run(tmp_path, *arguments)
        assert result.exit_code == 1
        assert "shopbot.yaml:1:" in result.output


def test_no_exports_are_no_problem_and_each_says_when_it_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text(CONFIG + "ttl: {export: 10d}\n", encoding="utf-8")
    empty = run(tmp_path, "ls")
    exports = tmp_path / "data" / "exports"
    exports.mkdir(parents=True)
    (exports / "acme.data-request-1.json").write_text("{}", encoding="utf-8")
    made = time.time() - 3 * 86_400
    os.utime(exports / "acme.data-request-1.json", (made, made))
    (entry,) = json.loads(run(tmp_path, "ls", "--json").stdout)

    assert (empty.exit_code, empty.stdout) == (0, f"no exports in {exports}\n")
    assert entry["size_bytes"] == 2
    assert entry["made_at"] < entry["deleted_at"]
