"""Bare numbers and variables that are taken otherwise than people mean them are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopbot.config.document import parse
from shopbot.config.scalars import is_surprising
from shopbot.config.surprises import surprises
from shopbot.host.blueprint import check_config

SHOP = "shop: {domain: acme.myshopify.com, name: Acme}\n"


@pytest.mark.parametrize("source", ["010", "0123", "-017", "1:30", "12:30", "190:20:30.5", "0_17"])
def test_these_surprise(source: str) -> None:
    assert is_surprising(source)


@pytest.mark.parametrize("source", ["0", "00", "10", "1_000", "0x1F", "0b11", "1.50", "-5", "+5", "1e3", "08", "9:75"])
def test_these_do_not(source: str) -> None:
    assert not is_surprising(source)


def test_a_surprise_is_named_with_its_place_and_with_what_it_is_read_as() -> None:
    document = parse("a:\n  - b: 010\n  - 1:30\nc: '010'\nd: 10\n", "f")

    assert [str(problem) for problem in surprises(document)] == [
        "f:2:8: warning: a[0].b: YAML reads a bare `010` as 8; write 8 if that is meant",
        "f:3:5: warning: a[1]: YAML reads a bare `1:30` as 90; write 90 if that is meant",
    ]


def test_where_the_value_is_refused_nothing_more_is_said(tmp_path: Path) -> None:
    path = tmp_path / "shopbot.yaml"
    path.write_text(SHOP + "retry: {attempts: 010, first: 1:30}\ncart_limits: {lines: 0777}\n", encoding="utf-8")

    problems = [str(problem).rpartition("shopbot.yaml:")[2] for problem in check_config(path, {}).problems]

    assert problems == [
        "2:19: warning: retry.attempts: YAML reads a bare `010` as 8; write 8 if that is meant",
        "2:31: retry.first: expected a duration such as 30s, 10m, 24h or 365d, got 1:30, which YAML reads as 90: say which unit",  # noqa: E501 - as it is printed
        "3:22: cart_limits.lines: expected at most 250, got 0777, which YAML reads as 511",
    ]


def test_a_variable_without_braces_is_named_with_its_place_and_the_right_form() -> None:
    document = parse("a: [$PAGE_TOKEN, 'x $PAGE_TOKEN']\nb: $(PAGE_TOKEN)\nc: ${PAGE_TOKEN}\n", "f")

    assert [str(problem) for problem in surprises(document)] == [
        "f:1:5: warning: a[0]: '$PAGE_TOKEN' is no variable, and taken as it stands: write ${PAGE_TOKEN}",
        "f:2:4: warning: b: '$(PAGE_TOKEN)' is no variable, and taken as it stands: write ${PAGE_TOKEN}",
    ]


@pytest.mark.parametrize("secret", ["$ecret-Dollar", "$SECRET", "$5", "$${PAGE_TOKEN}", "$PAGE_TOKEN!"])
def test_a_secret_may_begin_with_a_dollar_sign(secret: str) -> None:
    assert surprises(parse(f"a: '{secret}'", "f")) == []


def test_a_variable_without_braces_is_warned_of_by_the_checker(tmp_path: Path) -> None:
    path = tmp_path / "shopbot.yaml"
    path.write_text(SHOP + "verify: [{use: shopify_hmac, secrets: [$WEBHOOK_SECRET]}]\n", encoding="utf-8")

    [problem] = check_config(path, {"WEBHOOK_SECRET": "x"}).problems

    assert str(problem).endswith(
        ":2:40: warning: verify[0].secrets[0]: '$WEBHOOK_SECRET' is no variable, and taken as it stands: "
        "write ${WEBHOOK_SECRET}"
    )
