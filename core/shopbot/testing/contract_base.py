"""What every plugin must pass, and the small world that a plugin is started in for it."""

# ruff: noqa: S101, D102 - tests for integrators to inherit: made of assert, and their names are sentences
from __future__ import annotations

import asyncio
import inspect
import logging
import re
import tempfile
import textwrap
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
import yaml
from fakeredis import FakeAsyncRedis, FakeServer
from pydantic import BaseModel, ValidationError

from shopbot.config.fields import secret_texts
from shopbot.discovery import implements, import_file
from shopbot.hooks import Hooks, PluginInstance
from shopbot.plugin import Context, PluginConfig, SharedKeys, Shop, Store

PSID = "7312345678901234"
"""The shopper of the contracts; must never stand whole in a log."""

SHOP = Shop(domain="acme.myshopify.com", name="Acme", locale="en", timezone=ZoneInfo("Europe/Berlin"))

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@dataclass
class RecordingLog:
    """A plugin's logger that keeps every line."""

    lines: list[tuple[str, str, dict[str, object]]] = field(default_factory=list)
    """Level, event and fields of each."""

    def debug(self, event: str, **fields: object) -> None:
        """Keep a line."""
        self.lines.append(("debug", event, fields))

    def info(self, event: str, **fields: object) -> None:
        """Keep a line."""
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        """Keep a line."""
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        """Keep a line."""
        self.lines.append(("error", event, fields))

    def of(self, event: str) -> list[dict[str, object]]:
        """Give the fields of all lines about *event*."""
        return [fields for _, name, fields in self.lines if name == event]


@dataclass(frozen=True)
class Running:
    """A started plugin, and what it works with."""

    hooks: Hooks
    """The host's own facade, which holds every call and answer against the hookspec."""
    context: Context
    """What the plugin got in `start`."""
    log: RecordingLog
    """Its `context.log`."""

    @property
    def store(self) -> Store:
        """The plugin's store."""
        return self.context.store

    @property
    def keys(self) -> SharedKeys:
        """The names of the shared keys."""
        return self.context.keys

    @property
    def data_dir(self) -> Path:
        """The plugin's directory."""
        return self.context.data_dir


class PluginContract:
    """What every plugin must pass; use one of the contracts for its kind, which all include this one."""

    module: ModuleType
    """The plugin's module."""
    drop_in: ClassVar[str]
    """In its place, the path of a drop-in file, seen from the directory of the test: `../plugins.d/mine.py`."""
    settings: ClassVar[Mapping[str, Any]] = {}
    """Its settings as in shopbot.yaml, without `use`, after the environment was put in."""
    section: ClassVar[str]
    """The list in shopbot.yaml; each kind's contract sets it."""
    hook: ClassVar[str]
    """The hook that makes the kind; each kind's contract sets it."""
    of_the_host: ClassVar[Sequence[str]] = ("use", "time_limit")
    """Keys of an entry that are the framework's and not the plugin's."""
    shopbot_contract: ClassVar[bool] = True
    """By which the pytest plugin knows whose `async def` tests these are."""

    def __init_subclass__(cls) -> None:
        """Import the drop-in file, where the tests are about one."""
        super().__init_subclass__()
        if "drop_in" in vars(cls):
            cls.module = import_file((Path(inspect.getfile(cls)).parent / cls.drop_in).resolve())

    @property
    def name(self) -> str:
        """The plugin's `use:` name; its file's name, unless overridden."""
        return Path(inspect.getfile(self.module)).stem

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[Mapping[str, Any]]:
        """Bring up whatever else the plugin talks to; gives settings that replace or join `settings`."""
        yield {}

    def open_store(self) -> AbstractAsyncContextManager[Store]:
        """Open the store; in memory, unless overridden."""
        return _store_in_memory()

    def config(self, **changes: object) -> PluginConfig:
        """Validate the settings with *changes*."""
        config: type[PluginConfig] = getattr(self.module, "Config", PluginConfig)
        return config.model_validate({**self.settings, **changes})

    def make(self, **changes: object) -> Any:  # noqa: ANN401 - a plugin has no type of its own
        """Make an instance as the host does for an entry of shopbot.yaml."""
        return self.module.Plugin(self.config(**changes))

    def facade(self) -> Hooks:
        """Give the host's facade with a fresh instance that is not started: enough for hooks that only compute."""
        return Hooks([PluginInstance(self.section, 0, self.name, self.make())])

    @asynccontextmanager
    async def running(self, **changes: object) -> AsyncIterator[Running]:
        """Start the plugin behind the host's facade, and stop it.

        changes: settings for this run.

        Fails when a log line, the plugin's or a library's, holds a secret of the settings or the shopper's PSID.
        """
        log = RecordingLog()
        with tempfile.TemporaryDirectory() as directory, _library_log() as library_lines:
            async with self.open_store() as store, self.surroundings() as surrounding:
                settings = {**surrounding, **changes}
                hooks = Hooks([PluginInstance(self.section, 0, self.name, self.make(**settings))])
                context = Context(
                    shop=SHOP,
                    store=store,
                    keys=SharedKeys(),
                    ttl_seconds={
                        "checkout_token": 86_400.0,
                        "checkout_token_lookup": 86_400.0,
                        "order_reference": 31_536_000.0,
                        "webhook_id": 172_800.0,
                        "journal": 2_592_000.0,
                    },
                    data_dir=Path(directory),
                    log=log,
                )
                await hooks.start(lambda _: context)
                try:
                    yield Running(hooks, context, log)
                finally:
                    await hooks.stop()
        config = type(self.config())
        confidential = [PSID, *secret_texts(config, {**self.settings, **settings})]
        for line in [*map(repr, log.lines), *library_lines]:
            for text in confidential:
                assert text not in line, f"a secret or a whole PSID in a log line: {line}"

    # The manual and the settings

    def test_its_manual_begins_with_what_it_gives(self) -> None:
        first = self._manual().partition("\n")[0]

        assert first.endswith(".")
        assert len(first) <= 120  # noqa: PLR2004 - the width of a table in a terminal

    def test_its_manual_shows_yaml_that_its_settings_accept(self) -> None:
        entries = [
            entry
            for block in _yaml_blocks(self._manual())
            for entry in block.get(self.section, [])
            if entry.get("use") == self.name
        ]

        assert entries, f"the manual shows no `use: {self.name}` under `{self.section}:`"
        for entry in entries:
            settings = {key: value for key, value in entry.items() if key not in self.of_the_host}
            type(self.config()).model_validate(settings)

    def test_its_manual_names_every_setting(self) -> None:
        manual = self._manual()

        for name in type(self.config()).model_fields:
            assert re.search(rf"\b{name}\b", manual), f"the manual does not mention `{name}`"

    def test_every_setting_is_described(self) -> None:
        for name, description in _descriptions(type(self.config())):
            assert description, f"the setting `{name}` has no description"

    def test_an_unknown_setting_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="no_such_setting"):
            self.config(no_such_setting=1)

    def test_its_settings_cannot_be_changed(self) -> None:
        config = self.config()

        for name in type(config).model_fields:
            with pytest.raises(ValidationError):
                setattr(config, name, getattr(config, name))

    def test_its_settings_do_not_show_their_secrets(self) -> None:
        config = self.config()

        for secret in secret_texts(type(config), dict(self.settings)):
            assert secret not in f"{config!r} {config} {config.model_dump_json()}"

    # The instance

    def test_it_is_made_without_an_event_loop(self) -> None:
        """`shopbot check` makes every plugin that the configuration names, and starts none."""
        assert implements(type(self.make()), self.hook)

    async def test_it_leaves_no_task_behind(self) -> None:
        before = asyncio.all_tasks()
        async with self.running():
            pass

        assert asyncio.all_tasks() == before

    async def test_it_can_stand_in_the_list_twice(self) -> None:
        async with self.running() as first, self.running() as second:
            assert first.hooks is not second.hooks

    def _manual(self) -> str:
        manual = inspect.getdoc(self.module) or inspect.getdoc(self.module.Plugin)
        assert manual, "the module has no docstring: it is the plugin's manual"
        return manual.strip()


@asynccontextmanager
async def _store_in_memory() -> AsyncIterator[Store]:
    async with FakeAsyncRedis(server=FakeServer()) as client:
        yield client


@contextmanager
def _library_log() -> Iterator[list[str]]:
    """Collect what libraries log, down to the last detail; a server inside the test is not part of the plugin."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not record.name.startswith("sanic"):
                lines.append(record.getMessage())

    root, collector = logging.getLogger(), Collector()
    level = root.level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(level)
        root.removeHandler(collector)


def _yaml_blocks(manual: str) -> Iterator[Mapping[str, Sequence[Mapping[str, Any]]]]:
    """Give the indented blocks of a manual that are YAML mappings of lists."""
    for block in re.findall(r"(?:^ {4}.*\n?|^\n)+", manual, re.MULTILINE):
        text = _VARIABLE.sub(lambda match: match[2] or f"value-of-{match[1]}", textwrap.dedent(block))
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        if isinstance(value, dict) and all(isinstance(entries, list) for entries in value.values()):
            yield value


def _descriptions(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    for name, setting in model.model_fields.items():
        yield f"{prefix}{name}", setting.description
        annotation = setting.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _descriptions(annotation, f"{prefix}{name}.")
