"""Utility templates of a Page: how one stands, and the submission of one that is not there.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/utility-messages
"""

from collections.abc import Awaitable, Mapping
from typing import Any

import httpx

from shopbot.plugin import ChannelDown, InDoubt, Refused, Retry, TemplateDefinition, TemplateState, TemplateStatus
from shopbot_plugins._json import as_objects, read_object
from shopbot_plugins._messenger_connections import Connections
from shopbot_plugins._messenger_errors import GraphError, Verdict

_STATUSES = {
    "APPROVED": TemplateStatus.APPROVED,
    "PENDING": TemplateStatus.PENDING,
    "IN_APPEAL": TemplateStatus.PENDING,
    "REJECTED": TemplateStatus.REJECTED,
}


class Templates:
    """The templates of one Page."""

    def __init__(self, connections: Connections, page_id: str, fields: Mapping[str, str]) -> None:
        """Work on a Page.

        fields: go with every call: `appsecret_proof`, where the app has a secret.
        """
        self._connections = connections
        self._path = f"/{page_id}/message_templates"
        self._fields = fields

    async def state(self, template: TemplateDefinition) -> TemplateState:
        """Say how a template stands.

        Raises:
            Retry, Refused, ChannelDown: it cannot be known.
        """
        query = {"name": template.name, "fields": "name,language,status,rejected_reason,components", "limit": "100"}
        answer = checked(await self._asked(self._connections.get(self._path, {**query, **self._fields})))
        for found in as_objects(answer.get("data")):
            if (found.get("name"), found.get("language")) == (template.name, template.language):
                return _state(found, template)
        return TemplateState(status=TemplateStatus.MISSING)

    async def submit(self, template: TemplateDefinition) -> TemplateState:
        """Submit a template that the Page does not have.

        Raises:
            Retry: it may have been taken or not; to ask again does no harm.
            Refused, ChannelDown: it was not taken.
        """
        body: dict[str, Any] = {"type": "BODY", "text": template.body}
        if template.examples:
            body["example"] = {"body_text": [list(template.examples)]}
        definition = {
            "name": template.name,
            "language": template.language,
            "category": "UTILITY",
            "components": [body],
            **self._fields,
        }
        return _state(checked(await self._asked(self._connections.post(self._path, definition))), template)

    async def _asked(self, call: Awaitable[httpx.Response]) -> httpx.Response:
        """Wait for an answer; nothing here is spoilt by asking twice, so no call is ever in doubt."""
        try:
            return await call
        except InDoubt as failure:
            raise Retry(failure.reason) from failure


def _state(found: Mapping[str, Any], template: TemplateDefinition) -> TemplateState:
    told = str(found.get("status", "")).upper()
    reason = found.get("rejected_reason")
    why = reason if isinstance(reason, str) and reason != "NONE" else ""
    status = _STATUSES.get(told)
    if status is None:
        return TemplateState(status=TemplateStatus.UNKNOWN, reason=why or told.lower())
    difference = _difference(found, template)
    if difference and status is not TemplateStatus.REJECTED:
        return TemplateState(status=TemplateStatus.DIFFERENT, reason=difference)
    return TemplateState(status=status, reason=why)


def _difference(found: Mapping[str, Any], template: TemplateDefinition) -> str:
    """Say how the Page's template differs from the one that is meant; empty where it does not, or does not tell."""
    bodies = [part.get("text") for part in as_objects(found.get("components")) if str(part.get("type")) == "BODY"]
    body = bodies[0] if bodies else None
    if not isinstance(body, str):
        return ""
    if template.body:
        return "" if body == template.body else "give the one with these words a new name"
    places, values = len(template.model_copy(update={"body": body}).placeholders), len(template.examples)
    return "" if places == values else f"it has {places} placeholders, and `parameters:` gives {values} values"


def checked(response: httpx.Response) -> Mapping[str, Any]:
    """Give an answer that is none of an error.

    Raises:
        Retry, Refused, ChannelDown: it is one.
    """
    answer = read_object(response)
    error = GraphError.read(answer)
    if error is None and response.is_success:
        return answer
    if error is None:
        raise Retry(f"Messenger answered HTTP {response.status_code} without saying why")
    verdict, rule = error.judge(response.status_code)
    reason = error.describe(rule)
    if verdict is Verdict.CHANNEL_DOWN:
        raise ChannelDown(reason)
    if verdict in (Verdict.RETRY, Verdict.RATE_LIMIT, Verdict.RESTRICTED):
        raise Retry(reason)
    raise Refused(reason)
