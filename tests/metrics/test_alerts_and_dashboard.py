"""The alert rules and the dashboard that come with shopbot speak of metrics that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shopbot.metrics import FAMILIES, Family
from shopbot.resources import bundled
from shopbot.testing.host import CONFIG, SECRET, SHOP, shop_under_test
from shopbot.testing.orders import order_bytes, paid_order
from shopbot.testing.webhooks import shopify_headers
from support.scrape import scrape

ALERTS = bundled("config") / "prometheus-alerts.yml"
DASHBOARD = bundled("config") / "grafana-dashboard.json"

_METRIC = re.compile(r"\bshopbot_[a-z0-9_]+")
_SELECTOR = re.compile(r"\b(shopbot_[a-z0-9_]+)\{([^}]*)\}")
_MATCHER = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")
_NAMES = {family.name for family in FAMILIES}
_DURATION = re.compile(r"\d+[smhd]")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


EXPRESSIONS = list(expressions())


def family_of(name: str) -> Family:
    for family in FAMILIES:
        suffixes = ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
        if name in {family.name + suffix for suffix in suffixes}:
            return family
    raise AssertionError(f"there is no metric {name}")


async def test_every_metric_that_they_use_is_on_a_real_page(tmp_path: Path) -> None:
    config = CONFIG + "pollers:\n  - {use: shopify_orders, access_token: test-admin-token, every: 1h}\n"
    async with shop_under_test(tmp_path, config=config) as shop:
        await shop.finished(await shop.post("orders/paid", paid_order(psid="7312345678901234")))
        body = order_bytes(paid_order())
        headers = shopify_headers("orders/paid", body, SECRET + "x", SHOP)
        await shop.http.post("/webhooks/shopify", content=body, headers=headers)
        page = await scrape(shop.http)

    used = {name for _, expression in EXPRESSIONS for name in _METRIC.findall(expression)}
    assert used - page.names == set()
    assert {family.name for family in FAMILIES} == {family_of(name).name for name in used | page.names}


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_every_expression_is_well_formed_and_uses_labels_that_its_metrics_have(where: str, expression: str) -> None:
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)
    names = _METRIC.findall(expression)
    assert names
    labels = {label for name in names for label in family_of(name).labels} | {"le"}
    for name, inside in _SELECTOR.findall(expression):
        matchers = _MATCHER.findall(inside)
        assert ", ".join(f'{label}{how}"{value}"' for label, how, value in matchers) == inside
        assert {label for label, _, _ in matchers} <= {*family_of(name).labels, "le"}
    for inside in _GROUPING.findall(expression):
        assert {label.strip() for label in inside.split(",")} <= labels
    for name in names:
        rated = re.search(rf"(?:rate|increase)\({name}\b", expression) is not None
        assert rated is (family_of(name).kind != "gauge"), f"{name} is a {family_of(name).kind}"
    if "histogram_quantile" in expression:
        assert re.search(r"sum by \([^)]*\ble\b", expression)


def test_alerts_have_what_prometheus_and_the_person_on_call_need() -> None:
    found = rules()

    assert len({rule["alert"] for rule in found}) == len(found)
    for rule in found:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"Shopbot[A-Za-z]+", rule["alert"])
        assert _DURATION.fullmatch(rule.get("for", "0s"))
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "runbook"}
        mentioned = set(re.findall(r"\$labels\.([a-z]+)", rule["annotations"]["summary"]))
        grouped = {label.strip() for inside in _GROUPING.findall(rule["expr"]) for label in inside.split(",")}
        plain = {label for name in _METRIC.findall(rule["expr"]) for label in family_of(name).labels}
        assert mentioned <= (grouped or plain)
        prose = {name for name in _METRIC.findall(rule["annotations"]["runbook"]) if name not in _NAMES}
        assert all(family_of(name) for name in prose)
        for alert in re.findall(r"\bShopbot[A-Za-z]+", rule["annotations"]["runbook"]):
            assert alert in {other["alert"] for other in found}


def test_what_must_wake_somebody_has_an_alert() -> None:
    guarded = {name for rule in rules() for name in _METRIC.findall(rule["expr"])}

    assert guarded >= {
        *("shopbot_dead_letters", "shopbot_channel_state", "shopbot_oldest_event_seconds", "shopbot_store_up"),
        *("shopbot_receipt_to_send_seconds_bucket", "shopbot_poller_gap_seconds", "shopbot_rejected_requests_total"),
        *("shopbot_events_total", "shopbot_store_warnings", "shopbot_orders_first_seen_by_poll_total"),
    }


def test_the_dashboard_can_be_imported() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))

    assert dashboard["title"] == "shopbot"
    assert dashboard["uid"]
    assert "id" not in dashboard  # Grafana gives its own
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert variables == {"datasource", "shop"}
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= {"shop", "__rate_interval"}


def test_panels_do_not_overlap() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
