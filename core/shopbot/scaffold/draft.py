"""The files of a new plugin, written from the skeletons beside this module."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shopbot import __version__
from shopbot.scaffold.manual import fenced, first_block
from shopbot.scaffold.plugin_name import package_of

Kind = Literal["verifier", "resolver", "cart", "sender", "poller", "checkout", "step", "filters", "observer", "eraser"]

_SKELETONS = Path(__file__).parent / "skeletons"
_LIBRARIES = ("httpx", "pydantic")
"""What the skeletons import besides shopbot; it depends on them itself."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A plugin that is not written yet."""

    files: Mapping[Path, str]
    """Texts by path, relative to where the command runs."""
    entry: str
    """The YAML by which shopbot.yaml uses it."""
    next_commands: tuple[str, ...]
    """What to type now, to see it work."""


def draft_package(name: str, kind: Kind, directory: Path) -> Draft:
    """Draft an installable distribution in a new directory inside *directory*."""
    package = package_of(name)
    distribution = package.replace("_", "-")
    plugin = _render(f"{kind}.py.j2", name=name)
    manual = _manual(plugin)
    more = {
        "name": name,
        "kind": kind,
        "package": package,
        "distribution": distribution,
        "summary": manual.partition("\n")[0],
        "manual": fenced(manual),
        "requirements": _requirements(plugin),
        "shopbot_versions": _versions(__version__),
    }
    root = directory / distribution
    files = {
        root / ".gitignore": _render("gitignore.j2"),
        root / "README.md": _render("README.md.j2", **more),
        root / "pyproject.toml": _render("pyproject.toml.j2", **more),
        root / "src" / package / "__init__.py": _render("package.py.j2", **more),
        root / "src" / package / f"{name}.py": plugin,
        root / "src" / package / "py.typed": "",
        root / "tests" / f"test_{name}.py": _test(name, kind, package=package, drop_in=""),
    }
    # With a dot in front, because pip takes a bare name for one of the index.
    local = root.as_posix() if root.is_absolute() else f"./{root.as_posix()}"
    commands = (
        f"pip install -e {shlex.quote(f'{local}[test]')}",
        f"pytest {shlex.quote(root.as_posix())}",
        f"shopbot plugins {name}",
    )
    return Draft(files, first_block(manual), commands)


def draft_drop_in(name: str, kind: Kind, directory: Path, plugins_dir: Path, *, tests: bool) -> Draft:
    """Draft a file for `plugins_dir:` of the shop in *directory*, and with *tests* one for its tests."""
    plugin = _render(f"{kind}.py.j2", name=name)
    path = directory / plugins_dir / f"{name}.py"
    files = {path: plugin}
    config = "" if directory == Path() else f" {shlex.quote((directory / 'shopbot.yaml').as_posix())}"
    place = "" if path.parent == Path("plugins.d") else f" --plugins-dir {shlex.quote(path.parent.as_posix())}"
    commands = (f"shopbot plugins {name}{place}", f"shopbot check{config}", f"shopbot run{config}")
    if tests:
        test_path = directory / "tests" / f"test_{name}.py"
        way = Path(os.path.relpath(path, test_path.parent)).as_posix()
        files[test_path] = _test(name, kind, package="", drop_in=way)
        test = shlex.quote(test_path.as_posix())
        commands = ("pip install 'shopbot[testing]'", f"pytest {test}", f"shopbot check{config}")
    return Draft(files, first_block(_manual(plugin)), commands)


def _test(name: str, kind: Kind, *, package: str, drop_in: str) -> str:
    class_name = "".join(word.capitalize() for word in name.split("_"))
    return _render(f"{kind}_test.py.j2", name=name, class_name=class_name, package=package, drop_in=drop_in)


def _render(skeleton: str, **values: object) -> str:
    # Signs of their own, because plugins and tests are about braces, too. Nothing here is HTML.
    environment = Environment(
        loader=FileSystemLoader(_SKELETONS),
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - see above
    )
    environment.filters["toml"] = json.dumps  # a basic string of TOML is written like one of JSON
    return environment.get_template(skeleton).render(values)


def _manual(plugin: str) -> str:
    return (ast.get_docstring(ast.parse(plugin)) or "").strip()


def _requirements(plugin: str) -> list[str]:
    """Give the libraries that a plugin imports, within the bounds that shopbot has for them."""
    used = [library for library in _LIBRARIES if re.search(rf"^(import|from) {library}\b", plugin, re.MULTILINE)]
    known = metadata.requires("shopbot") or []
    return [requirement for library in used for requirement in known if re.match(rf"{library}\b", requirement)]


def _versions(version: str) -> str:
    """Give the versions that keep the plugin's interface: up to the next major one, or minor one before 1.0."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return f">={major}.{minor},<{major + 1}" if major else f">=0.{minor},<0.{minor + 1}"
