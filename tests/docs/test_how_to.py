"""The how-to guides work for a reader who follows one: its plugin, its tests, its configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from shopbot.trials.runner import run_tests
from support.documents import GUIDES, ROOT, Block, blocks, file_of, put_into, write_config
from support.pytest_run import run_pytest


def of_guide(guide: Path, *languages: str) -> Sequence[Block]:
    return [block for block in blocks(*languages) if block.page == guide]


WITH_PLUGINS = [guide for guide in GUIDES if of_guide(guide, "python")]
WITH_TESTS = [
    guide for guide in GUIDES if any(".test.yaml" in block.text.partition("\n")[0] for block in of_guide(guide, "yaml"))
]


WARNED_OF = {"languages": 10}
"""How many warnings `shopbot check` gives where the guide says that it does."""


def test_there_are_guides_of_each_kind() -> None:
    assert {guide.stem for guide in WITH_PLUGINS} >= {"own-cart", "own-sender"}
    assert {guide.stem for guide in WITH_TESTS} >= {"change-the-text", "languages", "filter-orders"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("guide", WITH_PLUGINS, ids=lambda guide: guide.stem)
def test_the_plugin_of_a_guide_passes_its_tests_in_a_shop(guide: Path, tmp_path: Path) -> None:
    for block in of_guide(guide, "python"):
        name = file_of(block)
        assert name is not None, f"{block}: the line above does not say where to save it"
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text, encoding="utf-8")

    run = run_pytest(tmp_path, "tests")

    assert run.exit_code == 0, run.output
    assert run.count("passed") > 20


@pytest.mark.parametrize("guide", WITH_TESTS, ids=lambda guide: guide.stem)
def test_the_configuration_of_a_guide_passes_the_tests_that_it_shows(guide: Path, tmp_path: Path) -> None:
    """What the page shows is put into the example on which it says it builds, all of it."""
    text = guide.read_text(encoding="utf-8")
    found = re.search(r"\]\(\.\./\.\./((?:config/)?\w+\.yaml)\)", text)
    assert found is not None, "the page does not say on which example it builds"
    config: dict[str, Any] = yaml.safe_load((ROOT / found[1]).read_text(encoding="utf-8"))
    for block in of_guide(guide, "yaml"):
        name = re.match(r"# (\S+)\n", block.text)
        if name is None:
            config = put_into(config, yaml.safe_load(block.text))
        elif name[1] == "shopbot.test.yaml":
            (tmp_path / "shopbot.test.yaml").write_text(block.text, encoding="utf-8")
    for block in of_guide(guide, "jinja"):
        path = tmp_path / (file_of(block) or "")
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    (tmp_path / "shopbot.yaml").write_text(write_config(config), encoding="utf-8")

    report = run_tests(tmp_path / "shopbot.yaml", {})

    assert [str(problem) for problem in report.problems if problem.severity == "error"] == []
    assert len(report.problems) == WARNED_OF.get(guide.stem, 0), [str(problem) for problem in report.problems]
    assert [(result.name, result.failures) for result in report.failed] == []
