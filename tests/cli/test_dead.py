from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shopbot.cli import build
from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET, ShopUnderTest, shop_under_test
from shopbot.testing.messenger import Fault
from shopbot.testing.orders import paid_order

PSID = "7312345678901234"


async def shopbot(directory: Path, shop: ShopUnderTest, *arguments: str, columns: int = 200) -> Result:
    """Run the command line beside the host, as an operator does."""
    environment = {
        "SHOPIFY_WEBHOOK_SECRET": SECRET,
        "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
        "MESSENGER_URL": "http://127.0.0.1:1",
        "COLUMNS": str(columns),
    }
    return await asyncio.to_thread(
        CliRunner().invoke,
        build(),
        ["dead", *arguments, "--config", str(directory / "shopbot.yaml")],
        env=environment,
    )


async def refused_order(shop: ShopUnderTest, order_id: int = 1) -> str:
    """Leave a dead letter: Messenger refuses the message for good."""
    shop.messenger.inject(Fault.error(100, subcode=2018001))
    event_id = await shop.post("orders/paid", paid_order(psid=PSID, order_id=order_id))
    record = await shop.finished(event_id)
    assert (record.status, record.reason) == ("failed", "MESSAGE_SEND_FAILED")
    return event_id


async def test_a_refused_message_is_listed_with_why(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        event_id = await refused_order(shop)

        listed = json.loads((await shopbot(tmp_path, shop, "ls", "--json")).stdout)

    assert [(letter["event_id"], letter["rule"], letter["step"]) for letter in listed] == [
        (event_id, "order_confirmation", "4:send_message")
    ]
    assert "100/2018001" in listed[0]["detail"]


async def test_the_table_shows_no_whole_psid(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        event_id = await refused_order(shop)

        table = (await shopbot(tmp_path, shop, "ls")).stdout
        shown = (await shopbot(tmp_path, shop, "show", event_id)).stdout

    assert event_id in table
    assert "4:send_message" in shown
    assert PSID not in table + shown


async def test_at_80_columns_nothing_is_cut_that_other_verbs_need(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        event_id = await refused_order(shop)

        listed = (await shopbot(tmp_path, shop, "ls", columns=80)).stdout
        shown = (await shopbot(tmp_path, shop, "show", event_id, columns=80)).stdout

    assert listed.startswith(f"{event_id}  orders/paid\n  MESSAGE_SEND_FAILED in order_confirmation, after ")
    assert shown.startswith(f"{event_id}  orders/paid\n")
    assert "3:save_order_reference done" in shown
    assert "…" not in shown.replace("…1234", "")


@pytest.mark.parametrize("verb", ["ls", "replay", "purge"])
async def test_a_misspelt_code_is_not_taken_for_nothing_dead(tmp_path: Path, verb: str) -> None:
    async with shop_under_test(tmp_path) as shop:
        result = await shopbot(tmp_path, shop, verb, "--code", "MESSAGE_SEND_FAILD")

    assert result.exit_code == 2
    assert "no reason code 'MESSAGE_SEND_FAILD'; did you mean 'MESSAGE_SEND_FAILED'?" in result.stderr


@pytest.mark.parametrize(
    ("option", "count"),
    [
        (("--code", "MESSAGE_SEND_FAILED"), 1),
        (("--code", "IN_DOUBT"), 0),
        (("--rule", "order_confirmation"), 1),
        (("--rule", "another"), 0),
        (("--newer-than", "1h"), 1),
        (("--older-than", "1h"), 0),
    ],
)
async def test_filters_select(tmp_path: Path, option: tuple[str, str], count: int) -> None:
    async with shop_under_test(tmp_path) as shop:
        await refused_order(shop)

        listed = json.loads((await shopbot(tmp_path, shop, "ls", "--json", *option)).stdout)

    assert len(listed) == count


async def test_a_replay_sends_what_was_not_sent(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        event_id = await refused_order(shop)

        result = await shopbot(tmp_path, shop, "replay", event_id)
        messages = await shop.messenger.wait_for_sent(1)
        await shop.finished(event_id)
        again = await shopbot(tmp_path, shop, "replay", event_id)

    assert result.stdout == "1 dead letter replayed\n"
    assert again.stdout == "0 dead letters replayed\n"
    assert (again.exit_code, again.stderr) == (1, f"no dead letter '{event_id}'\n")
    assert len(messages) == 1


async def test_a_replay_of_an_order_that_another_event_confirmed_sends_nothing(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        dead = await refused_order(shop)
        confirmed = await shop.post("orders/updated", paid_order(psid=PSID, order_id=1))
        await shop.finished(confirmed)

        await shopbot(tmp_path, shop, "replay", dead)
        async with asyncio.timeout(60):
            while (record := await shop.records.event(dead)) is None or record.reason != "ALREADY_CONFIRMED":
                await asyncio.sleep(0.01)

        assert shop.messenger.sent_count == 1


async def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await refused_order(shop)

        result = await shopbot(tmp_path, shop, "purge", "--all", "--dry-run")
        left = json.loads((await shopbot(tmp_path, shop, "ls", "--json")).stdout)

    assert "1 dead letter would be purged" in result.stdout
    assert len(left) == 1


async def test_a_purge_erases_the_body_and_keeps_the_journal(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        event_id = await refused_order(shop)

        result = await shopbot(tmp_path, shop, "purge", event_id)
        record = await shop.records.event(event_id)
        body = await shop.store.hget(shop.keys.event(event_id), "body")
        life_ms = await shop.store.pttl(shop.keys.journal(event_id))

    assert result.stdout == "1 dead letter purged\n"
    assert record is not None
    assert record.journal
    assert body is None
    assert life_ms > 0


async def test_nothing_is_replayed_without_saying_what(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        await refused_order(shop)

        result = await shopbot(tmp_path, shop, "replay")

    assert result.exit_code == 2
    assert "say which dead letters" in result.output


async def test_one_is_shown_with_its_journal_to_scripts_as_well(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        event_id = await refused_order(shop)

        shown = json.loads((await shopbot(tmp_path, shop, "show", event_id, "--json")).stdout)

    assert (shown["event_id"], shown["code"]) == (event_id, "MESSAGE_SEND_FAILED")
    assert [line["status"] for line in shown["journal"] if line["step"][:1] in ("1", "4")] == ["done", "failed"]


async def test_where_there_is_none_that_is_said(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path) as shop:
        listed = await shopbot(tmp_path, shop, "ls")
        shown = await shopbot(tmp_path, shop, "show", "webhook:1")
        purged = json.loads((await shopbot(tmp_path, shop, "purge", "--all", "--json")).stdout)

    assert (listed.exit_code, listed.stdout) == (0, "no dead letters\n")
    assert (shown.exit_code, shown.stderr) == (1, "no dead letter 'webhook:1'\n")
    assert purged == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("replay", "--all", "--only-rule", "order_confirmations"), "no rule named 'order_confirmations'"),
        (("purge", "--older-than", "a while"), "expected a duration such as 30m, 2h or 3d"),
    ],
)
async def test_what_selects_nothing_is_wrong_usage_and_changes_nothing(
    arguments: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    async with shop_under_test(tmp_path) as shop:
        await refused_order(shop)

        result = await shopbot(tmp_path, shop, *arguments)
        left = json.loads((await shopbot(tmp_path, shop, "ls", "--json")).stdout)

    assert result.exit_code == 2
    assert complaint in result.output
    assert len(left) == 1


TWO_RULES = CONFIG.replace(
    "messages:\n",
    """\
  - {name: thanks, on: [orders/paid], once_per: order, steps: [resolve_psid, {send_message: thanks}]}
messages:
  thanks: {tag: order_update, text: "Thank you!", utility_template: none}
""",
)


async def test_a_replay_can_be_of_one_rule_alone(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=TWO_RULES) as shop:
        shop.messenger.inject(Fault.error(100, subcode=2018001))
        event_id = await refused_order(shop)
        assert shop.messenger.sent_count == 0

        result = await shopbot(tmp_path, shop, "replay", event_id, "--only-rule", "thanks")
        (message,) = await shop.messenger.wait_for_sent(1)
        record = await shop.finished(event_id)

    assert result.exit_code == 0
    assert message.text == "Thank you!"
    sends = [line.rule for line in record.journal if line.step.endswith(":send_message")]
    assert sends == ["order_confirmation", "thanks", "thanks"]


DOUBT = CONFIG + "in_doubt: {deadline: 100ms}\n"


async def test_a_message_in_doubt_is_sent_again_only_on_a_persons_word(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=DOUBT) as shop:
        shop.messenger.inject(Fault.reset())
        event_id = await shop.post("orders/paid", paid_order(psid=PSID, order_id=1))
        record = await shop.finished(event_id)
        assert (record.status, record.reason) == ("failed", "IN_DOUBT")

        await shopbot(tmp_path, shop, "replay", event_id)
        async with asyncio.timeout(60):
            while (await shop.store.zscore(shop.keys.dead, event_id)) is None:
                await asyncio.sleep(0.01)
        assert shop.messenger.sent_count == 0

        await shopbot(tmp_path, shop, "replay", event_id, "--not-received")
        messages = await shop.messenger.wait_for_sent(1)

    assert len(messages) == 1
