"""What people install: built from this tree, in an environment that has none of it."""

from __future__ import annotations

import json
import tarfile
import zipfile
from functools import partial
from pathlib import Path

import pytest

from support.distributions import EXAMPLES, Environment, build, tree
from support.documents import ROOT


def test_the_wheel_holds_the_code_its_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    code = {name.removeprefix("core/") for name in tree("core/shopbot")}
    plugins = {name.removeprefix("plugins/") for name in tree("plugins/shopbot_plugins")}
    data = {f"shopbot/data/{name}" for name in {*tree("config", "templates"), "shopbot.yaml", "shopbot.test.yaml"}}
    assert names == code | plugins | data


@pytest.mark.parametrize(
    "name",
    [
        "shopbot/py.typed",
        "shopbot_plugins/py.typed",
        "shopbot/scaffold/skeletons/resolver.py.j2",
        "shopbot/store/lua/add.lua",
        "shopbot/data/templates/order_confirmation.txt.j2",
        "shopbot/data/config/minimal.yaml",
        "shopbot/data/config/redis.yaml",
        "shopbot/data/shopbot.yaml",
        "shopbot/data/shopbot.test.yaml",
    ],
)
def test_the_wheel_holds_what_is_easily_forgotten(wheel: Path, name: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert name in archive.namelist()


def test_the_wheel_names_its_plugins_and_its_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt")]
        lines = archive.read(name).decode().splitlines()

    assert "shopbot = shopbot.cli:main" in lines
    assert "shopbot = shopbot.testing.pytest_plugin" in lines
    modules = {path.stem for path in (ROOT / "plugins" / "shopbot_plugins").glob("[a-z]*.py")}
    assert {line.partition(" = ")[2] for line in lines if "shopbot_plugins." in line} == {
        f"shopbot_plugins.{module}" for module in modules
    }


def test_the_sdist_holds_the_whole_project_and_no_rubbish(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    folders = ("core", "plugins", "config", "templates", "deploy", "tests", "benchmarks", "quality", "docs")
    files = {
        *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"),
        *("Makefile", "mkdocs.yml", "pyproject.toml", "shopbot.yaml", "shopbot.test.yaml"),
    }
    assert tree(*folders) | files <= names
    assert names - tree(*folders) - files <= {".gitignore", "PKG-INFO", "deploy/.env.example"}


def test_the_sdist_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        # Python 3.11 has the filter from 3.11.4 on; the archive is our own.
        unpack = partial(archive.extractall, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall
        unpack(tmp_path)
    (source,) = tmp_path.iterdir()

    rebuilt = build(source, "wheel", tmp_path / "wheel")

    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(rebuilt) as theirs:
        assert theirs.namelist() == ours.namelist()
        for name in ours.namelist():
            assert theirs.read(name) == ours.read(name), name


def test_the_installed_code_is_the_wheel_s(installed: Environment, tmp_path: Path) -> None:
    script = "import shopbot, shopbot_plugins; print(shopbot.__file__, shopbot_plugins.__file__, sep='\\n')"

    done = installed.run("python", "-c", script, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    for path in done.stdout.splitlines():
        assert Path(path).is_relative_to(installed.directory)


def test_the_installed_command_lists_the_bundled_plugins(installed: Environment, tmp_path: Path) -> None:
    done = installed.run("shopbot", "plugins", "--json", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    names = {plugin["name"] for plugin in json.loads(done.stdout)}
    assert names >= {"console", "messenger", "note_attributes", "redis_cart", "shopify_hmac", "token_lookup"}


def test_the_examples_that_come_with_it_pass_the_check(installed: Environment, tmp_path: Path) -> None:
    script = """
import os
from shopbot.host.blueprint import check_config
from shopbot.resources import bundled

examples = (path for path in bundled("config").glob("*.yaml") if ".test" not in path.suffixes)
for path in [bundled("shopbot.yaml"), *sorted(examples)]:
    print(path, *check_config(path, os.environ).problems)
"""
    done = installed.run("python", "-c", script, cwd=tmp_path)

    lines = [Path(line) for line in done.stdout.splitlines()]
    assert [path.name for path in lines] == [Path(example).name for example in EXAMPLES], done.stdout + done.stderr
    assert all(path.is_relative_to(installed.directory) for path in lines)


def test_the_installed_command_checks_a_configuration(installed: Environment, tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_bytes((ROOT / "config" / "minimal.yaml").read_bytes())

    done = installed.run("shopbot", "check", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, "shopbot.yaml: no problems\n"), done.stderr


def test_the_installed_command_writes_a_plugin_whose_tests_pass(installed: Environment, tmp_path: Path) -> None:
    """The skeletons and the pytest plugin come with the wheel."""
    written = installed.run("shopbot", "new-plugin", "mine", "--kind", "resolver", "--drop-in", cwd=tmp_path)
    arguments = ("-q", "-p", "no:asyncio", "-W", "error", "-k", "a_shop or names_the_shopper", "tests")
    done = installed.run("python", "-m", "pytest", *arguments, cwd=tmp_path)

    assert written.returncode == 0, written.stderr
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_installed_demo_runs_the_main_job(installed: Environment, tmp_path: Path) -> None:
    done = installed.run("shopbot", "demo", cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "one order, one confirmation" in done.stdout
