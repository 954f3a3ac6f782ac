"""The last line of defence of the logs: masks what slipped into a text that somebody else wrote.

Nothing in shopbot logs a whole PSID, a secret or a body. But errors of plugins and libraries come with texts of their
own, which may quote what they were working on.
"""

import re
from collections.abc import MutableMapping
from typing import Any

from shopbot.model.psid import mask

_FREE_TEXTS = ("event", "what", "reason", "error", "detail", "exception", "stack", "path")
"""Fields that hold sentences, or what a stranger asked for. Ids that an operator looks for have fields of their own."""

_PERSONS = ("psid", "sender", "recipient")
"""Fields that a plugin might fill with a whole PSID."""

_QUOTED_INPUT = re.compile(r"input_value=.*?(?=, input_type=)", re.DOTALL)
"""How pydantic quotes what it could not read."""
_PSID = re.compile(r"(?<![0-9A-Za-z])[0-9]{10,32}(?![0-9A-Za-z])")
"""Numbers as long as a PSID; real ones have 15 digits and more."""
_TOKEN = re.compile(r"(?<![\w-])(?=[\w-]*[0-9])(?=[\w-]*[A-Za-z])[\w-]{24,}(?![\w-])", re.ASCII)
"""Words as long as a token, of letters and digits."""


def mask_texts(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask long numbers and token-like words in the fields that hold free text. A structlog processor."""
    for name in _FREE_TEXTS:
        value = fields.get(name)
        if isinstance(value, str):
            fields[name] = masked(value)
    for name in _PERSONS:
        if name in fields and _PSID.fullmatch(str(fields[name])):
            fields[name] = mask(str(fields[name]))
    return fields


def masked(text: str) -> str:
    """Give a text without what could be a PSID, a token, or input that was quoted."""
    text = _QUOTED_INPUT.sub("input_value=…", text)
    text = _PSID.sub(lambda found: mask(found[0]), text)
    return _TOKEN.sub("…", text)
