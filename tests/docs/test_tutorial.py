"""The tutorial works for a reader who follows it from top to bottom; the blocks about tests are tests that pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.documents import ROOT, Block, blocks, file_of
from support.pytest_run import run_pytest
from support.tutorial import Reader

TUTORIAL = ROOT / "docs" / "tutorial.md"
TESTING = ROOT / "docs" / "testing-plugins.md"


def of_page(page: Path) -> list[Block]:
    found = [block for block in blocks("console", "python", "text", "yaml") if block.page == page]
    return sorted(found, key=lambda block: block.line)


@pytest.mark.timeout(600)
def test_a_reader_gets_what_the_tutorial_shows(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    todo = of_page(TUTORIAL)
    while todo:
        block = todo.pop(0)
        if block.text.startswith("$ shopbot run\n"):
            break
        read(reader, block)

    shown = block.text.removeprefix("$ shopbot run\n")
    # Another port than 8000, which may be taken here.
    with reader.leaving_it_running("shopbot run --port 0", until=" on http://") as host:
        address = host.printed.rsplit(" on ", 1)[1].strip()
        assert host.printed.replace(address, "http://127.0.0.1:8000").endswith(shown)
        program, order, card, *todo = todo
        read(reader, program, **{"http://127.0.0.1:8000": address})
        read(reader, order)
        host.read_until("╰")
        assert card.text in host.printed
        read(reader, order)
    assert "╰" not in host.rest

    for block in todo:
        read(reader, block)
    # What the last paragraph says in words.
    tests = reader.directory / "tests" / "test_crm_customers.py"
    text = tests.read_text(encoding="utf-8")
    text = text.replace("\nimport pytest\n", "\nimport pytest\nfrom shopbot_crm_customers import crm_customers\n")
    text = text.replace('drop_in = "../plugins.d/crm_customers.py"', "module = crm_customers")
    tests.write_text(text, encoding="utf-8")
    assert run_pytest(reader.directory, environ={"PYTHONPATH": "src"}).exit_code == 0


def read(reader: Reader, block: Block, **replaced: str) -> None:
    """Do what a block asks for; one that is neither a file nor a session only shows something."""
    name = file_of(block)
    if block.language == "console":
        reader.session(block.text)
    elif name is not None:
        text = block.text
        for old, new in replaced.items():
            text = text.replace(old, new)
        reader.write(name, text)


def test_every_file_of_the_tutorial_is_named() -> None:
    assert [file_of(block) for block in of_page(TUTORIAL) if block.language != "console"] == [
        "plugins.d/crm_customers.py",
        "tests/test_crm_customers.py",
        "customers.csv",
        "shopbot.yaml",
        "order.py",
        None,
    ]


@pytest.mark.timeout(600)
def test_tests_that_are_shown_pass(tmp_path: Path) -> None:
    for number, block in enumerate(block for block in of_page(TESTING) if block.language == "python"):
        (tmp_path / f"test_block_{number}.py").write_text(block.text, encoding="utf-8")

    run = run_pytest(tmp_path)

    assert run.exit_code == 0, run.output
    assert run.count("passed") > 60
