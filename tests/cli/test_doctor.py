"""`shopbot doctor` as an operator types it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from shopbot.cli.doctor_page import print_report
from shopbot.doctor.report import Entry, Report
from shopbot.model.finding import Finding
from shopbot.testing.host import PAGE_TOKEN, SECRET
from support.attacked_shop import APP_SECRET, SHOPIFY_HMAC, config
from support.command_line import Ended, shopbot
from support.patient import ADMIN_TOKEN, POLLER, Patient, a_patient
from support.proxy import proxy, rewritten_json

SECRETS = (SECRET, PAGE_TOKEN, APP_SECRET, ADMIN_TOKEN)


AGELESS: Mapping[str, Any] = {
    "sender": {"api_url": "${MESSENGER_URL}/v99.0"},
    "pollers": [{**POLLER, "api_version": "unstable"}],
}
"""Versions that no day ends: the command line looks at the real calendar."""


async def doctor(patient: Patient, *arguments: str, **environ: str) -> Ended:
    """Call the doctor beside the host."""
    variables = {**patient.environ, **environ}
    return await asyncio.to_thread(
        shopbot, "doctor", *arguments, directory=patient.path.parent, environ=variables, columns=120
    )


async def test_a_healthy_shop_ends_with_0_and_an_ill_one_with_1(tmp_path: Path) -> None:
    async with a_patient(tmp_path, **AGELESS) as patient:
        well = await doctor(patient, "--url", patient.shop.url)
        told = json.loads((await doctor(patient, "--url", patient.shop.url, "--json")).output)
        patient.page.tokens.revoke()
        async with proxy(patient.shop.url, rewrite=rewritten_json) as url:
            ill = await doctor(patient, "--url", url)
            told_ill = json.loads((await doctor(patient, "--url", url, "--json")).output)

    assert (well.exit_code, well.errors) == (0, ""), well.output
    assert "✗" not in well.output
    assert (told["healthy"], told["counts"]["problem"]) == (True, 0)
    assert {finding["area"] for finding in told["findings"]} >= {"store", "clock", "work", "senders[0]:messenger"}

    assert (ill.exit_code, ill.errors) == (1, "")
    assert "✗ the body is changed on the way to" in ill.output
    assert "→ have the proxy, CDN or firewall pass bodies on untouched" in ill.output
    assert told_ill["healthy"] is False
    revoked = [one for one in told_ill["findings"] if "revoked" in one["what"]]
    assert {one["area"] for one in revoked} == {"senders[0]:messenger", "templates"}
    assert set(revoked[0]) == {"area", "level", "what", "meaning", "to_do"}
    for ended in (well, ill):
        assert not [secret for secret in SECRETS if secret in ended.output]
    assert not [secret for secret in SECRETS if secret in json.dumps([told, told_ill])]


def test_an_unset_variable_is_shown_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text(
        config(verify=[SHOPIFY_HMAC], senders=[{"use": "console"}]), encoding="utf-8"
    )

    ended = shopbot("doctor", directory=tmp_path, environ={"SHOPIFY_WEBHOOK_SECRET": None}, columns=120)

    assert ended.exit_code == 1
    assert "the environment variable 'SHOPIFY_WEBHOOK_SECRET' is not set" in ended.output
    assert "✗ 1 problem  configuration" in ended.output


def test_a_shop_whose_host_does_not_run_can_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text(
        config(verify=[SHOPIFY_HMAC], senders=[{"use": "console"}]), encoding="utf-8"
    )

    ended = shopbot("doctor", directory=tmp_path, environ={"SHOPIFY_WEBHOOK_SECRET": SECRET}, columns=120)

    assert (ended.exit_code, ended.errors) == (0, "")
    assert "! no host runs on this data_dir" in ended.output
    assert "! the public address was not tried" in ended.output


def test_a_store_that_cannot_be_opened_is_a_problem_like_others(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way", encoding="utf-8")
    (tmp_path / "shopbot.yaml").write_text(
        config(verify=[SHOPIFY_HMAC], senders=[{"use": "console"}]), encoding="utf-8"
    )

    ended = shopbot("doctor", directory=tmp_path, environ={"SHOPIFY_WEBHOOK_SECRET": SECRET}, columns=120)

    assert (ended.exit_code, ended.errors) == (1, "")
    assert "✗ the store does not answer: cannot use" in ended.output


@pytest.mark.parametrize("url", ["bot.example", "http://bot.example", "https://bot.example/?shop=1"])
def test_what_is_no_public_address_is_wrong_usage(tmp_path: Path, url: str) -> None:
    ended = shopbot("doctor", "--url", url, directory=tmp_path)

    assert (ended.exit_code, ended.output) == (2, "")
    assert "--url" in ended.errors


REPORT = Report(
    [
        Entry("store", Finding.ok("Valkey 9.1.2 keeps every write on disk before it answers")),
        Entry("store", Finding.warning("it is nearly full", meaning="it refuses writes then", to_do="make room")),
        Entry("configuration", Finding.problem("no domain", meaning="nothing starts", to_do="write it")),
        Entry("configuration", Finding.problem("no name", meaning="nothing starts", to_do="write it")),
        Entry("senders[0]:messenger", Finding.ok("[bold]the token[/] is good :smile:")),
    ]
)

PAGE = """\
shopbot doctor  acme.myshopify.com

store
  ! it is nearly full
    it refuses writes then
    → make room
  ✓ Valkey 9.1.2 keeps every write on disk before it answers

configuration
  ✗ no domain
  ✗ no name
    nothing starts
    → write it

messenger  senders[0]
  ✓ [bold]the token[/] is good :smile:

────────────────────────────────────────────────────────────────────────────────
✗ 2 problems  configuration
! 1 warning  store
✓ 2 fine
"""


def printed(**terminal: Any) -> str:  # noqa: ANN401 - rich's own
    console = Console(width=80, **terminal)
    with console.capture() as captured:
        print_report(REPORT, console, title="acme.myshopify.com")
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def test_the_page_shows_the_worst_first_and_explains_alike_findings_once() -> None:
    assert printed() == PAGE


def test_a_terminal_without_unicode_gets_signs_that_it_knows(tmp_path: Path) -> None:
    with (tmp_path / "terminal").open("w", encoding="ascii") as file:
        print_report(REPORT, Console(width=80, file=file), title="acme.myshopify.com")

    text = (tmp_path / "terminal").read_text(encoding="ascii")
    assert "x no domain" in text
    assert "-> make room" in text
