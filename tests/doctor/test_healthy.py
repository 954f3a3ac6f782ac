from __future__ import annotations

from pathlib import Path

from shopbot.model.finding import Level
from support.patient import FIELDS, a_patient, lines


async def test_of_a_healthy_shop_everything_is_fine_and_said(tmp_path: Path) -> None:
    async with a_patient(tmp_path) as patient:
        report = await patient.examined()

        # Looking changes nothing, and sends nothing.
        assert patient.page.requests == []
        assert patient.page.subscribed_fields == FIELDS
        assert len(list(patient.page.templates)) == 1
        assert len(patient.shopify.orders) == 0

    assert lines(report, Level.PROBLEM) == []
    assert lines(report, Level.WARNING) == []
    assert report.healthy
    assert list(report.areas) == [
        "configuration",
        "store",
        "clock",
        "work",
        "public address",
        "verify[0]:shopify_hmac",
        "verify[1]:messenger_hmac",
        "senders[0]:messenger",
        "templates",
        "pollers[0]:shopify_orders",
    ]
    assert {finding.what for finding in report.areas["clock"]} == {
        "agrees with the store",
        "agrees with Shopify",
        "agrees with Meta",
    }
