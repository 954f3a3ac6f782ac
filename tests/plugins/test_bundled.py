"""The bundled plugins as a whole: all are known to the host, and none uses more than anybody's plugin may."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import shopbot_plugins
from shopbot.discovery import Found

ROOT = Path(__file__).parents[2]
PLUGINS = Path(shopbot_plugins.__file__).parent
FILES = sorted(PLUGINS.glob("*.py"))
ENTRY_POINTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "entry-points"
]["shopbot.plugins"]


def test_every_plugin_has_an_entry_point_of_its_own_name() -> None:
    names = {path.stem for path in FILES if not path.stem.startswith("_")}

    assert {name: f"shopbot_plugins.{name}" for name in names} == ENTRY_POINTS


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_each_is_a_plugin_of_some_kind(name: str) -> None:
    plugin = Found(name=name, origin="file", version="", path=PLUGINS / f"{name}.py").load()

    assert plugin.kinds
    assert plugin.summary


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_none_imports_anything_of_shopbot_but_what_plugins_may(path: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")

    ours = {name for name in imported if name.split(".")[0] == "shopbot"}
    assert ours <= {"shopbot.plugin"}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_those_that_work_elsewhere_say_so_where_a_trial_of_the_rules_would_ask_them(name: str) -> None:
    """A cart or a step that makes HTTP calls would else make them from `shopbot test`."""
    path = PLUGINS / f"{name}.py"
    plugin = Found(name=name, origin="file", version="", path=path).load()
    asked = {"resolver", "cart", "step"} & set(plugin.kinds)
    calls = re.search(r"import httpx|_storefront import|_shopify_admin import", path.read_text(encoding="utf-8"))

    assert getattr(plugin.plugin, "outside", False) is bool(asked and calls)
