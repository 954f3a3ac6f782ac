"""Finds the plugins that are installed or dropped in, and makes instances of those that shopbot.yaml names."""

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import ModuleType

from shopbot.hookspecs import HookSpecs
from shopbot.plugin import PluginConfig

ENTRY_POINT_GROUP = "shopbot.plugins"

KINDS: Mapping[str, str] = {
    "verify_request": "verifier",
    "resolve_psid": "resolver",
    "clear_cart": "cart",
    "send_message": "sender",
    "poll_orders": "poller",
    "create_checkout": "checkout",
    "run_step": "step",
    "template_filters": "filters",
    "event_finished": "observer",
    "erase_person": "eraser",
}
"""What a plugin is called by the hook that it answers. `start` and `stop` make no kind."""


class PluginError(Exception):
    """A plugin cannot be used; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class PluginType:
    """A plugin that could be loaded: its two classes and what is known about them."""

    name: str
    origin: str
    version: str
    """Of the distribution that brings it; empty for a drop-in file."""
    manual: str
    """The module's docstring."""
    config: type[PluginConfig]
    plugin: type
    kinds: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The manual's first line."""
        return self.manual.strip().partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin's place, before it is imported. An unused plugin is never imported by a running host."""

    name: str
    origin: str
    version: str
    entry_point: metadata.EntryPoint | None = field(default=None, repr=False)
    path: Path | None = None
    code: Path | None = field(default=None, repr=False)
    """Where a copy of the file's code is; None reads the file itself."""

    def load(self) -> PluginType:
        """Import the plugin.

        Raises:
            PluginError: it does not import, or is no plugin.
        """
        module = self._import()
        plugin = getattr(module, "Plugin", None)
        if not inspect.isclass(plugin):
            raise PluginError(f"plugin '{self.name}' ({self.origin}) has no class 'Plugin'")
        config = getattr(module, "Config", PluginConfig)
        if not (inspect.isclass(config) and issubclass(config, PluginConfig)):
            raise PluginError(f"plugin '{self.name}' ({self.origin}): 'Config' must be a subclass of PluginConfig")
        kinds = tuple(kind for hook, kind in KINDS.items() if implements(plugin, hook))
        return PluginType(
            name=self.name,
            origin=self.origin,
            version=self.version,
            manual=inspect.getdoc(module) or inspect.getdoc(plugin) or "",
            config=config,
            plugin=plugin,
            kinds=kinds,
        )

    def _import(self) -> ModuleType:
        try:
            if self.entry_point is not None:
                loaded = self.entry_point.load()
            elif self.path is not None:
                loaded = import_file(self.path, self.code)
            else:
                loaded = None
        except (Exception, SystemExit) as error:
            # Whatever an import may raise belongs to the plugin's author; the others still load. A script that is
            # no plugin ends in SystemExit.
            raise PluginError(
                f"plugin '{self.name}' ({self.origin}) does not import: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(loaded, ModuleType):
            raise PluginError(
                f"plugin '{self.name}' ({self.origin}): its entry point must name a module, as in"
                f' `{self.name} = "my_package.{self.name}"`'
            )
        return loaded


def implements(plugin: type, hook: str) -> bool:
    """Say whether a plugin class has a method marked with `@hookimpl` for *hook*."""
    method = getattr(plugin, hook, None)
    if not hasattr(method, "shopbot_impl"):
        return False
    return hasattr(HookSpecs, hook)


def discover(plugins_dir: Path | None = None, *, copied: Path | None = None) -> Mapping[str, Found | PluginError]:
    """Find all plugins by name, without importing any, sorted by name.

    plugins_dir: a directory of drop-in files, each `NAME.py`; None or a missing directory has none. Names that two
    places claim are given as the error that says so.
    copied: where a copy of these files is, which says what there is and has their code; None reads them themselves.
    """
    found: dict[str, Found | PluginError] = {}
    for plugin in [*_installed(), *_dropped_in(plugins_dir, copied)]:
        earlier = found.get(plugin.name)
        if isinstance(earlier, Found):
            found[plugin.name] = PluginError(
                f"two plugins are called '{plugin.name}': {earlier.origin} and {plugin.origin}; rename one"
            )
        elif earlier is None:
            found[plugin.name] = plugin
    return dict(sorted(found.items()))


def _installed() -> list[Found]:
    found: dict[tuple[str, str], Found] = {}
    for entry_point in metadata.entry_points(group=ENTRY_POINT_GROUP):
        dist = entry_point.dist
        name, version = (dist.name, dist.version) if dist is not None else ("unknown", "")
        # The same distribution can be on sys.path twice (a checkout beside its installed metadata).
        found[entry_point.name, entry_point.value] = Found(
            name=entry_point.name, origin=name, version=version, entry_point=entry_point
        )
    return list(found.values())


def _dropped_in(directory: Path | None, copied: Path | None) -> list[Found]:
    place = copied or directory
    if directory is None or place is None or not place.is_dir():
        return []
    return [
        Found(
            name=path.stem,
            origin=str(directory / path.name),
            version="",
            path=directory / path.name,
            code=path if copied else None,
        )
        for path in sorted(place.glob("*.py"))
        if not path.name.startswith("_")
    ]


def import_file(path: Path, code: Path | None = None) -> ModuleType:
    """Import a drop-in file, under a name that no other file has. Raises whatever the file raises.

    code: where its code is read; None reads the file itself. The module is that of the file all the same: what lies
        beside it is found by its `__file__`.
    """
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"shopbot_dropin_{digest}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"plugin file {path} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    # pydantic and pickle look a class's module up by name.
    sys.modules[name] = module
    try:
        if code is None:
            spec.loader.exec_module(module)
        else:
            compiled = compile(code.read_bytes(), str(path), "exec", dont_inherit=True)
            exec(compiled, module.__dict__)  # noqa: S102 - as an import does
    except BaseException:
        del sys.modules[name]
        raise
    return module
