"""The JSON schema of shopbot.yaml, made from the settings and from the plugins that are installed, for editors."""

from collections.abc import Iterator, Mapping

from shopbot.config.plugin_entry import PLUGIN_LISTS
from shopbot.config.settings import Settings
from shopbot.discovery import Found, PluginError, PluginType
from shopbot.host.plugin_entries import KIND_OF_LIST
from shopbot.host.schema_proposals import Schema, name_parts, step_schema, tidy, with_examples

DIALECT = "http://json-schema.org/draft-07/schema#"
"""What yaml-language-server reads best. https://github.com/redhat-developer/yaml-language-server"""

_VARIABLE = r"\$\{"


def build_schema(catalogue: Mapping[str, Found | PluginError]) -> Schema:
    """Describe every key of shopbot.yaml; plugins that do not import are left out.

    A plugin that is not installed here (a drop-in file of another machine) may have any settings.
    """
    schema: Schema = {"$schema": DIALECT, **Settings.model_json_schema()}
    definitions: Schema = schema["$defs"]
    entry: Schema = definitions.pop("PluginEntry")
    poller_entry: Schema = definitions.pop("PollerEntry")
    plugins = list(_loadable(catalogue))
    for plugin in plugins:
        definitions.update(_plugin_definitions(plugin, poller_entry if "poller" in plugin.kinds else entry))
    for name in PLUGIN_LISTS:
        kind = KIND_OF_LIST.get(name)
        fitting = [plugin for plugin in plugins if kind is None or kind in plugin.kinds]
        schema["properties"][name]["items"] = _entry(entry, fitting)
    steps = [plugin.name for plugin in plugins if "step" in plugin.kinds]
    definitions["RuleSettings"]["properties"]["steps"]["items"] = step_schema(steps)
    _allow_variables(schema)
    tidied: Schema = tidy(schema)
    name_parts(tidied["$defs"])
    return {**tidied, "title": "shopbot.yaml"}


def _loadable(catalogue: Mapping[str, Found | PluginError]) -> Iterator[PluginType]:
    for found in catalogue.values():
        if isinstance(found, Found):
            try:
                yield found.load()
            except PluginError:
                continue  # `shopbot plugins` names it; the others are described all the same


def _entry(entry: Schema, plugins: list[PluginType]) -> Schema:
    """Describe one entry of a list: `use` decides which settings there are."""
    use: Schema = {
        "description": entry["properties"]["use"]["description"],
        "anyOf": [
            *({"const": plugin.name, "description": plugin.summary} for plugin in plugins),
            {"type": "string", "pattern": r"\S"},
        ],
    }
    choices = [
        {
            "if": {"required": ["use"], "properties": {"use": {"const": plugin.name}}},
            "then": {"$ref": f"#/$defs/{plugin.name}"},
        }
        for plugin in plugins
    ]
    described: Schema = {"type": "object", "required": ["use"], "properties": {"use": use}}
    return {**described, "allOf": choices} if choices else described


def _plugin_definitions(plugin: PluginType, entry: Schema) -> Schema:
    """Describe a plugin's settings beside the keys that every entry has."""
    own = plugin.config.model_json_schema(ref_template=f"#/$defs/{plugin.name}.{{model}}")
    nested = {f"{plugin.name}.{name}": part for name, part in own.pop("$defs", {}).items()}
    framework = {name: part for name, part in entry["properties"].items() if name != "use"}
    return {
        plugin.name: {
            "type": "object",
            "description": plugin.summary,
            "additionalProperties": False,
            "required": ["use", *own.get("required", [])],
            "properties": {
                "use": {"const": plugin.name},
                **framework,
                **with_examples(plugin, own.get("properties", {})),
            },
        },
        **nested,
    }


def _allow_variables(part: object) -> None:
    """Let `${NAME}` stand wherever a text of some form is asked for: what it holds is checked when it is known."""
    if isinstance(part, list):
        for item in part:
            _allow_variables(item)
    if not isinstance(part, dict):
        return
    pattern = part.get("pattern")
    if isinstance(pattern, str) and _VARIABLE not in pattern:
        part["pattern"] = f"({pattern})|{_VARIABLE}"
    for item in part.values():
        _allow_variables(item)
