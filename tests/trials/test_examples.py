"""The tests beside the example configurations pass, and fail where the configuration is another."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopbot.testing.samples import SAMPLES
from shopbot.trials.reading import read_trials, trial_file_of
from shopbot.trials.runner import run_tests
from support.documents import ROOT
from support.trials import failures

EXAMPLES = [
    ROOT / "shopbot.yaml",
    *(ROOT / "config" / f"{name}.yaml" for name in ("minimal", "redis", "conversations")),
]


@pytest.mark.parametrize("config", EXAMPLES, ids=lambda path: path.name)
def test_the_tests_of_an_example_pass(config: Path) -> None:
    report = run_tests(config, {})

    assert failures(report) == {}
    assert report.ok
    assert len(report.results) >= 3


def test_every_example_has_tests() -> None:
    configs = {path for path in (ROOT / "config").glob("*.yaml") if ".test" not in path.suffixes}

    assert {ROOT / "shopbot.yaml", *configs} == set(EXAMPLES)


def test_the_examples_show_most_samples() -> None:
    named: set[str] = set()
    for config in EXAMPLES:
        file = read_trials(trial_file_of(config)).file
        assert file is not None
        named |= {one.sample for trial in file.tests for one in (*trial.earlier, trial.event) if one.sample}

    assert SAMPLES.keys() - named <= {
        *("authorized_order", "partially_paid_order", "fulfilled_order", "out_for_delivery"),
        *("hello", "wo_ist_meine_bestellung"),
    }


MUTATIONS = {
    "an unpaid order is confirmed": ("financial_status: [paid]", "financial_status: [paid, pending]"),
    "every event is confirmed": ("once_per: order", "once_per: event"),
    "anybody is written to": ("trust: known_shopper", "trust: any"),
    "the poller's orders are missed": ("orders/paid, orders/updated]", "orders/paid]"),
    "the text is another": ("text: order_confirmation.txt.j2", "text: Thanks!"),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_change_that_shoppers_would_notice_is_noticed_first(mutation: str, tmp_path: Path) -> None:
    before, after = MUTATIONS[mutation]
    text = (ROOT / "shopbot.yaml").read_text(encoding="utf-8")
    assert before in text
    (tmp_path / "shopbot.yaml").write_text(text.replace(before, after, 1), encoding="utf-8")
    (tmp_path / "shopbot.test.yaml").write_bytes((ROOT / "shopbot.test.yaml").read_bytes())

    report = run_tests(tmp_path / "shopbot.yaml", {})

    assert report.errors == []
    assert report.failed
