"""Utility templates of a Page: creating, listing, deleting, and filling one at send time.

Source: https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/utility-messages
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shopbot.testing.graph_errors import GraphError, GraphRefusal, invalid, invalid_template

TemplateStatus = Literal["APPROVED", "PENDING", "REJECTED"]

BODY_LIMIT = 1024
BUTTON_LIMIT = 3
LABEL_LIMIT = 20

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?")
_COMPONENT_TYPES = frozenset({"HEADER", "BODY", "BUTTONS"})
_BUTTON_TYPES = frozenset({"URL", "POSTBACK", "PHONE_NUMBER"})


@dataclass
class Template:
    """One template in one language.

    header, body: the texts with their placeholders; header is "" if there is none.
    named: placeholders are names instead of 1, 2, 3.
    rejected_reason: Meta's word for it, None unless rejected.
    """

    id: str
    name: str
    language: str
    body: str
    header: str = ""
    buttons: list[dict[str, Any]] = field(default_factory=list)
    named: bool = False
    status: TemplateStatus = "APPROVED"
    rejected_reason: str | None = None
    components: list[dict[str, Any]] = field(default_factory=list)

    def listed(self) -> dict[str, Any]:
        """Give the entry that `GET …/message_templates` shows."""
        entry = {
            "id": self.id,
            "name": self.name,
            "language": self.language,
            "status": self.status,
            "category": "UTILITY",
            "components": self.components,
        }
        return entry if self.rejected_reason is None else entry | {"rejected_reason": self.rejected_reason}

    def dynamic_buttons(self) -> list[str]:
        """Give the types of the buttons that want a parameter at send time, in order."""
        return [
            button["type"]
            for button in self.buttons
            if button["type"] == "POSTBACK" or (button["type"] == "URL" and placeholders(button["url"]))
        ]


class TemplateBook:
    """The templates of one Page, by (name, language)."""

    def __init__(self) -> None:
        self._templates: dict[tuple[str, str], Template] = {}
        self._last_id = 104_000_000_000_000

    def __iter__(self) -> Iterator[Template]:
        return iter(self._templates.values())

    def find(self, name: str, language: str) -> Template | None:
        """Look for an exact match; Meta falls back to no other language."""
        return self._templates.get((name, language))

    def create(self, request: dict[str, Any], status: TemplateStatus) -> Template:
        """Handle `POST /{PAGE_ID}/message_templates`.

        status: what a template without fault becomes. One that breaks a rule on placeholders is made and
        REJECTED, as by Meta's review.

        Raises GraphRefusal for a wrong shape, and for a name that this language has already.
        """
        _check_definition(request)
        key = (request["name"], request["language"])
        if key in self._templates:
            raise invalid_template("There is already content for this name and language.", 2388024)
        by_type = {component["type"].upper(): component for component in request["components"]}
        self._last_id += 1
        template = Template(
            id=str(self._last_id),
            name=key[0],
            language=key[1],
            body=by_type["BODY"]["text"],
            header=by_type.get("HEADER", {}).get("text", ""),
            buttons=by_type.get("BUTTONS", {}).get("buttons", []),
            named=request.get("parameter_format") == "NAMED",
            status=status,
            components=request["components"],
        )
        template.rejected_reason = _review(template, by_type)
        if template.rejected_reason is not None:
            template.status = "REJECTED"
        self._templates[key] = template
        return template

    def add(
        self,
        name: str,
        body: str,
        *,
        language: str = "en_US",
        header: str | None = None,
        buttons: Sequence[dict[str, Any]] = (),
        status: TemplateStatus = "APPROVED",
    ) -> Template:
        """Make a template with sample values of its own; placeholders are `{{1}}`, `{{2}}`, … or all names.

        buttons: as in `POST /{PAGE_ID}/message_templates`, samples included.

        Raises GraphRefusal as `create` does, and ValueError with Meta's reason if it would be rejected.
        """
        found = placeholders(body) + placeholders(header or "")
        components: list[dict[str, Any]] = [{"type": "BODY", "text": body, "example": {"body_text": [found]}}]
        if header is not None:
            example = {"header_text": placeholders(header)}
            components.append({"type": "HEADER", "format": "TEXT", "text": header, "example": example})
        if buttons:
            components.append({"type": "BUTTONS", "buttons": list(buttons)})
        definition = {
            "name": name,
            "language": language,
            "category": "UTILITY",
            "components": components,
            "parameter_format": "NAMED" if found and not found[0].isdigit() else "POSITIONAL",
        }
        template = self.create(definition, status)
        if template.rejected_reason is not None:
            self.delete(template_id=template.id)
            raise ValueError(template.rejected_reason)
        return template

    def delete(self, *, name: str | None = None, template_id: str | None = None) -> bool:
        """Delete all languages of *name*, or the one with *template_id*; False if there was none."""
        doomed = [key for key, it in self._templates.items() if it.id == template_id or it.name == name]
        for key in doomed:
            del self._templates[key]
        return bool(doomed)

    def clear(self) -> None:
        """Delete all."""
        self._templates.clear()


def placeholders(text: str) -> list[str]:
    """Give the names or numbers between double braces, each once, in order of appearance."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(text)))


def filled(text: str, values: dict[str, str]) -> str:
    """Put *values* into the placeholders of *text*."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def _check_definition(request: dict[str, Any]) -> None:
    if "library_template_name" in request:
        raise invalid_template("This simulator has no template library.")
    if not isinstance(request.get("name"), str) or not _NAME.fullmatch(request["name"]):
        raise invalid("Param name must be made of lowercase letters, digits and underscores")
    if not isinstance(request.get("language"), str) or not _LANGUAGE.fullmatch(request["language"]):
        raise invalid("Param language must be a supported language code")
    if request.get("category") != "UTILITY":
        raise invalid("Param category must be UTILITY")
    if request.get("parameter_format", "POSITIONAL") not in {"POSITIONAL", "NAMED"}:
        raise invalid("Param parameter_format must be one of {POSITIONAL, NAMED}")
    components = request.get("components")
    if not isinstance(components, list) or not all(isinstance(item, dict) for item in components):
        raise invalid("Param components must be an array.")
    types = [str(component.get("type", "")).upper() for component in components]
    if types.count("BODY") != 1 or len(set(types)) != len(types) or set(types) - _COMPONENT_TYPES:
        raise invalid("Param components needs one BODY, and at most one HEADER and one BUTTONS")
    for kind, component in zip(types, components, strict=True):
        if kind == "BUTTONS":
            _check_buttons(component)
        else:
            _check_text(kind, component)


def _check_text(kind: str, component: dict[str, Any]) -> None:
    if kind == "HEADER" and component.get("format") == "IMAGE":
        return
    if kind == "HEADER" and component.get("format") != "TEXT":
        raise invalid("Param format of a HEADER must be one of {TEXT, IMAGE}")
    text = component.get("text")
    if not isinstance(text, str) or not text:
        raise invalid(f"Param text of the {kind} is required")
    if kind == "BODY" and len(text) > BODY_LIMIT:
        raise invalid(f"Length of the BODY must be less than or equal to {BODY_LIMIT}")


def _check_buttons(component: dict[str, Any]) -> None:
    buttons = component.get("buttons")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= BUTTON_LIMIT:
        raise invalid(f"Param buttons must have between 1 and {BUTTON_LIMIT} elements")
    for button in buttons:
        kind = button.get("type") if isinstance(button, dict) else None
        if kind == "QUICK_REPLY":
            title = "Message Template Creation Failed"
            raise GraphRefusal(GraphError(100, "Fatal", 2018416, is_transient=False, user_title=title))
        if kind not in _BUTTON_TYPES:
            raise invalid("Param type of a button must be one of {URL, POSTBACK, PHONE_NUMBER}")
        label = button.get("text")
        if not isinstance(label, str) or not 1 <= len(label) <= LABEL_LIMIT:
            raise invalid(f"Param text of a button must have between 1 and {LABEL_LIMIT} characters")
        if kind == "POSTBACK" and "example" in button:
            raise invalid_template("A POSTBACK button takes no example.", 2388051)
        if kind == "URL" and not str(button.get("url", "")).startswith(("http://", "https://")):
            raise invalid("Param url of a URL button should represent a valid URL")


def _review(template: Template, by_type: dict[str, dict[str, Any]]) -> str | None:
    """Give the reason for which Meta's review rejects *template*, or None."""
    body = template.body.strip()
    if _PLACEHOLDER.match(body) or re.search(r"\}\}$", body):
        return "INCORRECT_PARAMS"
    for text in (template.body, template.header):
        found = placeholders(text)
        expected = [str(number + 1) for number in range(len(found))]
        if template.named:
            if any(name.isdigit() for name in found):
                return "INCORRECT_PARAMS"
        elif sorted(found) != sorted(expected):
            return "INCORRECT_PARAMS"
    wanted = {"BODY": template.body, "HEADER": template.header}
    for kind, text in wanted.items():
        if placeholders(text) and not by_type[kind].get("example"):
            return "TEMPLATE_VARIABLES_MISSING_SAMPLE_VALUES"
    for button in template.buttons:
        if button["type"] == "URL" and placeholders(button["url"]) and not button.get("example"):
            return "TEMPLATE_VARIABLES_MISSING_SAMPLE_VALUES"
    return None
