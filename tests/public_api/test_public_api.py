"""The public interface has types that both type checkers follow, in all of its names and in what new-plugin writes."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

import shopbot.plugin
from support.documents import ROOT, blocks
from support.written_plugins import write_drop_ins, write_packages

HERE = Path(__file__).parent
EVERY_HOOK = HERE.parent / "support" / "every_hook.py"
TESTING = ("clock", "contracts", "fixtures", "host", "http_service", "messenger", "orders", "shopify", "storefront")
"""What tests of plugins may import of `shopbot.testing`, besides `webhooks`."""


def imported(path: Path, module: str) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


def test_the_example_plugin_uses_every_name_that_plugins_may_import() -> None:
    assert imported(EVERY_HOOK, "shopbot.plugin") == set(shopbot.plugin.__all__)


@pytest.mark.parametrize("name", [*TESTING, "webhooks"])
def test_its_tests_use_every_name_that_tests_of_plugins_may_import(name: str) -> None:
    module = f"shopbot.testing.{name}"

    assert imported(HERE / "test_every_hook.py", module) == set(importlib.import_module(module).__all__)


def test_the_manual_names_every_module_that_tests_of_plugins_may_import() -> None:
    text = (ROOT / "docs" / "testing-plugins.md").read_text(encoding="utf-8")

    assert [name for name in (*TESTING, "webhooks") if f"`shopbot.testing.{name}`" not in text] == []


@pytest.fixture
def of_integrators(tmp_path: Path) -> Sequence[Path]:
    """Code outside of this tree: the example, what is wrong on purpose, the manual's plugins, and written ones."""
    files = [tmp_path / "support" / "every_hook.py", tmp_path / "test_every_hook.py", tmp_path / "mistakes.py"]
    (tmp_path / "support").mkdir()
    for path, source in zip(files, (EVERY_HOOK, HERE / "test_every_hook.py", HERE / "mistakes.py"), strict=True):
        path.write_bytes(source.read_bytes())
    for number, block in enumerate(block for block in blocks("python") if "class Plugin" in block.text):
        files.append(tmp_path / f"shown_{number}.py")
        files[-1].write_text(block.text, encoding="utf-8")
    packages = write_packages(tmp_path)
    write_drop_ins(tmp_path, prefix="dropped")
    return [*files, *packages.values(), tmp_path / "plugins.d", tmp_path / "tests"]


@pytest.mark.timeout(600)
def test_mypy_finds_all_mistakes_and_no_others(of_integrators: Sequence[Path], tmp_path: Path) -> None:
    """Without pydantic's plugin for mypy, which not everybody has."""
    source_roots = [path for path in of_integrators if (path / "src").is_dir()]
    done = subprocess.run(  # noqa: S603 - this Python
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"),
            *("--explicit-package-bases", "--cache-dir", str(ROOT / ".mypy_cache" / "integrators")),
            *_under_src(of_integrators),
        ],
        cwd=tmp_path,
        env={"MYPYPATH": ":".join([str(tmp_path), *(str(path / "src") for path in source_roots)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_pyright_finds_all_mistakes_and_no_others(of_integrators: Sequence[Path], tmp_path: Path) -> None:
    settings = {
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": "error",
        "enableTypeIgnoreComments": False,  # mypy's
        "include": [str(path) for path in of_integrators],
        "extraPaths": [str(path / "src") for path in of_integrators if (path / "src").is_dir()],
        "pythonVersion": "3.11",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    program = str(Path(sysconfig.get_path("scripts")) / "basedpyright")
    command = [program, "--pythonpath", sys.executable, "-p", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500)  # noqa: S603 - installed here

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == "0 errors, 0 warnings, 0 notes"


def _under_src(paths: Iterable[Path]) -> list[str]:
    """Take `src` and `tests` of packages in their places: what is found twice, mypy refuses."""
    return [str(part) for path in paths for part in ([path / "src", path / "tests"] if _is_package(path) else [path])]


def _is_package(path: Path) -> bool:
    return (path / "src").is_dir()
