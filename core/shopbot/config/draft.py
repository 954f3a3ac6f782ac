"""What of a configuration with errors can be checked all the same, so that people see all problems at once."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shopbot.config.document import Document
from shopbot.config.plugin_entry import PLUGIN_LISTS
from shopbot.config.settings import Settings

_UNKNOWN_KEY = "extra_forbidden"

_STAND_INS: dict[str, Any] = {
    "shop": {"domain": "stand-in.myshopify.com", "name": "Stand-in"},
    "rules": [],
    # Not empty: that a list is empty would be a problem of its own.
    **{name: [{"use": "stand_in"}] for name in PLUGIN_LISTS},
}
"""What takes the place of a part with an error; other parts fall back to their defaults."""


def draft(document: Document) -> Settings | None:
    """Give settings that rules and messages can be held against, though not run: what has an error is left out.

    None where too little is left to say anything about the rest.
    """
    try:
        return Settings.model_validate(document.data)
    except ValidationError as error:
        details = error.errors(include_url=False)
    data = copy.deepcopy(document.data)
    # Unknown keys first: their paths lead through parts that the other errors replace.
    for detail in sorted(details, key=lambda detail: detail["type"] != _UNKNOWN_KEY):
        if not detail["loc"] or detail["loc"][0] == "templates_dir":
            return None  # nothing could be said about any message
        _leave_out(data, detail)
    try:
        return Settings.model_validate(data)
    except ValidationError:
        return None


def _leave_out(data: dict[str, Any], detail: ErrorDetails) -> None:
    part, *below = detail["loc"]
    if detail["type"] == _UNKNOWN_KEY:
        *way, key = detail["loc"]
        place: Any = data
        for step in way:
            # Of a union the path also names the type that complained.
            inside = step in place if isinstance(place, dict) else isinstance(step, int)
            place = place[step] if inside else place
        place.pop(key, None)
    elif part == "messages" and below and isinstance(data["messages"], dict):
        data["messages"][str(below[0])] = {"text": "stand-in", "utility_template": "none"}
    elif part in _STAND_INS:
        data[str(part)] = copy.deepcopy(_STAND_INS[str(part)])
    else:
        data.pop(str(part), None)
        if part == "messages":
            data["rules"] = []  # every message that they name would be missing
