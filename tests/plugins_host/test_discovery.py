from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from shopbot.discovery import Found, PluginError, PluginType, discover
from shopbot.host.blueprint import Checked, check_config

RESOLVER = '''
"""Find the shopper somewhere else."""

from shopbot.plugin import Field, Order, PluginConfig, Resolution, hookimpl


class Config(PluginConfig):
    """What it accepts."""

    key: str = Field("psid", description="The attribute.")


class Plugin:
    """Reads it."""

    def __init__(self, config: Config) -> None:
        self.key = config.key

    @hookimpl
    async def resolve_psid(self, order: Order) -> Resolution | None:
        return None
'''

BUNDLED = {
    "attributes",
    "audit_log",
    "console",
    "http_cart",
    "http_forward",
    "messenger",
    "note_attributes",
    "privacy_filters",
    "redis_cart",
    "shopify_hmac",
    "token_lookup",
}


@pytest.fixture(autouse=True)
def _forget_modules() -> Iterator[None]:
    """Let no test find what another has imported."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("shopbot_dropin_", "other_plugins")):
            del sys.modules[name]


def drop_in(directory: Path, **files: str) -> Path:
    plugins = directory / "plugins.d"
    plugins.mkdir(exist_ok=True)
    for name, source in files.items():
        (plugins / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return plugins


def install(directory: Path, monkeypatch: pytest.MonkeyPatch, entry_points: Mapping[str, str], **modules: str) -> None:
    """Install a distribution, as pip leaves it on the disk."""
    site = directory / "site-packages"
    info = site / "other_plugins-1.2.3.dist-info"
    package = site / "other_plugins"
    for path in (info, package):
        path.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-plugins\nVersion: 1.2.3\n", encoding="utf-8")
    lines = [f"{name} = {value}" for name, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[shopbot.plugins]", *lines, ""]), encoding="utf-8")
    for name, source in {"__init__": "", **modules}.items():
        (package / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    monkeypatch.syspath_prepend(site)


def load(found: Found | PluginError) -> PluginType:
    assert isinstance(found, Found)
    return found.load()


def refusal(found: Found | PluginError) -> str:
    if isinstance(found, PluginError):
        return str(found)
    with pytest.raises(PluginError) as error:
        found.load()
    return str(error.value)


def test_all_bundled_plugins_are_found_and_can_be_loaded() -> None:
    catalogue = discover()

    assert set(catalogue) >= BUNDLED
    assert list(catalogue) == sorted(catalogue)
    for name, found in catalogue.items():
        plugin = load(found)
        assert (plugin.name, plugin.origin) == (name, "shopbot")
        assert plugin.kinds, name
        assert plugin.summary.endswith("."), name


def test_looking_for_plugins_imports_none(tmp_path: Path) -> None:
    plugins = drop_in(tmp_path, loud="raise RuntimeError('imported')")

    assert isinstance(discover(plugins)["loud"], Found)


def test_a_file_in_the_plugins_directory_is_a_plugin_of_its_file_s_name(tmp_path: Path) -> None:
    plugins = drop_in(tmp_path, my_resolver=RESOLVER, _shared="raise RuntimeError")
    (plugins / "notes.txt").write_text("no plugin", encoding="utf-8")

    catalogue = discover(plugins)

    plugin = load(catalogue["my_resolver"])
    assert (plugin.origin, plugin.version, plugin.kinds) == (str(plugins / "my_resolver.py"), "", ("resolver",))
    assert plugin.summary == "Find the shopper somewhere else."
    assert set(catalogue) - set(discover()) == {"my_resolver"}


@pytest.mark.parametrize("directory", [None, Path("no-such-directory")])
def test_without_a_plugins_directory_there_are_the_installed_ones(directory: Path | None) -> None:
    assert set(discover(directory)) == set(discover())


def test_files_of_one_name_in_two_directories_are_two_modules(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("one", "two")]
    for place in places:
        place.mkdir()
        drop_in(place, same=RESOLVER + f"\n\nPLACE = {str(place)!r}\n")

    loaded = [load(discover(place / "plugins.d")["same"]) for place in places]

    assert loaded[0].plugin.__module__ != loaded[1].plugin.__module__
    assert [sys.modules[plugin.plugin.__module__].PLACE for plugin in loaded] == [str(place) for place in places]


def test_an_installed_plugin_shows_the_distribution_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, {"elsewhere": "other_plugins.elsewhere"}, elsewhere=RESOLVER)

    plugin = load(discover()["elsewhere"])

    assert (plugin.name, plugin.origin, plugin.version) == ("elsewhere", "other-plugins", "1.2.3")


def test_a_distribution_that_is_on_the_path_twice_brings_its_plugins_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        install(tmp_path / place, monkeypatch, {"elsewhere": "other_plugins.elsewhere"}, elsewhere=RESOLVER)

    assert load(discover()["elsewhere"]).kinds == ("resolver",)


def test_two_plugins_of_one_name_are_an_error_that_names_both_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, {"twice": "other_plugins.twice"}, twice=RESOLVER)
    plugins = drop_in(tmp_path, twice=RESOLVER, console=RESOLVER)

    catalogue = discover(plugins)

    assert refusal(catalogue["twice"]) == (
        f"two plugins are called 'twice': other-plugins and {plugins / 'twice.py'}; rename one"
    )
    assert refusal(catalogue["console"]) == (
        f"two plugins are called 'console': shopbot and {plugins / 'console.py'}; rename one"
    )


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise RuntimeError('no licence')", "does not import: RuntimeError: no licence"),
        ("import a_module_that_is_not_there", "does not import: ModuleNotFoundError: No module named"),
        ("def broken(:", "does not import: SyntaxError:"),
        ("raise SystemExit(3)", "does not import: SystemExit: 3"),
        ("", "has no class 'Plugin'"),
        ("Plugin = 3", "has no class 'Plugin'"),
        ("class Plugin: ...\nclass Config: ...", "'Config' must be a subclass of PluginConfig"),
        ("class Plugin: ...\nConfig = 3", "'Config' must be a subclass of PluginConfig"),
    ],
)
def test_what_is_no_plugin_is_named_and_explained(tmp_path: Path, source: str, why: str) -> None:
    plugins = drop_in(tmp_path, broken=source)

    text = refusal(discover(plugins)["broken"])

    assert text.startswith(f"plugin 'broken' ({plugins / 'broken.py'})")
    assert why in text


def test_a_file_that_failed_to_import_can_be_mended_and_loaded(tmp_path: Path) -> None:
    plugins = drop_in(tmp_path, mended="raise RuntimeError")
    refusal(discover(plugins)["mended"])

    drop_in(tmp_path, mended=RESOLVER + "\n# longer than before, so that no stale bytecode is taken\n")

    assert load(discover(plugins)["mended"]).kinds == ("resolver",)


def test_an_entry_point_that_names_no_module_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry_points = {
        "a_class": "other_plugins.elsewhere:Plugin",
        "gone": "other_plugins.gone",
        "no_attribute": "other_plugins.elsewhere:Missing",
    }
    install(tmp_path, monkeypatch, entry_points, elsewhere=RESOLVER)

    catalogue = discover()

    assert refusal(catalogue["a_class"]) == (
        "plugin 'a_class' (other-plugins): its entry point must name a module, as in `a_class = \"my_package.a_class\"`"
    )
    assert refusal(catalogue["gone"]) == (
        "plugin 'gone' (other-plugins) does not import: ModuleNotFoundError: No module named 'other_plugins.gone'"
    )
    assert "does not import: AttributeError" in refusal(catalogue["no_attribute"])


def test_a_plugin_without_a_config_takes_no_settings(tmp_path: Path) -> None:
    plugins = drop_in(tmp_path, bare="class Plugin:\n    def __init__(self, config): ...\n")

    plugin = load(discover(plugins)["bare"])

    assert (plugin.config.model_fields, plugin.kinds, plugin.summary) == ({}, (), "")


def check(directory: Path, resolvers: str) -> Checked:
    config = directory / "shopbot.yaml"
    config.write_text(f"shop: {{domain: acme.myshopify.com, name: Acme}}\nresolvers: [{resolvers}]\n", encoding="utf-8")
    return check_config(config, {})


def test_a_broken_file_is_fatal_only_when_it_is_used(tmp_path: Path) -> None:
    plugins = drop_in(tmp_path, broken="raise RuntimeError('no licence')", fine=RESOLVER)

    used = check(tmp_path, "{use: broken}, {use: fine}")
    unused = check(tmp_path, "{use: fine}")

    config = tmp_path / "shopbot.yaml"
    assert [str(problem) for problem in used.problems] == [
        f"{config}:2:19: plugin 'broken' ({plugins / 'broken.py'}) does not import: RuntimeError: no licence"
    ]
    assert unused.problems == ()
    assert unused.blueprint is not None
    assert unused.blueprint.hooks.places == ["resolvers[0]:fine"]


def test_two_of_one_name_are_fatal_only_when_they_are_used(tmp_path: Path) -> None:
    plugins = drop_in(tmp_path, console=RESOLVER)

    used = check(tmp_path, "{use: console}")

    assert [problem.message for problem in used.problems] == [
        f"two plugins are called 'console': shopbot and {plugins / 'console.py'}; rename one"
    ]
    assert check(tmp_path, "{use: token_lookup}").problems == ()


def test_the_same_drop_in_stands_twice_with_different_settings(tmp_path: Path) -> None:
    drop_in(tmp_path, fine=RESOLVER)

    checked = check(tmp_path, "{use: fine, key: one}, {use: fine, key: two}")

    assert checked.problems == ()
    assert checked.blueprint is not None
    assert [resolver.instance.plugin.key for resolver in checked.blueprint.hooks.resolvers] == ["one", "two"]  # type: ignore[attr-defined]


def test_a_constructor_that_fails_is_named_at_its_entry(tmp_path: Path) -> None:
    drop_in(tmp_path, picky=RESOLVER.replace("self.key = config.key", "raise ValueError('pick another key')"))

    checked = check(tmp_path, "{use: picky}")

    assert [str(problem) for problem in checked.problems] == [
        f"{tmp_path / 'shopbot.yaml'}:2:19: 'picky' cannot be made: ValueError: pick another key"
    ]


def test_a_plugin_without_a_constructor_is_told_which_one_it_needs(tmp_path: Path) -> None:
    """Python's own words for it ("Plugin() takes no arguments") name neither."""
    hook = "    @hookimpl\n    async def resolve_psid(self, order): ...\n"
    drop_in(tmp_path, bare=f"from shopbot.plugin import hookimpl\n\n\nclass Plugin:\n{hook}")

    checked = check(tmp_path, "{use: bare}")

    assert [problem.message for problem in checked.problems] == [
        "'bare' takes no settings: its class Plugin needs a `def __init__(self, config: Config) -> None`"
    ]


def test_a_misspelled_hook_in_a_drop_in_is_named_at_its_entry(tmp_path: Path) -> None:
    """Also where it is the only hook, so that the plugin seems to have none at all."""
    plugins = drop_in(
        tmp_path,
        slip=RESOLVER + "\n    @hookimpl\n    async def event_finishd(self): ...\n",
        only=RESOLVER.replace("resolve_psid", "resolve_pisd"),
    )

    checked = check(tmp_path, "{use: slip}, {use: only}")

    config = tmp_path / "shopbot.yaml"
    assert [str(problem) for problem in checked.problems] == [
        (
            f"{config}:2:19: plugin 'slip' ({plugins / 'slip.py'}): unknown hook 'event_finishd'; did you mean"
            " 'event_finished'?"
        ),
        (
            f"{config}:2:32: plugin 'only' ({plugins / 'only.py'}): unknown hook 'resolve_pisd'; did you mean"
            " 'resolve_psid'?"
        ),
    ]


def test_a_hook_that_breaks_the_contract_is_named_at_its_entry(tmp_path: Path) -> None:
    drop_in(
        tmp_path, plain=RESOLVER.replace("async def", "def"), ordre=RESOLVER.replace("order: Order", "ordre: Order")
    )

    checked = check(tmp_path, "{use: plain}, {use: ordre}")

    config = tmp_path / "shopbot.yaml"
    assert [str(problem) for problem in checked.problems] == [
        f"{config}:2:19: resolvers[0]:plain: resolve_psid must be `async def`",
        (
            f"{config}:2:33: resolvers[1]:ordre: resolve_psid is given order, and not 'ordre': arguments go by their"
            " names"
        ),
    ]


@pytest.mark.parametrize("name", ["send_message", "clear_cart"])
def test_a_step_must_not_be_named_like_one_of_the_framework_s(tmp_path: Path, name: str) -> None:
    """The framework's own step would run in its place, and nobody would be told."""
    step = RESOLVER.replace("resolve_psid(self, order: Order) -> Resolution | None", "run_step(self)")
    drop_in(tmp_path, **{name: step})
    config = tmp_path / "shopbot.yaml"
    config.write_text(
        f"shop: {{domain: acme.myshopify.com, name: Acme}}\nplugins:\n  - use: {name}\n", encoding="utf-8"
    )

    assert [str(problem) for problem in check_config(config, {}).problems] == [
        f"{config}:3:10: a step named '{name}' is built in; give the plugin another name"
    ]
