"""What the manual shows is true: every block, command, table and link of it."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from shopbot.cli import build
from shopbot.discovery import PluginType, discover
from shopbot.hookspecs import HookSpecs
from shopbot.host.blueprint import check_config
from shopbot.rules.steps import STEP_NAMES
from shopbot.trials.reading import config_of
from shopbot.trials.runner import run_tests
from support.command_line import shopbot
from support.documents import GUIDES, PAGES, ROOT, Block, blocks, commands, file_of, generator, put_into, write_config

PLUGINS = [block for block in blocks("python") if "class Plugin" in block.text]
TRIED = {block.page for block in blocks("yaml") if block.text.startswith("# shopbot.test.yaml\n")} & {*GUIDES}
"""Guides that show tests: all of their configuration together has to pass them, in test_how_to.py."""

CONFIGURATIONS = [
    block
    for block in blocks("yaml")
    if not re.match(r"# (?!shopbot\.yaml)\S+\.ya?ml\n", block.text) and block.page not in TRIED
]
"""Blocks that begin with the name of another file are that file's."""

TESTS = [block for block in blocks("yaml") if re.match(r"# \S+\.test\.ya?ml\n", block.text) and block.page not in TRIED]
"""Test files, which begin with their name: the configuration of the tree beside that name is what they test."""

SIGNED_LINKS = {"checkout_tokens": {"keys": [{"id": "a", "secret": "${CHECKOUT_TOKEN_SECRET}"}]}}
"""Without a key, no plugin may make checkout links."""

COMPANIONS: Mapping[str, str] = {
    "basket_service": "carts: [{use: basket_service, url: https://baskets.example, token: basket-token}]",
    "crm_customers": "resolvers: [{use: crm_customers, file: customers.csv}]",
    "customer_list": 'resolvers: [{use: customer_list, customers: {1: "7312345678901234"}}]',
    "own_crm": "plugins: [{use: own_crm, url: https://crm.example/status}]",
    "whatsapp": 'senders: [{use: whatsapp, phone_number_id: "1", access_token: whatsapp-token}]',
    "staff_cart": 'carts: [{use: staff_cart, psids: ["7312345678901234"]}]',
}
"""How the plugins that the manual shows are used."""


def drop_in_name(block: Block) -> str:
    """Find under which name the page says that the plugin is saved."""
    found = re.search(r"`?plugins\.d/(\w+)\.py`?", f"{file_of(block)} {block.after}")
    assert found is not None, f"{block}: the text below does not say where to save it"
    return found[1]


def complaints(directory: Path, text: str) -> list[str]:
    """Check a configuration as a reader would: with every variable that it names, and the manual's own plugins."""
    (directory / "plugins.d").mkdir()
    for block in PLUGINS:
        (directory / "plugins.d" / f"{drop_in_name(block)}.py").write_text(block.text, encoding="utf-8")
    path = directory / "shopbot.yaml"
    path.write_text(text, encoding="utf-8")
    variables = {name: f"value-of-{name.lower()}-0123456789abcdef" for name in re.findall(r"\$\{(\w+)\}", text)}
    return [str(problem) for problem in check_config(path, variables).problems]


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_yaml_that_is_shown_passes_the_check(block: Block, tmp_path: Path) -> None:
    """A fragment is put into the complete example, as a reader would put it there."""
    shown: dict[str, Any] = yaml.safe_load(block.text)
    text = block.text
    if "shop" not in shown:
        example = (ROOT / "shopbot.yaml").read_text(encoding="utf-8")
        text = write_config(put_into({**yaml.safe_load(example), **SIGNED_LINKS}, shown))

    assert complaints(tmp_path, text) == []


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if block not in CONFIGURATIONS], ids=str)
def test_yaml_of_other_files_is_yaml(block: Block) -> None:
    assert isinstance(yaml.safe_load(block.text), dict)


@pytest.mark.parametrize("block", TESTS, ids=str)
def test_tests_that_are_shown_pass(block: Block, tmp_path: Path) -> None:
    config = config_of(ROOT / block.text.partition("\n")[0].removeprefix("# "))
    assert config is not None
    (tmp_path / "shopbot.yaml").write_bytes(config.read_bytes())
    (tmp_path / "shopbot.test.yaml").write_text(block.text, encoding="utf-8")

    report = run_tests(tmp_path / "shopbot.yaml", {})

    assert [str(problem) for problem in report.problems] == []
    assert [(result.name, result.failures) for result in report.failed] == []


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_that_is_shown_is_python(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("block", PLUGINS, ids=str)
def test_plugins_that_are_shown_work_as_they_stand(block: Block, tmp_path: Path) -> None:
    entry = COMPANIONS[drop_in_name(block)]

    assert complaints(tmp_path, f"shop: {{domain: acme.myshopify.com, name: Acme}}\n{entry}\n") == []
    plugin = discover(tmp_path / "plugins.d")[drop_in_name(block)].load()  # type: ignore[union-attr]
    assert isinstance(plugin, PluginType)
    assert plugin.summary.endswith(".")


@pytest.mark.parametrize("block", PLUGINS, ids=str)
def test_plugins_that_are_shown_import_nothing_but_the_public_interface(block: Block) -> None:
    modules = {node.module for node in ast.walk(ast.parse(block.text)) if isinstance(node, ast.ImportFrom)}

    assert {module for module in modules if module and module.startswith("shopbot")} == {"shopbot.plugin"}


@pytest.mark.parametrize(("place", "command"), commands(), ids=str)
def test_commands_that_are_shown_can_be_typed(place: str, command: str) -> None:
    found: Any = get_command(build())
    _, *words = shlex.split(command)
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words.pop(0)]

    assert not hasattr(found, "commands") or not words, f"{place}: there is no verb '{command}'"
    options = {option for parameter in found.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options, place


def test_make_targets_that_are_shown_exist() -> None:
    targets = set(re.findall(r"(?m)^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    shown = {target for page in PAGES for target in re.findall(r"[$`] ?make (\w+)", page.read_text(encoding="utf-8"))}

    assert {"demo", "test"} <= shown <= targets


def test_the_readme_shows_how_to_do_without_make() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    for line in (
        "python3 -m venv .venv",
        ".venv/bin/pip install -e .",
        ".venv/bin/shopbot demo",
        ".venv/bin/pip install -e '.[test]'",
        ".venv/bin/pytest -n auto --dist worksteal",
    ):
        assert f"\n$ {line}\n" in text
    checks = re.findall(r"\$\(BIN\)/(.+)", (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nbench:")[0])
    for check in checks:
        assert f".venv/bin/{check.split()[0]}" in text, f"`make` runs {check}, and the lines without make do not"


def test_every_hook_is_documented_with_its_arguments() -> None:
    text = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")

    for name, hook in vars(HookSpecs).items():
        if not name.startswith("_"):
            arguments = list(inspect.signature(hook).parameters)[1:]
            heading = f"## {name}({', '.join(arguments)})"
            assert f"\n{heading}\n" in text, f"docs/hooks.md lacks the heading: {heading}"


def test_every_step_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    table = text.partition("| step | what it does |")[2].partition("\n\n")[0]

    assert [step for step in STEP_NAMES if not re.search(rf"`{step}\b", table)] == []


def test_every_hook_has_a_bundled_plugin() -> None:
    for name in vars(HookSpecs):
        if not name.startswith("_"):
            users = [plugin for plugin in generator().bundled() if hasattr(plugin.plugin, name)]
            assert users, f"no bundled plugin uses {name}"


def test_the_parts_that_are_made_from_the_code_are_up_to_date() -> None:
    for path, text in generator().documents().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is out of date: python docs/generate.py"


def test_help_in_the_manual_is_what_help_prints(tmp_path: Path) -> None:
    texts: dict[str, str] = dict(generator().help_texts())

    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    for name, text in texts.items():
        verb = name.split()[1:]
        assert shopbot(*verb, "--help", directory=tmp_path, columns=80).output.strip() == text
        assert f"## {name}\n\n```text\n{text}\n```" in page
