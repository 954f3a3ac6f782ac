"""What `shopbot new-plugin` writes works as it stands: installed or dropped in, tested, and used by a shop."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from shopbot import __version__
from shopbot.discovery import KINDS as KINDS_BY_HOOK
from shopbot.scaffold.draft import draft_package
from shopbot.scaffold.plugin_name import LONGEST_NAME
from support.documents import ROOT
from support.pytest_run import run_pytest
from support.written_plugins import KINDS, install, write_drop_ins, write_packages

SHOP = "shop: {domain: acme.myshopify.com, name: Acme}\n"
MORE = """
checkout_tokens: {keys: [{id: a, secret: "${CHECKOUT_TOKEN_SECRET}"}]}
rules: [{name: all_orders, on: [orders/updated], steps: [resolve_psid, our_step]}]
"""


def test_there_is_one_of_every_kind() -> None:
    assert sorted(KINDS) == sorted(KINDS_BY_HOOK.values())


def command_line(*arguments: str, directory: Path, environ: Mapping[str, str]) -> str:
    """Call `shopbot` in a process of its own, which must succeed; gives its output."""
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-m", "shopbot", *arguments],
        cwd=directory,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(600)
def test_packages_pass_their_own_tests_once_they_are_installed(tmp_path: Path) -> None:
    """Their last test lets a whole shop use them, over HTTP and with a real store."""
    packages = write_packages(tmp_path)
    environ = install(list(packages.values()), tmp_path / "site")

    tests = [str(package / "tests") for package in packages.values()]
    run = run_pytest(tmp_path, "--import-mode=importlib", *tests, environ=environ)

    assert run.exit_code == 0, run.output
    assert run.count("passed") >= 200
    assert run.count("skipped") == 0

    listed = json.loads(command_line("plugins", "--json", directory=tmp_path, environ=environ))
    found = {plugin["name"]: plugin for plugin in listed}
    for name, kind in zip(packages, KINDS, strict=True):
        assert (found[name]["kinds"], found[name]["version"]) == ([kind], "0.1.0")

    text = SHOP + yaml.safe_dump(_merged(packages.values())) + MORE
    (tmp_path / "shopbot.yaml").write_text(text, encoding="utf-8")
    variables = {name: f"value-of-{name.lower()}-0123456789abcdef" for name in re.findall(r"\$\{(\w+)\}", text)}
    checked = command_line("check", directory=tmp_path, environ={**environ, **variables})
    assert checked == "shopbot.yaml: no problems\n"


@pytest.mark.timeout(600)
def test_drop_ins_work_in_the_shop_s_directory(tmp_path: Path) -> None:
    names = write_drop_ins(tmp_path)

    run = run_pytest(tmp_path, "tests", "-k", "a_shop")

    assert run.exit_code == 0, run.output
    assert run.count("passed") == len(names)


@pytest.mark.parametrize("prefix", ["x", "a" * (LONGEST_NAME - len("_observer"))], ids=["short", "long"])
def test_they_keep_our_own_rules_whatever_they_are_called(prefix: str, tmp_path: Path) -> None:
    """Names change the length of lines."""
    packages = write_packages(tmp_path, prefix=prefix)
    write_drop_ins(tmp_path, prefix=f"{prefix[:-1]}y")
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    ignored = ",".join([*ours["ignore"], *ours["per-file-ignores"]["tests/**"]])
    for directory in (*packages.values(), tmp_path / "plugins.d", tmp_path / "tests"):
        width = ["--line-length", "120", "--no-cache", "."]
        for command in (["check", "--select", "ALL", "--ignore", ignored, *width], ["format", "--diff", *width]):
            done = subprocess.run(  # noqa: S603 - this Python
                [sys.executable, "-m", "ruff", *command], cwd=directory, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_depends_on_what_it_imports(kind: str) -> None:
    files = draft_package("mine", kind, Path()).files  # type: ignore[arg-type]
    project = tomllib.loads(files[Path("shopbot-mine/pyproject.toml")])["project"]

    source = files[Path("shopbot-mine/src/shopbot_mine/mine.py")]
    imported = set(re.findall(r"^(?:from|import) (\w+)", source, re.MULTILINE)) - set(sys.stdlib_module_names)
    named = {re.split(r"[^a-z]", requirement)[0] for requirement in project["dependencies"]}
    assert named == imported
    assert all(re.search(r"<\d", requirement) for requirement in project["dependencies"])
    assert project["optional-dependencies"]["test"] == ["shopbot[testing]"]


def test_a_package_keeps_to_the_versions_with_the_same_interface() -> None:
    files = draft_package("mine", "cart", Path()).files
    project = tomllib.loads(files[Path("shopbot-mine/pyproject.toml")])["project"]

    major, minor, *_ = (int(part) for part in __version__.split("."))
    upper = f"{major + 1}" if major else f"0.{minor + 1}"
    assert project["dependencies"][0] == f"shopbot>={major}.{minor},<{upper}"


@pytest.mark.parametrize("kind", KINDS)
def test_no_plugin_is_left_to_be_written(kind: str) -> None:
    for text in draft_package("mine", kind, Path()).files.values():  # type: ignore[arg-type]
        assert not re.search(r"TODO|FIXME|NotImplemented|^ +pass$|<<|<%", text, re.MULTILINE)


def _merged(packages: Iterable[Path]) -> Mapping[str, list[Any]]:
    """Put the YAML of all README files together."""
    sections: dict[str, list[Any]] = {}
    for package in packages:
        (shown,) = re.findall(r"```yaml\n(.*?)```", (package / "README.md").read_text(encoding="utf-8"), re.DOTALL)
        for section, entries in yaml.safe_load(shown).items():
            sections.setdefault(section, []).extend(entries)
    return sections
