"""What Meta accepts as the JSON body of a send: shapes, lengths and allowed values.

Source: https://developers.facebook.com/docs/messenger-platform/reference/send-api and
https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
"""

from __future__ import annotations

import re
from typing import Any

from shopbot.testing.graph_errors import DEAD_TAG, GraphRefusal, invalid, invalid_template
from shopbot.testing.messenger_attachments import check_attachment, check_quick_replies

DEAD_TAGS = frozenset({"POST_PURCHASE_UPDATE", "CONFIRMED_EVENT_UPDATE", "ACCOUNT_UPDATE"})
"""Refused since 2026-04-27 in every version, inside the window too."""

_LIVE_TAGS = frozenset({"HUMAN_AGENT", "CUSTOMER_FEEDBACK"})
_MESSAGING_TYPES = frozenset({"RESPONSE", "UPDATE", "UTILITY", "MESSAGE_TAG"})
_NOTIFICATION_TYPES = frozenset({"REGULAR", "SILENT_PUSH", "NO_PUSH"})
_SENDER_ACTIONS = frozenset({"typing_on", "typing_off", "mark_seen", "react", "unreact"})
_RECIPIENT_KEYS = ("id", "user_ref", "comment_id", "post_id")
_MESSAGE_KEYS = frozenset({"text", "attachment", "quick_replies", "metadata", "template"})
_CONTENT_KEYS = ("text", "attachment", "template")
_ID = re.compile(r"[0-9]{1,32}")

TEXT_LIMIT = 2000
"""Text must be shorter than this many characters."""

METADATA_LIMIT = 1000
"""Metadata must be shorter than this many characters."""


def check_send(body: dict[str, Any]) -> None:
    """Raise GraphRefusal for what is wrong with *body*, as far as one can tell without knowing the people."""
    _check_recipient(body.get("recipient"))
    if "sender_action" in body:
        _check_sender_action(body)
        return
    _check_delivery(body)
    _check_message(body.get("message"), body["messaging_type"])


def _check_recipient(recipient: object) -> None:
    if recipient is None:
        raise invalid("The parameter recipient is required")
    if not isinstance(recipient, dict):
        raise invalid("Param recipient must be a JSON object.")
    given = [key for key in _RECIPIENT_KEYS if key in recipient]
    unknown = sorted(set(recipient) - set(_RECIPIENT_KEYS))
    if unknown:
        raise invalid(f'Invalid keys "{", ".join(unknown)}" were found in param "recipient".')
    if len(given) != 1:
        raise invalid("Param recipient must have exactly one of id, user_ref, comment_id, post_id.")
    value = recipient[given[0]]
    if not isinstance(value, str) or not value:
        raise invalid(f"Param recipient[{given[0]}] must be a string")
    if given[0] == "id" and not _ID.fullmatch(value):
        raise invalid('Param recipient[id] must be a valid ID string (e.g., "123")', 2018001)


def _check_sender_action(body: dict[str, Any]) -> None:
    if "message" in body:
        raise invalid("Only one of the params sender_action, message can be specified")
    if body["sender_action"] not in _SENDER_ACTIONS:
        raise invalid("Param sender_action must be one of {TYPING_ON, TYPING_OFF, MARK_SEEN}")


def _check_delivery(body: dict[str, Any]) -> None:
    tag = body.get("tag")
    if isinstance(tag, str) and tag.upper() in DEAD_TAGS:
        raise GraphRefusal(DEAD_TAG)
    messaging_type = body.get("messaging_type")
    if messaging_type is None:
        raise invalid("The parameter messaging_type is required")
    if messaging_type not in _MESSAGING_TYPES:
        raise invalid("Param messaging_type must be one of {RESPONSE, UPDATE, UTILITY, MESSAGE_TAG}")
    if messaging_type == "MESSAGE_TAG":
        if tag is None:
            raise invalid("The parameter tag is required for messaging_type MESSAGE_TAG")
        if tag not in _LIVE_TAGS:
            raise invalid(f"Param tag must be one of {{HUMAN_AGENT, CUSTOMER_FEEDBACK}}, not {tag!r}")
    if body.get("notification_type", "REGULAR") not in _NOTIFICATION_TYPES:
        raise invalid("Param notification_type must be one of {REGULAR, SILENT_PUSH, NO_PUSH}")
    if "template" in body:
        raise invalid_template("Param template belongs into message.")


def _check_message(message: object, messaging_type: str) -> None:
    if message is None:
        raise invalid("The parameter message is required")
    if not isinstance(message, dict):
        raise invalid("Param message must be a JSON object.")
    unknown = sorted(set(message) - _MESSAGE_KEYS)
    if unknown:
        raise invalid(f'Invalid keys "{", ".join(unknown)}" were found in param "message".')
    metadata = message.get("metadata", "")
    if not isinstance(metadata, str) or len(metadata) >= METADATA_LIMIT:
        raise invalid(f"Length of param message[metadata] must be less than {METADATA_LIMIT}")
    contents = [key for key in _CONTENT_KEYS if key in message]
    if len(contents) > 1:
        raise invalid(f"Only one of the params {', '.join(contents)} can be specified in message")
    if not contents or not message[contents[0]]:
        raise invalid("Message cannot be empty, must provide valid attachment or text")
    _check_content(message, contents[0], messaging_type)


def _check_content(message: dict[str, Any], kind: str, messaging_type: str) -> None:
    if kind == "attachment":
        check_attachment(message["attachment"])
    if (kind == "template") != (messaging_type == "UTILITY"):
        raise invalid_template("messaging_type UTILITY and message.template go together.")
    if kind == "text":
        text = message["text"]
        if not isinstance(text, str) or len(text) >= TEXT_LIMIT:
            raise invalid(f"Length of param message[text] must be less than {TEXT_LIMIT}")
    if "quick_replies" in message:
        if kind == "template":
            raise invalid("quick_replies cannot be combined with message.template")
        check_quick_replies(message["quick_replies"])
