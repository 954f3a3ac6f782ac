"""The page for whoever is woken has every alert, says how urgent it is, and what to type."""

from __future__ import annotations

import re

import pytest
import yaml

from support.documents import ROOT

PAGE = (ROOT / "docs" / "on-call.md").read_text(encoding="utf-8")
RULES = {
    rule["alert"]: rule["labels"]["severity"]
    for group in yaml.safe_load((ROOT / "config" / "prometheus-alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}
SECTIONS = dict(re.findall(r"(?ms)^### (\w+)\n(.*?)(?=^##|\Z)", PAGE))


def test_it_explains_every_alert_and_no_other() -> None:
    assert SECTIONS.keys() == RULES.keys()
    assert set(re.findall(r"\bShopbot[A-Z]\w+", PAGE)) <= RULES.keys()


@pytest.mark.parametrize("alert", RULES)
def test_an_alert_comes_with_its_urgency_its_meaning_and_a_command(alert: str) -> None:
    said = re.match(r"\n\*\*(\w+)\*\* · (.+)", SECTIONS[alert])

    assert said is not None
    assert said[1] == RULES[alert]
    assert re.search(r"(?m)^\$ \S", SECTIONS[alert])


@pytest.mark.parametrize("alert", [alert for alert, severity in RULES.items() if severity == "page"])
def test_what_wakes_somebody_stands_before_what_can_wait_in_its_part(alert: str) -> None:
    part = next(part for part in re.split(r"(?m)^## ", PAGE) if f"### {alert}\n" in part)
    urgencies = [RULES[name] for name in re.findall(r"(?m)^### (\w+)", part)]

    assert urgencies == sorted(urgencies)
