from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shopbot.testing.host import PAGE_TOKEN, SECRET
from shopbot.testing.messenger import MessengerSimulator
from support.attacked_shop import config, message
from support.command_line import Ended, shopbot

APP_SECRET = "test-app-secret"
WORDS = {
    "en": "Your order {{1}} is confirmed and arrives on {{2}}, as promised.",
    "de": "Deine Bestellung {{1}} ist bestätigt und kommt am {{2}} an.",
}
PARAMETERS = ["{{ order.name }}", "{{ order.estimated_delivery | date }}"]


@dataclass
class Terminal:
    """The command line beside a Page."""

    page: MessengerSimulator
    directory: Path
    environ: Mapping[str, str]

    async def templates(self, *arguments: str, **sections: Any) -> Ended:  # noqa: ANN401 - YAML
        settings = {
            "name": "shop_order_confirmation",
            "language": "en",
            "body": WORDS,
            "parameters": PARAMETERS,
            **sections,
        }
        text = config(sender={"app_secret": "${MESSENGER_APP_SECRET}"}, messages=message(utility_template=settings))
        (self.directory / "shopbot.yaml").write_text(text, encoding="utf-8")
        return await asyncio.to_thread(
            shopbot, "templates", *arguments, directory=self.directory, environ=self.environ, columns=160
        )

    async def listed(self, *arguments: str, **sections: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - YAML
        rows: list[dict[str, Any]] = json.loads((await self.templates(*arguments, "--json", **sections)).output)
        return rows


@asynccontextmanager
async def terminal(directory: Path) -> AsyncIterator[Terminal]:
    """Give a command line whose Page demands proof of the app's secret."""
    page = MessengerSimulator(access_token=PAGE_TOKEN, app_secret=APP_SECRET, require_appsecret_proof=True)
    async with page.serve() as url:
        environ = {
            "SHOPIFY_WEBHOOK_SECRET": SECRET,
            "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
            "MESSENGER_APP_SECRET": APP_SECRET,
            "MESSENGER_URL": url,
        }
        yield Terminal(page, directory, environ)


async def test_status_only_looks(tmp_path: Path) -> None:
    async with terminal(tmp_path) as shell:
        ended = await shell.templates("status")

        assert ended.exit_code == 1
        assert list(shell.page.templates) == []
        rows = [line.split() for line in ended.output.splitlines()]
        assert rows == [
            ["message", "template", "language", "status", "reason"],
            ["order_confirmation", "shop_order_confirmation", "en", "missing"],
            ["order_confirmation", "shop_order_confirmation", "de", "missing"],
        ]


async def test_push_submits_every_language_with_examples_and_says_what_became_of_them(tmp_path: Path) -> None:
    async with terminal(tmp_path) as shell:
        ended = await shell.templates("push")

        assert (ended.exit_code, ended.errors) == (0, "")
        assert ended.output.count("approved") == 2
        made = {template.language: template for template in shell.page.templates}
        assert {language: template.body for language, template in made.items()} == WORDS
        examples = {language: template.components[0]["example"]["body_text"][0] for language, template in made.items()}
        assert [len(values) for values in examples.values()] == [2, 2]
        assert examples["en"][0].startswith("#")
        assert examples["en"][1] != examples["de"][1]  # a date, as each language writes it


async def test_push_may_be_repeated_and_leaves_what_is_there(tmp_path: Path) -> None:
    async with terminal(tmp_path) as shell:
        await shell.templates("push")
        before = [template.id for template in shell.page.templates]

        ended = await shell.templates("push")

        assert ended.exit_code == 0
        assert [template.id for template in shell.page.templates] == before


async def test_a_template_that_waits_for_its_approval_is_told_and_no_success(tmp_path: Path) -> None:
    async with terminal(tmp_path) as shell:
        shell.page.template_status = "PENDING"

        ended = await shell.templates("push")

        assert ended.exit_code == 1
        assert [row["status"] for row in await shell.listed("status")] == ["pending", "pending"]


async def test_a_rejection_is_told_with_metas_reason(tmp_path: Path) -> None:
    async with terminal(tmp_path) as shell:
        await shell.templates("push")
        for template in shell.page.templates:
            template.status, template.rejected_reason = "REJECTED", "TAG_SHOULD_BE_MARKETING"

        rows = await shell.listed("status")

        assert {(row["status"], row["reason"]) for row in rows} == {("rejected", "TAG_SHOULD_BE_MARKETING")}


async def test_other_words_under_a_name_that_is_taken_are_told(tmp_path: Path) -> None:
    """Meta changes no template that it has approved, so the new words would never be sent."""
    async with terminal(tmp_path) as shell:
        await shell.templates("push")

        rows = await shell.listed("push", body="Order {{1}} is confirmed. It arrives on {{2}} at the latest.")

        assert [(row["language"], row["status"], row["reason"]) for row in rows] == [
            ("en", "different", "give the one with these words a new name")
        ]


async def test_a_revoked_token_is_told_for_what_it_is(tmp_path: Path) -> None:
    async with terminal(tmp_path) as shell:
        shell.page.tokens.revoke()

        ended = await shell.templates("status")

        assert ended.exit_code == 1
        assert "the access token is invalid, expired or revoked" in ended.output
        assert PAGE_TOKEN not in ended.output + ended.errors


async def test_without_words_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    async with terminal(tmp_path) as shell:
        ended = await shell.templates("status", body=None)

        assert (ended.exit_code, ended.output) == (1, "")
        assert "no `utility_template:` has a `body:`" in ended.errors


async def test_a_sender_that_knows_no_templates_is_told(tmp_path: Path) -> None:
    text = config(senders=[{"use": "console"}])
    (tmp_path / "shopbot.yaml").write_text(text, encoding="utf-8")

    ended = shopbot("templates", "status", directory=tmp_path, environ={"SHOPIFY_WEBHOOK_SECRET": SECRET})

    assert ended.exit_code == 1
    assert "no entry of `senders:` knows of templates" in ended.errors


MISFITS = {
    "more values than places": ({"body": "Order {{1}} is on its way."}, "1 placeholder, and `parameters:` has 2"),
    "a gap": ({"body": "Order {{1}} arrives on {{3}} for sure."}, "numbered {{1}}, {{2}} and so on, without a gap"),
    "a placeholder at the end": ({"body": "Order {{1}} arrives on {{2}}"}, "neither begin nor end with a placeholder"),
    "too long": ({"body": "{{1}} {{2}} " + "x" * 1024}, "Messenger takes 1024"),
    "a name in capitals": ({"name": "OrderConfirmation"}, "lower-case letters"),
}


@pytest.mark.parametrize("case", MISFITS)
async def test_what_meta_would_not_take_is_found_by_check_with_its_place(tmp_path: Path, case: str) -> None:
    settings, expected = MISFITS[case]
    async with terminal(tmp_path) as shell:
        await shell.templates("status", **settings)
        ended = await asyncio.to_thread(shopbot, "check", directory=tmp_path, environ=shell.environ, columns=160)

    assert ended.exit_code == 1
    assert expected in ended.output, ended.output
    assert "shopbot.yaml:" in ended.output
