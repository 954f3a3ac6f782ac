"""What the JSON schema proposes beside what it allows: editors complete from it, and show it where somebody slips."""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shopbot.config.document import parse
from shopbot.discovery import PluginType
from shopbot.rules.steps import STEP_NAMES

Schema = dict[str, Any]

_MAPS = frozenset({"properties", "$defs", "patternProperties"})
"""Keywords below which names stand that somebody has chosen, and no keywords."""

_INDENTED = re.compile(r"(?m)^(?: {4}.*\n?|\n(?= {4}))+")


def tidy(part: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    """Leave out what would be typed for people and means nothing: `null`, empty lists; and Python's own names.

    Whoever writes a key means something by it, so an editor may as well mark one without a value.
    """
    if isinstance(part, list):
        return [tidy(item) for item in part]
    if not isinstance(part, dict):
        return part
    made = {
        key: {name: tidy(item) for name, item in value.items()} if key in _MAPS else tidy(value)
        for key, value in part.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and _is_nothing(value))
    }
    if isinstance(made.get("default"), dict):
        made["default"] = {key: value for key, value in made["default"].items() if not _is_nothing(value)}
    alternatives = [choice for choice in made.get("anyOf", ()) if choice != {"type": "null"}]
    if len(alternatives) == 1:
        del made["anyOf"]
        return {**alternatives[0], **made}
    return {**made, "anyOf": alternatives} if alternatives else made


def name_parts(definitions: Schema) -> None:
    """Give the parts of shopbot.yaml names for people, as editors propose a whole part by its name."""
    for name, part in definitions.items():
        if name.endswith("Settings"):
            words = re.findall(r"[A-Z][a-z]+", name.removesuffix("Settings"))
            part["title"] = " ".join(words).lower()


def _is_nothing(default: object) -> bool:
    if isinstance(default, Mapping):
        return all(_is_nothing(value) for value in default.values())
    return default is None or default == []


def step_schema(steps: Sequence[str]) -> Schema:
    """Describe one step of a rule.

    steps: the names that installed plugins bring.
    """
    message = {"type": "string", "description": "The message's name under `messages:`."}
    by_number = {
        "type": "object",
        "description": "The messages by how many orders the step `find_orders` has found.",
        "additionalProperties": False,
        "required": ["one"],
        "properties": {
            "one": {**message, "description": "Where one was found."},
            "several": {**message, "description": "Where the shopper has to choose; without it, as for one."},
            "none": {**message, "description": "Where none was found; without it, as for one."},
        },
    }
    return {
        "anyOf": [
            {
                "type": "string",
                "pattern": r"\S",
                "examples": [*(name for name in STEP_NAMES if name != "send_message"), *steps],
            },
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["send_message"],
                "properties": {
                    "send_message": {"description": "Sends one of `messages:`, once.", "anyOf": [message, by_number]}
                },
            },
        ]
    }


def with_examples(plugin: PluginType, properties: Mapping[str, Any]) -> Schema:
    """Give a plugin's settings with the values that its own manual shows."""
    shown = {key: value for entry in _entries(plugin) for key, value in entry.items()}
    return {
        key: {**described, "examples": [shown[key]]}
        if key in shown and "examples" not in described and shown[key] != described.get("default")
        else described
        for key, described in properties.items()
    }


def _entries(plugin: PluginType) -> Iterator[Mapping[str, object]]:
    """Give the entries of shopbot.yaml that a manual shows for its plugin, the last one first."""
    for block in reversed(_INDENTED.findall(plugin.manual)):
        for entries in parse(textwrap.dedent(block), plugin.name).data.values():
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, dict) and entry.get("use") == plugin.name:
                    yield entry
