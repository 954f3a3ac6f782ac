"""Tests of a configuration, tried: a small shop that talks, and what became of each test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shopbot.trials.report import TrialReport
from shopbot.trials.runner import run_tests

PSID = "7312345678901234"
CONFIG = """\
shop: {domain: acme.myshopify.com, name: Acme, locale: en, timezone: Europe/Berlin}
verify:
  - {use: shopify_hmac, secrets: ["${SHOPIFY_WEBHOOK_SECRET}"]}
  - {use: messenger_hmac, app_secret: "${MESSENGER_APP_SECRET}", verify_token: "${MESSENGER_VERIFY_TOKEN}"}
resolvers:
  - {use: note_attributes, key: psid, trust: known_shopper}
  - {use: token_lookup}
carts:
  - {use: redis_cart}
  - {use: http_cart, url: "https://carts.example/{psid}"}
senders:
  - {use: messenger, page_id: "102290129340398", access_token: "${MESSENGER_PAGE_TOKEN}"}
plugins:
  - {use: http_forward, url: "https://warehouse.example", signing_secret: "${WAREHOUSE_SECRET}"}
  - {use: audit_log}
retry: {attempts: 3, first: 2s, factor: 2, max: 1m}
rules:
  - name: confirm
    on: [orders/create, orders/paid, orders/updated]
    when: {financial_status: paid}
    once_per: order
    steps: [resolve_psid, clear_cart, save_order_reference, {send_message: confirmed}]
  - {name: tell, on: orders/paid, steps: [http_forward]}
  - name: ask
    on: messenger/message
    when: {text_matches: where, payload: WHERE}
    steps: [find_orders, {send_message: {one: found, none: unknown}}]
  - {name: stop, on: messenger/message, when: {text_matches: ^stop$}, steps: [opt_out]}
messages:
  confirmed:
    limit: 2/day
    text: "Order {{ order.name }} for {{ order.total | money }}"
    quick_replies: [{title: "Where is it?", payload: WHERE}]
    utility_template:
      name: order_confirmed
      language: en
      body: {en: "Your order {{1}} is confirmed, thanks.", de: "Deine Bestellung {{1}} ist da, danke."}
      parameters: ["{{ order.name }}"]
  found: {tag: order_answer, text: "Order {{ orders[0].number }} is {{ orders[0].status }}"}
  unknown: {tag: order_answer, text: There is no order.}
"""
"""A shop with a cart and a warehouse elsewhere, a limit, and templates in two languages."""


def tried(
    directory: Path,
    tests: str,
    *,
    config: str = CONFIG,
    environ: Mapping[str, str] | None = None,
    **options: Any,  # noqa: ANN401 - of `run_tests`
) -> TrialReport:
    """Write a shopbot.yaml with its tests, and run them."""
    (directory / "shopbot.yaml").write_text(config, encoding="utf-8")
    (directory / "shopbot.test.yaml").write_text(tests, encoding="utf-8")
    return run_tests(directory / "shopbot.yaml", environ or {}, **options)


def failures(report: TrialReport) -> dict[str, list[str]]:
    """Give what is wrong, by the test's name; fails where the files have problems."""
    if report.problems:
        raise AssertionError("\n".join(map(str, report.problems)))
    return {result.name: [failure.message for failure in result.failures] for result in report.failed}


def problems(report: TrialReport) -> list[str]:
    """Give the problems of the files, named from their own directory."""
    assert report.results == ()
    return [str(problem).replace(f"{report.tests.parent}/", "") for problem in report.problems]
