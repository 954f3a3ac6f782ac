from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shopbot import __version__
from shopbot.discovery import discover
from support.command_line import shopbot

WIDE = 400

DROP_IN = '''
"""Do [something] :tada: [/else].

    plugins:
      - use: drop_in
        key: value

A long line of the source file,
which is wider than a terminal:

- one,
- two.

https://example.com/manual
"""

from datetime import timedelta
from typing import Literal

from shopbot.plugin import Event, Field, Outcome, PluginConfig, PositiveDuration, Run, SecretStr, hookimpl


class Config(PluginConfig):
    """What it accepts."""

    key: str = Field(description="A key, as in [brackets].")
    token: SecretStr | None = Field(None, description="A token.")
    wait: PositiveDuration = Field(timedelta(minutes=90), description="How long.")
    kinds: tuple[Literal["a", "b"], ...] = Field(("a",), description="Which kinds.")
    strict: bool = Field(default=False, description="Whether.")
    limit: int | str = Field(5, description="How many.")
    share: float = Field(0.5, description="What part.")


class Plugin:
    def __init__(self, config): ...

    @hookimpl
    async def run_step(self, event: Event, run: Run) -> Outcome:
        return Outcome.done()

    @hookimpl
    async def event_finished(self) -> None: ...
'''


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a plugin of its own."""
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d" / "drop_in.py").write_text(DROP_IN, encoding="utf-8")
    return tmp_path


def rows(output: str) -> list[list[str]]:
    """Split a table into its cells."""
    lines = [line.rstrip() for line in output.splitlines()]
    heads = lines[0].split("  ")
    starts = [lines[0].index(head.strip()) for head in heads if head.strip()]
    ends = [*starts[1:], None]
    return [[line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in lines]


def test_all_plugins_are_listed_with_what_they_do(directory: Path) -> None:
    ended = shopbot("plugins", directory=directory, columns=WIDE)

    head, *found = rows(ended.output)
    assert ended.exit_code == 0
    assert head == ["NAME", "KIND", "ORIGIN", "VERSION", "WHAT IT DOES"]
    assert [row[0] for row in found] == sorted([*discover(), "drop_in"])
    assert ["redis_cart", "cart", "shopbot", __version__] in [row[:4] for row in found]
    assert ["drop_in", "step, observer", "plugins.d/drop_in.py", "", "Do [something] :tada: [/else]."] in found


def test_one_plugin_is_shown_with_its_manual_and_settings(directory: Path) -> None:
    ended = shopbot("plugins", "drop_in", directory=directory, columns=WIDE)

    assert ended.exit_code == 0
    title, _, text = ended.output.partition("\n\n")
    manual, _, table = text.partition("SETTING ")
    assert title == "drop_in (step, observer, from plugins.d/drop_in.py)"
    assert manual.rstrip() == (
        "Do [something] :tada: [/else].\n\n    plugins:\n      - use: drop_in\n        key: value\n\n"
        "A long line of the source file, which is wider than a terminal:\n\n- one,\n- two.\n\n"
        "https://example.com/manual"
    )
    assert rows("SETTING " + table) == [
        ["SETTING", "TYPE", "DEFAULT", "MEANING"],
        ["key", "text", "required", "A key, as in [brackets]."],
        ["token", "secret", "none", "A token."],
        ["wait", "duration", "1h30m", "How long."],
        ["kinds", "list of a, b", '["a"]', "Which kinds."],
        ["strict", "true or false", "false", "Whether."],
        ["limit", "whole number or text", "5", "How many."],
        ["share", "number", "0.5", "What part."],
    ]


def test_a_plugin_without_settings_says_so(directory: Path) -> None:
    ended = shopbot("plugins", "redis_cart", directory=directory, columns=WIDE)

    assert ended.output.startswith(
        f"redis_cart (cart, from shopbot {__version__})\n\nEmpty the cart that the bot keeps"
    )
    assert ended.output.endswith("\n\nIt has no settings.\n")


def test_scripts_get_the_same_as_json(directory: Path) -> None:
    ended = shopbot("plugins", "drop_in", "--json", directory=directory)

    (plugin,) = json.loads(ended.output)
    settings = plugin.pop("settings")
    assert ended.exit_code == 0
    assert plugin == {
        "name": "drop_in",
        "kinds": ["step", "observer"],
        "origin": "plugins.d/drop_in.py",
        "version": "",
        "summary": "Do [something] :tada: [/else].",
    }
    assert settings[:3] == [
        {"name": "key", "type": "text", "required": True, "default": None, "description": "A key, as in [brackets]."},
        {"name": "token", "type": "secret", "required": False, "default": None, "description": "A token."},
        {"name": "wait", "type": "duration", "required": False, "default": "1h30m", "description": "How long."},
    ]


def test_a_name_that_nobody_has_is_an_error_with_a_suggestion(directory: Path) -> None:
    ended = shopbot("plugins", "token_lokup", directory=directory)

    names = ", ".join(sorted([*discover(), "drop_in"]))
    assert (ended.exit_code, ended.output) == (1, "")
    assert ended.errors == f"no plugin named 'token_lokup'; installed: {names}; did you mean 'token_lookup'?\n"


def test_drop_ins_may_lie_elsewhere(directory: Path) -> None:
    ended = shopbot("plugins", "--plugins-dir", "plugins.d", "--json", directory=directory)
    elsewhere = shopbot("plugins", "--plugins-dir", "nowhere", "--json", directory=directory)

    assert {plugin["name"] for plugin in json.loads(ended.output)} == {*discover(), "drop_in"}
    assert {plugin["name"] for plugin in json.loads(elsewhere.output)} == set(discover())


class TestABrokenPlugin:
    """Is named with what is wrong, and all others are listed."""

    ERROR = "plugin 'broken' (plugins.d/broken.py) does not import: RuntimeError: no licence [/red] for :tada:"

    @pytest.fixture
    def broken(self, directory: Path) -> Path:
        source = "raise RuntimeError('no licence [/red] for :tada:')"
        (directory / "plugins.d" / "broken.py").write_text(source, encoding="utf-8")
        return directory

    def test_it_is_listed_with_its_error(self, broken: Path) -> None:
        ended = shopbot("plugins", directory=broken, columns=WIDE)

        assert ended.exit_code == 1
        found = rows(ended.output)[1:]
        assert [row[0] for row in found] == sorted([*discover(), "broken", "drop_in"])
        assert ["broken", "broken", "", "", self.ERROR] in found

    def test_it_is_shown_with_its_error(self, broken: Path) -> None:
        ended = shopbot("plugins", "broken", directory=broken, columns=WIDE)

        assert (ended.exit_code, ended.output) == (1, self.ERROR + "\n")

    def test_scripts_see_its_error(self, broken: Path) -> None:
        ended = shopbot("plugins", "--json", directory=broken)

        found: list[dict[str, Any]] = json.loads(ended.output)
        assert ended.exit_code == 1
        assert [plugin for plugin in found if "error" in plugin] == [{"name": "broken", "error": self.ERROR}]

    def test_two_of_one_name_are_listed_as_such(self, directory: Path) -> None:
        (directory / "plugins.d" / "console.py").write_text(DROP_IN, encoding="utf-8")

        ended = shopbot("plugins", "console", directory=directory, columns=WIDE)

        assert (ended.exit_code, ended.output) == (
            1,
            "two plugins are called 'console': shopbot and plugins.d/console.py; rename one\n",
        )
