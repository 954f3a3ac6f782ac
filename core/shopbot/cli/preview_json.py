"""A preview as JSON, for scripts."""

from collections.abc import Mapping

from shopbot.host.preview import Preview, Sending
from shopbot.messages.text import MESSENGER_LIMIT


def preview_json(preview: Preview) -> Mapping[str, object]:
    """Give all that is known of a preview."""
    rendered, subject = preview.rendered, preview.subject
    rule = subject.occasion.rule
    return {
        "message": preview.message,
        "sample": subject.sample,
        "order": subject.order,
        "rule": rule.name if rule else None,
        "topics": sorted(rule.topics) if rule else [],
        "would_not_send": {"reason": subject.objection.reason, "detail": subject.objection.detail}
        if subject.objection
        else None,
        "asked_locale": preview.asked,
        "locale": preview.locale,
        "file": preview.file,
        "path": str(preview.path) if preview.path else None,
        "bundled": preview.bundled,
        "error": preview.error or None,
        "text": rendered.text if rendered else None,
        "characters": preview.characters,
        "limit": MESSENGER_LIMIT,
        "cut": preview.cut,
        "quick_replies": [reply.model_dump() for reply in rendered.quick_replies] if rendered else [],
        "sendings": [_sending(sending) for sending in preview.sendings],
    }


def _sending(sending: Sending) -> Mapping[str, object]:
    return {
        "window": sending.window.value,
        "delivery": sending.delivery.value if sending.delivery else None,
        "why": sending.why,
        "locale": sending.locale or None,
        "fell_back": sending.fell_back,
        "words": sending.words or None,
        "sender": sending.sender or None,
        "to": sending.call.to if sending.call else None,
        "body": sending.call.body if sending.call else None,
        "problem": sending.problem or None,
    }
