"""Verbs that ask the store, where the store that the configuration names does not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET
from support.command_line import shopbot

PSID = "7312345678901234"
PASSWORD = "correct-horse-battery"
AWAY = f"store: 'redis://:{PASSWORD}@127.0.0.1:1/0'\n"
POLLERS = "pollers: [{use: shopify_orders, access_token: shpat_simulated, api_url: 'http://127.0.0.1:1'}]\n"
ENVIRON = {
    "SHOPIFY_WEBHOOK_SECRET": SECRET,
    "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
    "MESSENGER_URL": "http://127.0.0.1:1",
}


@pytest.mark.parametrize(
    "arguments",
    [
        ("dead", "ls"),
        ("dead", "show", "webhook:1"),
        ("dead", "replay", "--all"),
        ("dead", "purge", "--all"),
        ("explain", "1234"),
        ("poll", "--once"),
        ("preview", "--order", "1234"),
        ("privacy", "erase", "--psid", PSID),
    ],
    ids=" ".join,
)
def test_a_store_that_does_not_answer_is_said_in_one_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """An operator asks just when something is wrong: no traceback, and no password of the store's."""
    (tmp_path / "shopbot.yaml").write_text(CONFIG + AWAY + POLLERS, encoding="utf-8")

    ended = shopbot(*arguments, directory=tmp_path, environ=ENVIRON, columns=200)

    assert (ended.exit_code, ended.output.strip()) == (1, "")
    (line,) = ended.errors.strip().splitlines()
    assert "the store" in line
    assert "127.0.0.1:1" in line
    assert PASSWORD not in line
