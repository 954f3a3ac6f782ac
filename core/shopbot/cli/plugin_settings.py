"""The keys of a model in words that a merchant reads: for `shopbot plugins` and the manual."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from shopbot.config.duration import PATTERN

_TYPES: Mapping[str, str] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "keys and values",
    "array": "list",
}


_MOST_NAMED = 12
"""Of more possible texts nobody wants to read a list in a table."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key that a part of shopbot.yaml accepts."""

    name: str
    type: str
    required: bool
    default: Any
    """As JSON; None also where it is required."""
    description: str

    @property
    def default_text(self) -> str:
        """The default as it would stand in shopbot.yaml; `required` or `none` where there is none."""
        if self.required:
            return "required"
        if self.default is None:
            return "none"
        return (
            self.default
            if isinstance(self.default, str) and self.default
            else json.dumps(self.default, ensure_ascii=False)
        )


def settings_of(config: type[BaseModel]) -> list[Setting]:
    """Describe the keys of a model, in its own order."""
    schema = config.model_json_schema()
    required = set(schema.get("required", ()))
    fields = {field.alias or name: field for name, field in config.model_fields.items()}
    settings: list[Setting] = []
    for name, described in schema.get("properties", {}).items():
        settings.append(
            Setting(
                name=name,
                type=_type(described, schema.get("$defs", {})),
                required=name in required,
                default=described.get("default"),
                description=described.get("description") or (fields[name].description if name in fields else "") or "",
            )
        )
    return settings


def _type(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return _type(definitions[field["$ref"].rsplit("/", 1)[-1]], definitions)
    if "enum" in field and len(field["enum"]) <= _MOST_NAMED:
        return ", ".join(str(value) for value in field["enum"])
    if "const" in field:
        return str(field["const"])
    for union in ("anyOf", "allOf", "oneOf"):
        if union in field:
            # That a setting may be left out is what its default says.
            options = [_type(option, definitions) for option in field[union] if option.get("type") != "null"]
            return " or ".join(dict.fromkeys(options))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), definitions)}"
    if field.get("format") == "password":
        return "secret"
    if field.get("pattern") == PATTERN:
        return "duration"
    return _TYPES.get(str(field.get("type")), "any")
