"""The `message` part of a call to the Send API.

https://developers.facebook.com/docs/messenger-platform/reference/send-api and
https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/utility-messages
"""

from collections.abc import Iterator, Sequence
from typing import Any

from shopbot.plugin import Delivery, OutboundMessage, QuickReply, Reason, Refused, UtilityTemplate

LONGEST_TEXT = 1999
"""Characters: Meta takes less than 2000."""

LONGEST_VALUE = 256
"""Characters of a placeholder's value: Meta states no limit but wants values short beside the template's own words."""

MOST_QUICK_REPLIES = 13
LONGEST_TITLE = 20
LONGEST_PAYLOAD = 1000
"""https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/quick-replies"""

_EMPTY_VALUE = "-"


def message_content(message: OutboundMessage) -> dict[str, Any]:
    """Give the text with its quick replies, or outside the window the utility template; the claim goes as metadata.

    Meta's pages do not say whether `metadata` may stand beside `template`. They document it as a field of `message`
    whatever its content, and without it no echo could settle a send in doubt.

    Raises:
        Refused: the message cannot be sent in any form that Meta would take.
    """
    if message.delivery is Delivery.UTILITY:
        if message.template is None:
            raise Refused(
                "outside the messaging window, and the message has no utility template", code=Reason.OUTSIDE_WINDOW
            )
        return {"template": _template(message.template), "metadata": message.claim}
    if not message.text.strip():
        raise Refused("the text is empty")
    if len(message.text) > LONGEST_TEXT:
        raise Refused(f"the text has {len(message.text)} characters; Messenger takes {LONGEST_TEXT}")
    content: dict[str, Any] = {"text": message.text, "metadata": message.claim}
    if message.quick_replies:
        content["quick_replies"] = _quick_replies(message.quick_replies)
    return content


def quotable(message: OutboundMessage) -> Iterator[str]:
    """Give the parts of a message that an error's text may quote, and that must not be kept with it."""
    for text in (message.text, *(message.template.parameters if message.template else ())):
        yield text
        yield _value(text)


def _quick_replies(replies: Sequence[QuickReply]) -> list[dict[str, str]]:
    """Write as many as Messenger takes; a title that is too long for it is cut, a payload cannot be.

    Raises:
        Refused: a payload is too long.
    """
    longest = max(len(reply.payload) for reply in replies)
    if longest > LONGEST_PAYLOAD:
        raise Refused(f"a quick reply's payload has {longest} characters; Messenger takes {LONGEST_PAYLOAD}")
    return [
        {"content_type": "text", "title": reply.title[:LONGEST_TITLE], "payload": reply.payload}
        for reply in replies[:MOST_QUICK_REPLIES]
    ]


def _template(template: UtilityTemplate) -> dict[str, Any]:
    content: dict[str, Any] = {"name": template.name, "language": {"code": template.language}}
    if template.parameters:
        values = [{"type": "text", "text": _value(value)} for value in template.parameters]
        content["components"] = [{"type": "body", "parameters": values}]
    return content


def _value(text: str) -> str:
    """Make a placeholder's value one short line."""
    line = " ".join(text.split())
    if len(line) > LONGEST_VALUE:
        line = line[: LONGEST_VALUE - 1].rstrip() + "…"
    return line or _EMPTY_VALUE
