"""Check a utility send against the approved template, and give the text that the shopper reads.

Source: https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/utility-messages
"""

from __future__ import annotations

from typing import Any

from shopbot.testing.graph_errors import invalid_template
from shopbot.testing.messenger_templates import Template, TemplateBook, filled, placeholders

_COMPONENT_TYPES = frozenset({"header", "body", "buttons"})
_COMPONENT_KEYS = frozenset({"type", "parameters"})
_BUTTON_VALUE = {"URL": "url", "POSTBACK": "payload"}


def render_utility(template: object, book: TemplateBook) -> str:
    """Give header and body as the shopper reads them.

    Raises GraphRefusal if `message.template` does not fit an approved template.
    """
    if not isinstance(template, dict):
        raise invalid_template("Param message[template] must be a JSON object.")
    if "template_type" in template or set(template) - {"name", "language", "components"}:
        raise invalid_template("Param message[template] takes name, language and components only.")
    language = template.get("language")
    if not isinstance(language, dict) or not isinstance(language.get("code"), str):
        raise invalid_template("Param message[template][language][code] is required.")
    approved = book.find(str(template.get("name")), language["code"])
    if approved is None:
        raise invalid_template("No template with this name and language exists for this Page.")
    if approved.status != "APPROVED":
        raise invalid_template(f"The template is not approved: {approved.status}.")
    return _fill(approved, _parameters(template.get("components", [])))


def _parameters(components: object) -> dict[str, list[dict[str, Any]]]:
    if not isinstance(components, list) or not all(isinstance(item, dict) for item in components):
        raise invalid_template("Param message[template][components] must be an array.")
    found: dict[str, list[dict[str, Any]]] = {}
    for component in components:
        kind = component.get("type")
        # WhatsApp's form has one component of type "button" for each button, with an index.
        if set(component) - _COMPONENT_KEYS or kind not in _COMPONENT_TYPES or kind in found:
            raise invalid_template("Components are one each of header, body, buttons, with parameters only.")
        given = component.get("parameters")
        if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
            raise invalid_template(f"The {kind} component needs parameters; leave it out if it has none.")
        found[kind] = given
    return found


def _fill(approved: Template, parameters: dict[str, list[dict[str, Any]]]) -> str:
    texts = []
    for kind, text in (("header", approved.header), ("body", approved.body)):
        values = _text_values(kind, placeholders(text), parameters.get(kind, []), named=approved.named)
        if text:
            texts.append(filled(text, values))
    _check_buttons(approved.dynamic_buttons(), parameters.get("buttons", []))
    return "\n".join(texts)


def _text_values(kind: str, wanted: list[str], given: list[dict[str, Any]], *, named: bool) -> dict[str, str]:
    if len(given) != len(wanted):
        raise invalid_template(f"The {kind} of the template has {len(wanted)} parameters, but {len(given)} were given.")
    for parameter in given:
        if parameter.get("type") != "text" or not isinstance(parameter.get("text"), str):
            raise invalid_template(f"A parameter of the {kind} must be of type text and have a text.")
        if ("parameter_name" in parameter) != named:
            raise invalid_template(f"parameter_name in the {kind} goes with named templates only.")
    if not named:
        return {number: given[int(number) - 1]["text"] for number in wanted}
    values = {parameter["parameter_name"]: parameter["text"] for parameter in given}
    if set(values) != set(wanted):
        raise invalid_template(f"The {kind} of the template has the parameters {', '.join(wanted)}.")
    return values


def _check_buttons(wanted: list[str], given: list[dict[str, Any]]) -> None:
    if len(given) < len(wanted):
        raise invalid_template("There are fewer button parameters than the template has buttons.", 1893029)
    if len(given) > len(wanted):
        raise invalid_template("There are more button parameters than the template has buttons.")
    for kind, parameter in zip(wanted, given, strict=True):
        if set(parameter) != {"type", _BUTTON_VALUE[kind]} or parameter["type"] != kind:
            raise invalid_template(f"A {kind} button takes a parameter with type and {_BUTTON_VALUE[kind]}.")
