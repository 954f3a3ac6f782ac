"""One entry of a plugin list: the keys of the framework, and the plugin's own settings."""

from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field, model_validator
from pydantic.config import ConfigDict

from shopbot.config.duration import PositiveDuration
from shopbot.config.expected import expected
from shopbot.config.section import Section, Text

PLUGIN_LISTS = ("verify", "resolvers", "carts", "senders", "pollers", "checkouts", "plugins")
"""The keys of shopbot.yaml that hold plugin entries."""


def _open_schema(schema: dict[str, Any]) -> None:
    schema["properties"].pop("settings", None)
    schema["additionalProperties"] = True


class PluginEntry(Section):
    """A plugin at its place in the running order.

    In YAML the plugin's settings stand beside `use`; `model_validate({"use": "redis_cart", "db": 1})` does
    the same in Python.
    """

    collecting_fields: ClassVar[tuple[str, ...]] = ("settings",)
    """Fields that are no keys in YAML, for messages that list the known keys."""

    model_config = ConfigDict(json_schema_extra=_open_schema)

    use: Text = Field(description="The plugin's name: its entry point, or its file in the plugins directory.")
    time_limit: PositiveDuration | None = Field(
        None,
        description="How long one call may take: 10s. Without one: what its kind of work has by default.",
    )
    settings: dict[str, object] = Field(
        default_factory=dict,
        repr=False,
        exclude=True,
        description="Every other key, for the plugin's own settings model. May hold secrets: never shown.",
    )

    @model_validator(mode="before")
    @classmethod
    def _gather_settings(cls, value: object) -> object:
        if not isinstance(value, dict):
            raise expected("'use: NAME' and the plugin's settings", text=False)
        keys = cls.model_fields.keys() - {"settings"}
        own = {key: content for key, content in value.items() if key in keys}
        return {**own, "settings": {key: content for key, content in value.items() if key not in keys}}


class PollerEntry(PluginEntry):
    """A poller at its place, with the schedule by which the framework runs it."""

    every: PositiveDuration = Field(
        timedelta(seconds=60), description="How long from one poll to the next, at most. A lost webhook waits as long."
    )
    overlap: PositiveDuration = Field(
        timedelta(minutes=10),
        description="How far before the start of the last successful poll the next one begins to look. Longer than the "
        "platform's search index may lag behind its orders.",
    )
