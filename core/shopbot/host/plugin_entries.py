"""The plugin lists of shopbot.yaml: finds each entry's plugin, checks its settings, makes its instance."""

import inspect
from collections.abc import Iterable, Mapping, Sequence

from shopbot.config.document import Document
from shopbot.config.fields import secret_texts
from shopbot.config.nodes import KeyPath
from shopbot.config.plugin_entry import PluginEntry
from shopbot.config.problem import Problem, suggest
from shopbot.config.validation import validate
from shopbot.discovery import Found, PluginError, PluginType
from shopbot.hooks import Hooks, PluginInstance, misspelled_hook
from shopbot.rules.steps import STEP_NAMES

KIND_OF_LIST = {
    "verify": "verifier",
    "resolvers": "resolver",
    "carts": "cart",
    "senders": "sender",
    "pollers": "poller",
    "checkouts": "checkout",
}
"""What a plugin must be to stand in a list; other lists take any kind."""


class PluginEntries:
    """Turns entries into instances and collects what is wrong with them."""

    def __init__(
        self,
        document: Document,
        entries: Iterable[tuple[KeyPath, PluginEntry]],
        catalogue: Mapping[str, Found | PluginError],
    ) -> None:
        """Take the entries with their places, each the name of a list and an index."""
        self._document = document
        self._entries = entries
        self._catalogue = catalogue
        self.problems: list[Problem] = []
        self.complete = False
        """Whether every entry has its instance."""
        self.step_names: list[str] = []
        """Names of `plugins:` entries that rules may use as steps."""
        self.secrets: set[str] = set()
        """The values that the plugins' settings keep secret."""

    def instances(self) -> Sequence[PluginInstance]:
        """Make an instance of every entry; those that cannot be made are left out and `complete` is false."""
        made = [self._instance(str(path[0]), int(path[1]), entry) for path, entry in self._entries]
        self._check_step_names()
        self.complete = None not in made
        return [instance for instance in made if instance is not None]

    def _instance(self, section: str, index: int, entry: PluginEntry) -> PluginInstance | None:
        plugin = self._find(section, index, entry)
        if plugin is None:
            return None
        self.secrets.update(secret_texts(plugin.config, entry.settings))
        config, problems = validate(plugin.config, self._document, (section, index), entry.settings)
        self.problems += problems
        if config is None:
            return None
        if inspect.getattr_static(plugin.plugin, "__init__") is object.__init__:
            needed = "its class Plugin needs a `def __init__(self, config: Config) -> None`"
            self._problem((section, index, "use"), f"'{entry.use}' takes no settings: {needed}")
            return None
        try:
            made = plugin.plugin(config)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - its author's to explain, whatever it is
            why = "" if self._document.quotes_secret(str(error)) else f": {error}"
            self._problem((section, index, "use"), f"'{entry.use}' cannot be made: {type(error).__name__}{why}")
            return None
        instance = PluginInstance(
            section=section,
            index=index,
            name=entry.use,
            plugin=made,
            time_limit_seconds=entry.time_limit.total_seconds() if entry.time_limit else None,
        )
        try:
            Hooks([instance])
        except PluginError as error:
            self._problem((section, index, "use"), str(error))
            return None
        return instance

    def _find(self, section: str, index: int, entry: PluginEntry) -> PluginType | None:
        path = (section, index, "use")
        found = self._catalogue.get(entry.use)
        if found is None:
            names = ", ".join(self._catalogue) or "none"
            self._problem(
                path,
                f"no plugin named '{entry.use}'; installed: {names}{suggest(entry.use, self._catalogue)}",
            )
            return None
        if isinstance(found, PluginError):
            self._problem(path, str(found))
            return None
        try:
            plugin = found.load()
        except PluginError as error:
            self._problem(path, str(error))
            return None
        slip = misspelled_hook(plugin.plugin)
        if slip is not None:
            self._problem(path, f"plugin '{entry.use}' ({plugin.origin}): {slip}")
            return None
        wanted = KIND_OF_LIST.get(section)
        if wanted is not None and wanted not in plugin.kinds:
            kinds = " and ".join(plugin.kinds) or "plugin without a hook"
            hint = "" if plugin.kinds else ": put @hookimpl in front of its methods"
            self._problem(path, f"'{entry.use}' is a {kinds} and cannot stand under `{section}:`{hint}")
            return None
        if section == "plugins" and "step" in plugin.kinds:
            if entry.use in STEP_NAMES:
                # The framework's own step would run in its place, and nobody would be told.
                self._problem(path, f"a step named '{entry.use}' is built in; give the plugin another name")
                return None
            self.step_names.append(entry.use)
        return plugin

    def _check_step_names(self) -> None:
        for name in sorted({name for name in self.step_names if self.step_names.count(name) > 1}):
            self._problem(("plugins",), f"'{name}' stands twice, so that a rule's step could mean either")

    def _problem(self, path: KeyPath, message: str) -> None:
        message = self._document.masked(message)
        self.problems.append(self._document.problem(self._document.position(path), message))
