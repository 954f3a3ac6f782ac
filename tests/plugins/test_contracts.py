"""The contracts find what is wrong with a plugin, and can be used the way their manual says."""

from __future__ import annotations

import asyncio
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

from shopbot.discovery import Found, PluginError
from shopbot.hooks import PluginFailedError
from shopbot.testing import contracts
from shopbot.testing.contracts import PSID, ResolverContract
from shopbot.testing.orders import paid_order
from support.pytest_run import run_pytest

SOUND = '''
"""Find the shopper in the note.

    resolvers:
      - use: sound
        key: psid
        token: ${TOKEN}

Reads `key`, with `token`.
"""
import asyncio
from shopbot.plugin import Context, Field, Order, PluginConfig, Resolution, SecretStr, Trust, hookimpl


class Config(PluginConfig):
    """Settings."""

    key: str = Field("psid", description="The attribute.")
    token: SecretStr = Field(description="A token.")


class Plugin:
    def __init__(self, config: Config) -> None:
        self.config = config

    @hookimpl
    async def start(self, context: Context) -> None:
        self.log = context.log

    @hookimpl
    async def resolve_psid(self, order: Order) -> Resolution | None:
        found = [a.value for a in order.note_attributes if a.name == self.config.key]
        return Resolution(psid=found[0], trust=Trust.ANY) if found else None
'''


class Contract(ResolverContract):
    settings: ClassVar = {"token": "a-token"}
    order = paid_order(psid=PSID)

    def __init__(self, module: ModuleType) -> None:
        self.module = module


def contract(directory: Path, change: Callable[[str], str] = str) -> Contract:
    """Use the contract on the sound plugin with a change."""
    path = directory / "sound.py"
    path.write_text(change(SOUND).lstrip(), encoding="utf-8")
    plugin = Found(name="sound", origin="file", version="", path=path).load()
    return Contract(sys.modules[plugin.plugin.__module__])


def replacing(old: str, new: str) -> Callable[[str], str]:
    def change(source: str) -> str:
        assert old in source
        return source.replace(old, new)

    return change


ALL = [name for name in dir(ResolverContract) if name.startswith("test_") and "every_kind" not in name]


@pytest.mark.parametrize("name", ALL)
def test_a_sound_plugin_passes(name: str, tmp_path: Path) -> None:
    call(contract(tmp_path), name)


@pytest.mark.parametrize(
    ("change", "test"),
    [
        pytest.param(
            replacing('"""Find the shopper in the note.', '"""sound'),
            "its_manual_begins_with_what_it_gives",
            id="title",
        ),
        pytest.param(
            replacing("use: sound", "use: other"), "its_manual_shows_yaml_that_its_settings_accept", id="no example"
        ),
        pytest.param(
            replacing("        key: psid", "        kay: psid"),
            "its_manual_shows_yaml_that_its_settings_accept",
            id="wrong example",
        ),
        pytest.param(
            replacing("    token: SecretStr", '    extra: str = Field("", description="More.")\n    token: SecretStr'),
            "its_manual_names_every_setting",
            id="setting not in the manual",
        ),
        pytest.param(replacing(', description="The attribute."', ""), "every_setting_is_described", id="undescribed"),
        pytest.param(
            replacing('"""Settings."""', '"""Settings."""\n    model_config = {"extra": "ignore"}'),
            "an_unknown_setting_is_refused",
            id="unknown settings",
        ),
        pytest.param(
            replacing('"""Settings."""', '"""Settings."""\n    model_config = {"frozen": False}'),
            "its_settings_cannot_be_changed",
            id="settings that change",
        ),
        pytest.param(
            replacing("self.log = context.log", "self.task = asyncio.create_task(asyncio.sleep(60))"),
            "it_leaves_no_task_behind",
            id="a task left behind",
        ),
        pytest.param(
            replacing("self.log = context.log", 'context.log.info("hi", token=self.config.token.get_secret_value())'),
            "it_names_the_shopper",
            id="a secret in the log",
        ),
        pytest.param(
            replacing(
                "        return Resolution", '        self.log.info("found", psid=found)\n        return Resolution'
            ),
            "it_names_the_shopper",
            id="a PSID in the log",
        ),
        pytest.param(
            replacing(
                "        return Resolution",
                "        import logging\n        logging.debug('%s', found)\n        return Resolution",
            ),
            "it_names_the_shopper",
            id="a PSID in a library's log",
        ),
        pytest.param(
            replacing("if found else None", 'if found else Resolution(psid="1", trust=Trust.ANY)'),
            "an_order_that_says_nothing_is_nobodys",
            id="an answer for everybody",
        ),
    ],
)
def test_what_is_wrong_is_found(change: Callable[[str], str], test: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        call(contract(tmp_path, change), f"test_{test}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("async def resolve_psid(self, order: Order)", "async def resolve_psids(self, order: Order)"),
        ("async def resolve_psid(self, order: Order)", "async def resolve_psid(self, orders: Order)"),
        ("async def resolve_psid(self, order: Order)", "def resolve_psid(self, order: Order)"),
        ("return Resolution(psid=found[0], trust=Trust.ANY) if found else None", "return found"),
        ("return Resolution(psid=found[0]", "return Resolution(psid=found[7]"),
    ],
    ids=["hook", "argument", "not async", "answer", "fault"],
)
def test_the_hooks_are_held_against_the_hookspecs(old: str, new: str, tmp_path: Path) -> None:
    with pytest.raises((PluginError, PluginFailedError)):
        call(contract(tmp_path, replacing(old, new)), "test_it_names_the_shopper")


def call(contract: Contract, name: str) -> None:
    answer = getattr(contract, name)()
    if answer is not None:
        with asyncio.Runner() as runner:
            runner.run(answer)


def test_the_manual_of_the_contracts_works_as_it_is(tmp_path: Path) -> None:
    """An integrator copies it."""
    (example,) = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", contracts.__doc__ or "", re.MULTILINE)
    test = f"from shopbot_plugins import note_attributes\n{textwrap.dedent(example)}"
    (tmp_path / "test_mine.py").write_text(test, encoding="utf-8")

    run = run_pytest(tmp_path)

    assert run.exit_code == 0, run.output
    assert 20 <= run.count("passed") < 30


@pytest.mark.parametrize("import_mode", ["prepend", "importlib"])
def test_a_drop_in_file_is_tested_where_it_lies(import_mode: str, tmp_path: Path) -> None:
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "plugins.d" / "sound.py").write_text(SOUND.lstrip(), encoding="utf-8")
    test = """
from shopbot.testing.contracts import PSID, ResolverContract
from shopbot.testing.orders import paid_order

class TestSound(ResolverContract):
    drop_in = "../plugins.d/sound.py"
    settings = {"token": "a-token"}
    order = paid_order(psid=PSID)
"""
    (tmp_path / "tests" / "test_sound.py").write_text(test, encoding="utf-8")

    run = run_pytest(tmp_path, "tests", f"--import-mode={import_mode}")

    assert run.exit_code == 0, run.output
    assert run.count("passed") >= 20


def test_a_drop_in_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no_such_plugin\.py"):
        type("TestIt", (ResolverContract,), {"drop_in": "no_such_plugin.py", "__module__": __name__})
