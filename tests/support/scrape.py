"""Reads what `/metrics` says, with prometheus_client's own parser."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """One answer of `/metrics`."""

    def __init__(self, text: str) -> None:
        self.families: Mapping[str, Metric] = {f.name: f for f in text_string_to_metric_families(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    @property
    def names(self) -> set[str]:
        """All names that a query could ask for."""
        return {sample.name for sample in self.samples}

    def value(self, name: str, **labels: str) -> float:
        """Add up the samples that have these labels, and others; 0 where there is none."""
        return sum(s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items())

    def by(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Give the samples by the values of some of their labels."""
        return {tuple(s.labels[label] for label in labels): s.value for s in self.samples if s.name == name}


async def scrape(http: httpx.AsyncClient) -> Scrape:
    response = await http.get("/metrics")
    assert response.status_code == httpx.codes.OK, response.text
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(response.text)
