"""What Meta accepts as quick replies and as a structured message: shapes and limits of each template type.

Source: the pages on quick replies and on the button, generic and receipt templates below
https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
"""

from __future__ import annotations

import re
from typing import Any

from shopbot.testing.graph_errors import invalid

QUICK_REPLY_LIMIT = 13
TITLE_LIMIT = 20
PAYLOAD_LIMIT = 1000
BUTTON_LIMIT = 3
BUTTON_TEXT_LIMIT = 640
ELEMENT_LIMIT = 10
ELEMENT_TEXT_LIMIT = 80
RECEIPT_ELEMENT_LIMIT = 100

_MEDIA_TYPES = frozenset({"image", "audio", "video", "file"})
# Known to Meta, accepted here without a look at their payload.
_UNCHECKED_TEMPLATES = frozenset({"media", "coupon", "product", "customer_feedback"})
_RECEIPT_STRINGS = ("recipient_name", "order_number", "currency", "payment_method")


def check_quick_replies(replies: object) -> None:
    """Raise GraphRefusal for what is wrong with `message.quick_replies`."""
    if not isinstance(replies, list) or not 1 <= len(replies) <= QUICK_REPLY_LIMIT:
        raise invalid(f"Param message[quick_replies] must have between 1 and {QUICK_REPLY_LIMIT} elements")
    for position, reply in enumerate(replies):
        name = f"message[quick_replies][{position}]"
        if not isinstance(reply, dict):
            raise invalid(f"Param {name} must be a JSON object.")
        kind = reply.get("content_type")
        if kind in {"user_phone_number", "user_email"}:
            continue
        if kind != "text":
            raise invalid(f"Param {name}[content_type] must be one of text, user_phone_number, user_email")
        _check_text(reply, "title", TITLE_LIMIT, name)
        _check_text(reply, "payload", PAYLOAD_LIMIT, name)


def check_attachment(attachment: object) -> None:
    """Raise GraphRefusal for what is wrong with `message.attachment`."""
    if not isinstance(attachment, dict) or not isinstance(attachment.get("payload"), dict):
        raise invalid("Param message[attachment] must be a JSON object with a payload.")
    kind, payload = attachment.get("type"), attachment["payload"]
    if kind in _MEDIA_TYPES:
        if "url" not in payload and "attachment_id" not in payload:
            raise invalid("Param message[attachment][payload] needs url or attachment_id", 2018047)
        return
    if kind != "template":
        raise invalid("Param message[attachment][type] must be one of template, image, audio, video, file")
    checks = {"button": _check_button, "generic": _check_generic, "receipt": _check_receipt}
    template_type = payload.get("template_type")
    if template_type in _UNCHECKED_TEMPLATES:
        return
    if template_type not in checks:
        # What a utility template gets when it is wrapped in an attachment.
        raise invalid("Invalid template type")
    checks[template_type](payload)


def _check_button(payload: dict[str, Any]) -> None:
    name = "message[attachment][payload]"
    _check_text(payload, "text", BUTTON_TEXT_LIMIT, name)
    _check_buttons(payload.get("buttons"), name, least=1)


def _check_generic(payload: dict[str, Any]) -> None:
    elements = payload.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= ELEMENT_LIMIT:
        raise invalid(f"Param elements must have between 1 and {ELEMENT_LIMIT} elements")
    for position, element in enumerate(elements):
        name = f"elements[{position}]"
        if not isinstance(element, dict):
            raise invalid(f"Param {name} must be a JSON object.")
        _check_text(element, "title", ELEMENT_TEXT_LIMIT, name)
        if "subtitle" in element:
            _check_text(element, "subtitle", ELEMENT_TEXT_LIMIT, name)
        if "buttons" in element:
            _check_buttons(element["buttons"], name, least=0)


def _check_receipt(payload: dict[str, Any]) -> None:
    for key in _RECEIPT_STRINGS:
        if not isinstance(payload.get(key), str) or not payload[key]:
            raise invalid(f"Param {key} is required in a receipt and must be a string")
    summary = payload.get("summary")
    if not isinstance(summary, dict) or not _is_number(summary.get("total_cost")):
        raise invalid("Param summary[total_cost] is required in a receipt and must be a number")
    timestamp = payload.get("timestamp", "0")
    if not isinstance(timestamp, str) or not re.fullmatch(r"[0-9]+", timestamp):
        raise invalid("Param timestamp must be a string of seconds since 1970")
    elements = payload.get("elements", [])
    if not isinstance(elements, list) or len(elements) > RECEIPT_ELEMENT_LIMIT:
        raise invalid(f"Param elements must have at most {RECEIPT_ELEMENT_LIMIT} elements")
    for position, element in enumerate(elements):
        if not isinstance(element, dict) or not element.get("title") or not _is_number(element.get("price")):
            raise invalid(f"Param elements[{position}] needs a title and a price")


def _check_buttons(buttons: object, name: str, *, least: int) -> None:
    if not isinstance(buttons, list) or not least <= len(buttons) <= BUTTON_LIMIT:
        raise invalid(f"Param {name}[buttons] must have between {least} and {BUTTON_LIMIT} elements")
    for position, button in enumerate(buttons):
        where = f"{name}[buttons][{position}]"
        if not isinstance(button, dict):
            raise invalid(f"Param {where} must be a JSON object.")
        _check_text(button, "title", TITLE_LIMIT, where)
        kind = button.get("type")
        if kind == "web_url":
            if not str(button.get("url", "")).startswith(("http://", "https://")):
                raise invalid(f"Param {where}[url] should represent a valid URL")
        elif kind in {"postback", "phone_number"}:
            _check_text(button, "payload", PAYLOAD_LIMIT, where)
        else:
            raise invalid(f"Param {where}[type] must be one of web_url, postback, phone_number")


def _check_text(holder: dict[str, Any], key: str, limit: int, name: str) -> None:
    value = holder.get(key)
    if not isinstance(value, str) or not value:
        raise invalid(f"Param {name}[{key}] is required and must be a string")
    if len(value) > limit:
        raise invalid(f"Length of param {name}[{key}] must be less than or equal to {limit}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
